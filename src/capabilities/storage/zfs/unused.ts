// Disks that could be in a pool and are not: they never get there by themselves, as that is for ever.
import type { Finding } from '../../../base/finding.ts'
import type { Disk } from '../choose.ts'
import type { ZfsSpec } from '../spec.ts'

/** `inPool` are all names of the pool's disks; undefined: ZFS did not say, and nothing is known. */
export function unusedDisks(
    { pool, disks }: ZfsSpec,
    seen: readonly Disk[],
    inPool: readonly string[] | undefined,
): Finding[] {
    if (!inPool) return []
    if (disks !== 'extra') return disks.filter(id => !inPool.includes(id)).map(id => named(id, pool))
    return seen
        .filter(disk => disk.blank && !disk.system && !disk.removable && !disk.readOnly && !inPool.includes(disk.id))
        .map(disk => blank(disk, pool))
}

const named = (id: string, pool: string): Finding => ({
    ...{ severity: 'warning', code: 'disk-not-in-pool', at: 'storage.zfs.disks' },
    summary: 'A disk of the document is not in the pool, and never gets there by itself',
    detail: `${id}, ${pool}`,
    fix: `For a failed one: debvisor storage replace OLD ${id}. As one more: debvisor storage add ${id}. Or leave it out of the document.`,
})

const blank = ({ id, words }: Disk, pool: string): Finding => ({
    ...{ severity: 'info', code: 'disk-unused', at: 'storage.zfs.disks' },
    summary: 'A blank disk is in no pool',
    detail: `${id} (${words})`,
    fix: `For a failed disk of ${pool}: debvisor storage replace OLD ${id}. As one more: debvisor storage add ${id}`,
})
