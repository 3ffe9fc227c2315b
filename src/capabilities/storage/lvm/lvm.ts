// LVM: what it is asked, and what its answers mean. (vgs(8), lvs(8), vgcreate(8), lvcreate(8), lvmthin(7))
import type { Tool } from '../../../engine/kit.ts'
import { rowsOf } from '../lvm-report.ts'

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
    rowsOf<{ vg_name: string }>(stdout, 'vg').map(({ vg_name }) => vg_name)

export const parseVolumes = (stdout: string): Volume[] =>
    rowsOf<Record<string, string>>(stdout, 'lv').map(one => ({
        ...{ group: one.vg_name ?? '', name: one.lv_name ?? '', type: one.segtype ?? '' },
        ...{ sizeBytes: Number(one.lv_size), fullPercent: Number(one.data_percent || 0) },
    }))

export const poolArgs = (group: string, pool: string, size: string): string[] => [
    ...['--yes', '--type', 'thin-pool', '--name', pool],
    ...(size.endsWith('%FREE') ? ['--extents', size] : ['--size', size]),
    group,
]

export const volumeArgs = (group: string, pool: string, name: string, sizeBytes: number): string[] => [
    ...['--yes', '--thin', '--virtualsize', `${sizeBytes}b`, '--name', name, `${group}/${pool}`],
]
