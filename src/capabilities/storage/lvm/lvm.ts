// LVM: what it is asked, and what its answers mean. (vgs(8), lvs(8), pvs(8), vgcreate(8), lvcreate(8), lvmthin(7))
import type { Tool } from '../../../engine/kit.ts'

const machine = 'machine' as const

export const lvmTools: Tool[] = [
    { name: 'vgcreate', program: '/usr/sbin/vgcreate', half: machine },
    { name: 'lvcreate', program: '/usr/sbin/lvcreate', half: machine },
    { name: 'wipefs', program: '/usr/sbin/wipefs', half: machine },
    { name: 'mkfs.ext4', program: '/usr/sbin/mkfs.ext4', half: machine },
]

type Argv = [string, ...string[]]
const report = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '--options'] as const

export const listGroups: Argv = ['/usr/sbin/vgs', ...report, 'vg_name']
export const listVolumes: Argv = ['/usr/sbin/lvs', ...report, 'vg_name,lv_name,segtype,lv_size,data_percent']
export const listMembers: Argv = ['/usr/sbin/pvs', ...report, 'pv_name,vg_name']
export interface Volume {
    group: string
    name: string
    /** thin-pool, thin, linear, … */
    type: string
    sizeBytes: number
    /** Of a thin pool. */
    fullPercent: number
}

export const parseGroups = (stdout: string): string[] =>
    rows<{ vg_name: string }>(stdout, 'vg').map(({ vg_name }) => vg_name)

export const parseVolumes = (stdout: string): Volume[] =>
    rows<Record<string, string>>(stdout, 'lv').map(one => ({
        ...{ group: one.vg_name ?? '', name: one.lv_name ?? '', type: one.segtype ?? '' },
        ...{ sizeBytes: Number(one.lv_size), fullPercent: Number(one.data_percent || 0) },
    }))

/** Volume group by physical volume. */
export const parseMembers = (stdout: string): { device: string; group: string }[] =>
    rows<{ pv_name: string; vg_name: string }>(stdout, 'pv').map(one => ({ device: one.pv_name, group: one.vg_name }))

function rows<T>(stdout: string, kind: 'vg' | 'lv' | 'pv'): T[] {
    try {
        const { report } = JSON.parse(stdout) as { report?: Record<string, T[]>[] }
        return (report ?? []).flatMap(one => one[kind] ?? [])
    } catch {
        return []
    }
}

export const poolArgs = (group: string, pool: string, size: string): string[] => [
    ...['--yes', '--type', 'thin-pool', '--name', pool],
    ...(size.endsWith('%FREE') ? ['--extents', size] : ['--size', size]),
    group,
]

export const volumeArgs = (group: string, pool: string, name: string, sizeBytes: number): string[] => [
    ...['--yes', '--thin', '--virtualsize', `${sizeBytes}b`, '--name', name, `${group}/${pool}`],
]
