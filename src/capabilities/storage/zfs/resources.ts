// ZFS for the engine: its tools and module, the pool with its datasets, its memory, its weekly check.
import { LOOK_MS } from '../../../base/look.ts'
import { type Look, resource } from '../../../engine/resource.ts'
import type { Probe } from '../../../ports/ports.ts'
import { type DiskSeen, liesOn } from '../placing.ts'
import { named, type StorageSpec, type ZfsSpec } from '../spec.ts'
import * as plan from './plan.ts'
import { seePools, seeReal } from './see.ts'
import { membersOf, namesOf } from './topology.ts'
import * as zpool from './zpool.ts'

const ARC_MAX = '/sys/module/zfs/parameters/zfs_arc_max'

interface Doc {
    profile: 'ceph' | 'zfs' | 'mixed'
    storage: StorageSpec
}

export interface ZfsDeps {
    disks(machine: Probe): Promise<DiskSeen[]>
}

const want = ({ profile, storage: { zfs, ceph, lvm } }: Doc): plan.ZfsWant | undefined => {
    if (profile === 'ceph') return undefined
    // A disk that is named for something else is none of the others.
    return { ...zfs, except: [...(profile === 'mixed' ? named(ceph.disks) : []), ...(lvm?.disks ?? [])] }
}
const boot = ['boot'] as const

export const zfsResources = ({ disks }: ZfsDeps) => [
    resource<Doc, ZfsSpec, { module: boolean }>({
        ...{ name: 'storage.zfs.tools', phases: boot, want, basics: plan.toolBasics, plan: plan.planModule },
        observe: async ({ machine }) => ({ module: await hasModule(machine) }),
    }),
    resource<Doc, ZfsSpec, plan.MemorySeen>({
        ...{ name: 'storage.zfs.memory', phases: boot, needs: ['storage.zfs.tools'], want, plan: plan.planMemory },
        observe: async ({ root, machine }) => ({
            memoryBytes: await memoryOf(machine),
            text: await root.readText(plan.ARC_FILE),
            arcMaxBytes: numberOr(await machine.readText(ARC_MAX)),
        }),
    }),
    resource<Doc, plan.ZfsWant, plan.PoolSeen>({
        ...{ name: 'storage.zfs.pool', phases: boot, needs: ['storage.zfs.tools'], provides: ['storage'], want },
        observe: (look, spec) => seePool(look, spec.pool, disks),
        plan: plan.planPool,
    }),
    resource<Doc, ZfsSpec, undefined>({
        ...{ name: 'storage.zfs.scrub', phases: boot, needs: ['storage.zfs.pool'], want, basics: plan.scrubBasics },
    }),
]

async function hasModule(machine: Probe): Promise<boolean> {
    return (await machine.look('/sys/module/zfs')) !== undefined
}

async function seePool({ root, machine }: Look, name: string, disks: ZfsDeps['disks']): Promise<plan.PoolSeen> {
    const [module, tool, record, all] = await Promise.all([
        hasModule(machine),
        machine.look('/usr/sbin/zpool'),
        root.look(plan.recordOf(name)),
        disks(machine),
    ])
    const seen = { disks: all, made: record !== undefined, module }
    // Without the module zpool cannot say anything, and there can be no pool.
    if (!module || !tool) return { ...seen, pools: [], importable: [], datasets: [] }
    const ask = async (argv: [string, ...string[]]) => (await machine.query({ argv, deadlineMs: LOOK_MS })).stdout
    const pools = zpool.parsePools(await ask(zpool.listPools))
    if (pools.some(pool => pool.name === name)) {
        const [datasets, inPool] = await Promise.all([ask(zpool.listDatasets(name)), seeInPool(machine, name, all)])
        return { ...seen, pools, importable: [], datasets: zpool.parseDatasets(datasets), inPool }
    }
    return { ...seen, pools, importable: zpool.parseImportable(await ask(zpool.listImportable)), datasets: [] }
}

async function seeInPool(machine: Probe, name: string, disks: readonly DiskSeen[]): Promise<string[] | undefined> {
    const pool = (await seePools(machine))?.find(one => one.name === name)
    if (!pool) return undefined
    const real = await seeReal(machine, [pool])
    const leaves = [...membersOf(pool).map(({ leaf }) => leaf), ...pool.spares, ...pool.caches]
    const on = disks.filter(disk => leaves.some(leaf => liesOn(leaf, disk, real)))
    return [...leaves.flatMap(namesOf), ...on.map(({ id }) => id)].sort()
}

async function memoryOf(machine: Probe): Promise<number> {
    const [, kib] = /^MemTotal:\s+(\d+) kB/m.exec((await machine.readText('/proc/meminfo')) ?? '') ?? []
    return Number(kib ?? 0) * 1024
}

const numberOr = (text: string | undefined) => (text === undefined ? undefined : Number(text.trim()))
