// zpool and zfs: what they are asked, and what their answers mean. (zpool-list(8), zpool-import(8), zfs-list(8))
import type { Tool } from '../../../engine/kit.ts'

export const zfsTools: Tool[] = [
    { name: 'zpool', program: '/usr/sbin/zpool', half: 'machine' },
    { name: 'zfs', program: '/usr/sbin/zfs', half: 'machine' },
    { name: 'modprobe', program: '/usr/sbin/modprobe', half: 'machine' },
    { name: 'systemd-tmpfiles', program: '/usr/bin/systemd-tmpfiles', half: 'machine' },
]

export interface Pool {
    name: string
    /** ONLINE, DEGRADED, FAULTED, SUSPENDED, … */
    health: string
    /** Of size, in percent. */
    fullPercent: number
}

export const listPools: [string, ...string[]] = ['/usr/sbin/zpool', 'list', '-Hp', '-o', 'name,health,capacity']

/** One line a pool, with tabs; nothing for no pools. */
export const parsePools = (stdout: string): Pool[] =>
    lines(stdout).map(([name = '', health = '', capacity = '']) => ({
        name,
        health,
        fullPercent: Number(capacity) || 0,
    }))

/** Only pools with trouble, errors that were counted included; else one line that says that there are none. */
export const showTrouble: [string, ...string[]] = ['/usr/sbin/zpool', 'status', '-x']

/** Their names. */
export const parseTrouble = (stdout: string): string[] =>
    [...stdout.matchAll(/^ *pool: (\S+)$/gm)].map(([, name]) => name!)

export interface Dataset {
    name: string
    mountpoint: string
    mounted: boolean
}

export const listDatasets = (pool: string): [string, ...string[]] => [
    ...(['/usr/sbin/zfs', 'list', '-Hp', '-t', 'filesystem', '-o', 'name,mountpoint,mounted', '-r', pool] as const),
]

export const parseDatasets = (stdout: string): Dataset[] =>
    lines(stdout).map(([name = '', mountpoint = '', mounted = '']) => ({
        name,
        mountpoint,
        mounted: mounted === 'yes',
    }))

const lines = (stdout: string) =>
    stdout
        .split('\n')
        .filter(Boolean)
        .map(line => line.split('\t'))

/** Without a name it only lists what could be imported. */
export const listImportable: [string, ...string[]] = ['/usr/sbin/zpool', 'import', '-d', '/dev/disk/by-id']

export interface Importable {
    name: string
    /** ONLINE, DEGRADED, UNAVAIL, … */
    state: string
}

/** A block a pool, of lines with a right-aligned word and a colon. */
export function parseImportable(stdout: string): Importable[] {
    const found: Importable[] = []
    for (const line of stdout.split('\n')) {
        const [, key, value = ''] = /^\s*(pool|state): (\S+)/.exec(line) ?? []
        if (key === 'pool') found.push({ name: value, state: '' })
        const last = found.at(-1)
        if (key === 'state' && last) last.state = value
    }
    return found
}

export interface Layout {
    pool: string
    ashift: number
    autotrim: boolean
    compression: string
    /** '' for a stripe. */
    vdev: string
    disks: readonly string[]
    /** Over what is left of something else on the disks. */
    force: boolean
}

export const createArgs = ({ pool, ashift, autotrim, compression, vdev, disks, force }: Layout): string[] => [
    ...['create', ...(force ? ['-f'] : []), '-o', `ashift=${ashift}`, '-o', `autotrim=${autotrim ? 'on' : 'off'}`],
    ...['-O', `compression=${compression}`, '-O', 'atime=off', '-O', 'xattr=sa', '-O', 'acltype=posixacl'],
    // Debian's own monthly scrub leaves a pool alone that says so; ours is weekly.
    ...['-O', 'mountpoint=none', '-O', 'org.debian:periodic-scrub=disable', pool, ...(vdev ? [vdev] : []), ...disks],
]
