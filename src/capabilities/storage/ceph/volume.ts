// ceph-volume and the volumes that it makes: which disk holds which OSD of which cluster. (ceph-volume(8), lvs(8))
import { rowsOf } from '../lvm-report.ts'

type Argv = [string, ...string[]]

const report = ['--reportformat', 'json', '--noheadings'] as const

export const listVolumes: Argv = ['/usr/sbin/lvs', ...report, '--options', 'vg_name,lv_name,lv_tags,devices']

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
    return rowsOf<{ lv_tags: string; devices: string }>(stdout, 'lv').flatMap(({ lv_tags, devices }) => {
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

export const zapArgs = (disk: string): string[] => ['lvm', 'zap', '--destroy', disk]

/** The OSD's own id is given, so that what is left of it after a power cut can be told by it. */
export const createArgs = (disk: string, uuid: string): string[] => [
    ...['lvm', 'create', '--bluestore', '--data', disk, '--osd-fsid', uuid],
]

export const activateArgs = ({ osdId, osdUuid }: OsdVolume): string[] => [
    ...['lvm', 'activate', '--bluestore', String(osdId), osdUuid],
]
