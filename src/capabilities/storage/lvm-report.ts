// What LVM's lists say, for every kind of storage that stands on it. (lvmreport(7), pvs(8))

type Argv = [string, ...string[]]

/** Rows of a list that was asked for as JSON; none where it is no answer. */
export function rowsOf<T>(stdout: string, kind: 'vg' | 'lv' | 'pv'): T[] {
    try {
        const { report } = JSON.parse(stdout) as { report?: Record<string, T[]>[] }
        return (report ?? []).flatMap(one => one[kind] ?? [])
    } catch {
        return []
    }
}

export const listMembers: Argv = ['/usr/sbin/pvs', '--reportformat', 'json', '--options', 'pv_name,vg_name']

export interface GroupMember {
    /** Of this boot; it may be a partition. */
    device: string
    group: string
}

/** Physical volumes that are in a group. */
export const parseMembers = (stdout: string): GroupMember[] =>
    rowsOf<{ pv_name: string; vg_name: string }>(stdout, 'pv')
        .filter(({ vg_name }) => vg_name !== '')
        .map(({ pv_name, vg_name }) => ({ device: pv_name, group: vg_name }))
