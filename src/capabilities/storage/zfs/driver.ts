// ZFS for the verbs of storage: which disks its pools have, and the plans of a replacement and of more disks.
import { DOCUMENT } from '../../../engine/provision.ts'
import { type Look, type Resource, resource } from '../../../engine/resource.ts'
import type { Probe } from '../../../ports/ports.ts'
import type { AddWish, ReplaceWish, StorageDriver, StorageSet } from '../driver.ts'
import type { DiskSeen, TopologySeen } from '../placing.ts'
import type { ZfsSpec } from '../spec.ts'
import { planAdd } from './add.ts'
import { planReplace } from './replace.ts'
import { seePools, seeReal, steady } from './see.ts'
import { calledOf, membersOf, namesOf, type PoolTree, type Scan, type Vdev } from './topology.ts'

export interface ZfsDriverDeps {
    disks(machine: Probe): Promise<DiskSeen[]>
}

export const zfsDriver = ({ disks }: ZfsDriverDeps): StorageDriver => ({
    name: 'zfs',
    look: async machine => ((await seePools(machine)) ?? []).map(setOf),
    replace: wish =>
        resource<unknown, ReplaceWish, TopologySeen>({
            ...{ name: 'storage.zfs.replace', phases: ['boot'], want: () => wish },
            observe: look => seeTopology(look, disks, [wish.new ?? wish.old]),
            plan: (_, seen) => planReplace(wish, seen, DOCUMENT),
        }) as Resource,
    add: wish =>
        resource<{ storage: { zfs: ZfsSpec } }, { wish: AddWish; pool: string }, TopologySeen>({
            ...{ name: 'storage.zfs.add', phases: ['boot'] },
            want: document => ({ wish, pool: document.storage.zfs.pool }),
            observe: look => seeTopology(look, disks, wish.disks),
            plan: ({ pool }, seen) => planAdd(wish, seen, { pool, path: DOCUMENT }),
        }) as Resource,
})

async function seeTopology(
    { root, machine }: Look,
    disksOf: ZfsDriverDeps['disks'],
    words: readonly string[],
): Promise<TopologySeen> {
    const [pools, disks, text] = await Promise.all([seePools(machine), disksOf(machine), root.readText(DOCUMENT)])
    return { pools: pools?.map(steady), disks, text, real: await seeReal(machine, pools ?? [], words) }
}

const WORKS: ReadonlySet<string> = new Set(['ONLINE', 'AVAIL', 'INUSE'])

function setOf(pool: PoolTree): StorageSet {
    const disk = (leaf: Vdev, part: string) => ({
        ...{ id: calledOf(leaf), names: namesOf(leaf), state: leaf.state, works: WORKS.has(leaf.state), part },
        errors: leaf.errors,
    })
    const work = pool.scan && workOf(pool.scan)
    return {
        ...{ name: pool.name, state: pool.state, whole: pool.state === 'ONLINE' },
        disks: [
            ...membersOf(pool).map(({ leaf, above }) => disk(leaf, above.map(({ name }) => name).join(' › '))),
            ...pool.spares.map(leaf => disk(leaf, 'spares')),
            ...pool.caches.map(leaf => disk(leaf, 'caches')),
        ],
        ...(work ? { work } : {}),
    }
}

function workOf({ what, running, doneBytes, ofBytes }: Scan): StorageSet['work'] {
    if (!running) return undefined
    const percent = ofBytes > 0 ? Math.min(100, (100 * doneBytes) / ofBytes) : 0
    return { words: what === 'resilver' ? 'copies to the new disk' : 'is being checked', percent }
}
