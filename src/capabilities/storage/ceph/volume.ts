// ceph-volume and LVM's lists: which disk holds which OSD of which cluster. (ceph-volume(8), lvs(8), pvs(8))
type Argv = [string, ...string[]]

const report = ['--reportformat', 'json', '--noheadings'] as const

export const listVolumes: Argv = ['/usr/sbin/lvs', ...report, '--options', 'vg_name,lv_name,lv_tags,devices']
export const listGroups: Argv = ['/usr/sbin/pvs', ...report, '--options', 'pv_name,vg_name']

/** A logical volume that ceph-volume has made. */
export interface OsdVolume {
    /** Of this boot: /dev/vdb. */
    devices: string[]
    osdId: number
    osdUuid: string
    fsid: string
}

/** Only those that are the block device of an OSD, by their tags; a torn one without tags is none. */
export function parseVolumes(stdout: string): OsdVolume[] {
    return rows<{ lv_tags: string; devices: string }>(stdout, 'lv').flatMap(({ lv_tags, devices }) => {
        const tags = new Map(
            lv_tags.split(',').map(tag => [tag.slice(0, tag.indexOf('=')), tag.slice(tag.indexOf('=') + 1)]),
        )
        const [osdUuid, fsid] = [tags.get('ceph.osd_fsid'), tags.get('ceph.cluster_fsid')]
        if (!osdUuid || !fsid || tags.get('ceph.type') !== 'block') return []
        // /dev/vdb(0),/dev/vdc(0): the extent in brackets.
        const paths = [...devices.matchAll(/([^,()]+)\(\d+\)/g)].map(([, path = '']) => path)
        return [{ devices: [...new Set(paths)], osdId: Number(tags.get('ceph.osd_id')), osdUuid, fsid }]
    })
}

/** Volume group by physical volume, which may be a partition. */
export const parseGroups = (stdout: string): { device: string; group: string }[] =>
    rows<{ pv_name: string; vg_name: string }>(stdout, 'pv')
        .filter(({ vg_name }) => vg_name !== '')
        .map(({ pv_name, vg_name }) => ({ device: pv_name, group: vg_name }))

function rows<T>(stdout: string, kind: 'lv' | 'pv'): T[] {
    try {
        const { report } = JSON.parse(stdout) as { report?: Record<string, T[]>[] }
        return (report ?? []).flatMap(one => one[kind] ?? [])
    } catch {
        return []
    }
}

export const zapArgs = (disk: string): string[] => ['lvm', 'zap', '--destroy', disk]

/** The OSD's own id is given, so that what is left of it after a power cut can be told by it. */
export const createArgs = (disk: string, uuid: string): string[] => [
    ...['lvm', 'create', '--bluestore', '--data', disk, '--osd-fsid', uuid],
]

export const activateArgs = ({ osdId, osdUuid }: OsdVolume): string[] => [
    ...['lvm', 'activate', '--bluestore', String(osdId), osdUuid],
]
