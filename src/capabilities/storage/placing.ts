// Whether a disk may become part of a pool: it is there, nobody uses it, it is large enough, and what is on it may go.
import type { Finding } from '../../base/finding.ts'
import { nearest } from '../../base/nearest.ts'
import type { Step } from '../../engine/step.ts'
import type { Disk } from './choose.ts'
import { standsOn } from './device.ts'
import { calledOf, membersOf, type PoolTree, type Vdev } from './zfs/topology.ts'

export interface DiskSeen extends Disk {
    /** Of this boot. */
    path: string
    sizeBytes: number
}

/** What is seen when disks of pools are changed. */
export interface TopologySeen {
    /** Undefined: zpool does not say, as it is too old or its module is not loaded. */
    pools: readonly PoolTree[] | undefined
    disks: readonly DiskSeen[]
    /** Where the paths of leaves and of given names lead now; those that lead nowhere are not in it. */
    real: Readonly<Record<string, string>>
    /** The node's document. */
    text: string | undefined
}

const AT = 'storage'
/** ZFS's labels, and the partitions that it makes on a whole disk: an equal disk always has that much more. */
const LABELS_BYTES = 13.5 * 1024 ** 2

export const targetOf = (disk: DiskSeen): string => `disk:${disk.id}`

export const error = (code: string, summary: string, detail: string, fix: string): Finding => ({
    ...{ severity: 'error', code, at: AT, summary, detail, fix },
})

export const info = (code: string, summary: string, detail: string, fix = ''): Finding => ({
    ...{ severity: 'info', code, at: AT, summary, detail },
    ...(fix ? { fix } : {}),
})

/** The disk that a leaf stands on now. */
export function liesOn({ path }: Vdev, disk: DiskSeen, real: TopologySeen['real']): boolean {
    const now = path === undefined ? undefined : real[path]
    return now !== undefined && standsOn(now, disk.path)
}

/** By its id, without the folder too, or by any name that leads to it. */
export const diskNamed = (word: string, { disks, real }: TopologySeen): DiskSeen | undefined =>
    disks.find(({ id }) => id === word || id.slice(id.lastIndexOf('/') + 1) === word) ??
    disks.find(({ path }) => path === (real[word] ?? word))

export const isFree = (disk: DiskSeen): boolean => !disk.system && !disk.readOnly && disk.mountpoints.length === 0

export const freeWords = (seen: TopologySeen): string => {
    const blank = seen.disks.filter(disk => isFree(disk) && disk.blank).map(({ id }) => id)
    return blank.length > 0
        ? `Blank disks are: ${blank.join(', ')}.`
        : 'There is no blank disk. See: debvisor node disks'
}

export function noSuchDisk(word: string, seen: TopologySeen): Finding {
    const meant = nearest(
        word,
        seen.disks.map(({ id }) => id),
    )
    const fix = meant ? `Did you mean ${meant}?` : freeWords(seen)
    return error('no-such-disk', 'There is no such disk in this machine', word, fix)
}

/** Everything that speaks against it; that something is on it is no such thing, but asks for a consent. */
export function against(disk: DiskSeen, leastBytes: number, seen: TopologySeen): Finding[] {
    const said = `${disk.id} (${disk.words})`
    if (disk.system) {
        return [error('disk-in-use', 'The running system stands on that disk', said, freeWords(seen))]
    }
    const findings: Finding[] = []
    if (disk.mountpoints.length > 0) {
        findings.push(error('disk-in-use', 'That disk is in use', said, 'Unmount what is on it, or name another disk.'))
    }
    if (disk.readOnly) {
        findings.push(error('disk-read-only', 'That disk cannot be written to', said, freeWords(seen)))
    }
    for (const pool of seen.pools ?? []) {
        const all = [...membersOf(pool).map(({ leaf }) => leaf), ...pool.spares, ...pool.caches]
        if (all.some(leaf => liesOn(leaf, disk, seen.real))) {
            const detail = `${disk.id}, in ${pool.name}`
            findings.push(error('disk-in-pool', 'That disk is part of a pool already', detail, freeWords(seen)))
        }
    }
    if (leastBytes > 0 && disk.sizeBytes < leastBytes + LABELS_BYTES) {
        const least = Math.ceil((leastBytes + LABELS_BYTES) / 1024 ** 2)
        const detail = `${said}; at least ${least} MiB are needed, and it has ${Math.floor(disk.sizeBytes / 1024 ** 2)}`
        findings.push(error('disk-too-small', 'That disk is too small', detail, 'Use one as large as the others.'))
    }
    return findings
}

/** What taking these disks means for what is on them. */
export function taking(disks: readonly DiskSeen[]) {
    const held = disks.filter(disk => !disk.blank)
    const blank = disks.filter(disk => disk.blank)
    return {
        force: held.length > 0 ? ['-f'] : [],
        marks: {
            ...(held.length > 0 ? { destroys: held.map(targetOf) } : {}),
            ...(blank.length > 0 ? { claims: blank.map(targetOf) } : {}),
        },
        fingerprints: Object.fromEntries(held.map(disk => [targetOf(disk), disk.fingerprint])),
    }
}

/** The document, changed: shown as a diff. */
export function documentStep(path: string, was: string | undefined, text: string | undefined): Step[] {
    if (was === undefined || text === undefined || was === text) return []
    return [{ do: 'write', say: 'Name the disk in the document', path, content: text, was, mode: 0o644 }]
}

export const listed = (leaves: readonly Vdev[]): string =>
    leaves.map(leaf => `${calledOf(leaf)} (${leaf.state})`).join(', ')
