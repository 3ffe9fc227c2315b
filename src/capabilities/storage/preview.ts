// What storage a node will get at its first boot, told before it is there: which disks, what becomes of them, what dies.
import type { Finding } from '../../base/finding.ts'
import type { Agreed } from '../../engine/plan.ts'
import { choose, type Disk, target } from './choose.ts'
import { named, type StorageSpec } from './spec.ts'

export interface Preview {
    /** Sentences. */
    says: string[]
    /** `disk:…` of those that hold data and are taken, agreed to or not. */
    destroys: string[]
    findings: Finding[]
    fingerprints: Record<string, string>
}

/** `disks` are those that the node will see beside the system's. */
export function previewStorage(
    { profile, storage }: { profile: 'ceph' | 'zfs' | 'mixed'; storage: StorageSpec },
    disks: readonly Disk[],
    agreed: Agreed,
): Preview {
    const { zfs, ceph, lvm } = storage
    const preview: Preview = { says: [], destroys: [], findings: [], fingerprints: {} }
    const take = (at: string, list: 'extra' | readonly string[], except: readonly string[], say: Say) => {
        const choice = choose(at, list, { all: disks, agreed, except })
        preview.findings.push(...choice.findings)
        Object.assign(preview.fingerprints, choice.fingerprints)
        preview.destroys.push(...choice.chosen.filter(disk => !disk.blank).map(disk => target(disk.id)))
        preview.says.push(say(choice.chosen.map(disk => `${disk.id} (${disk.words})`)))
    }
    if (profile !== 'ceph') {
        const except = [...(profile === 'mixed' ? named(ceph.disks) : []), ...(lvm?.disks ?? [])]
        take('storage.zfs.disks', zfs.disks, except, list =>
            list.length > 0
                ? `Make the pool ${zfs.pool} of ZFS of ${list.join(', ')}`
                : `Make no pool of ZFS: there is no free disk for it. VMs are kept on the disk of the system`,
        )
    }
    if (profile !== 'zfs') {
        const except = [...(profile === 'mixed' ? named(zfs.disks) : []), ...(lvm?.disks ?? [])]
        take('storage.ceph.disks', ceph.disks, except, list =>
            list.length > 0
                ? `Make an OSD of Ceph of each of ${list.join(', ')}`
                : `Make no OSD of Ceph: there is no free disk for it. VMs are kept on the disk of the system`,
        )
    }
    return preview
}

type Say = (disks: readonly string[]) => string
