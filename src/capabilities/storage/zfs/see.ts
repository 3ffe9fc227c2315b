// Looks at what the pools of the running machine are made of, and where the paths of their disks lead now.
import { LOOK_MS } from '../../../base/look.ts'
import type { Probe } from '../../../ports/ports.ts'
import { membersOf, type PoolTree, parseTopology, showTopology, type Vdev } from './topology.ts'

/** Undefined where zpool does not say. */
export async function seePools(machine: Probe): Promise<PoolTree[] | undefined> {
    const [module, tool] = await Promise.all([machine.look('/sys/module/zfs'), machine.look(showTopology[0])])
    if (!module || !tool) return undefined
    const { exitCode, stdout } = await machine.query({ argv: showTopology, deadlineMs: LOOK_MS })
    return exitCode === 0 ? parseTopology(stdout) : undefined
}

/** Where the leaves of pools, and the given words, lead now. */
export async function seeReal(machine: Probe, pools: readonly PoolTree[], words: readonly string[] = []) {
    const leaves = pools.flatMap(pool => [...membersOf(pool).map(({ leaf }) => leaf), ...pool.spares, ...pool.caches])
    const paths = [...new Set([...leaves.flatMap(({ path }) => path ?? []), ...words.filter(word => word[0] === '/')])]
    const led = await Promise.all(paths.map(async path => [path, await machine.resolve(path)] as const))
    return Object.fromEntries(led.flatMap(([path, now]) => (now === undefined ? [] : [[path, now] as const])))
}

/** Without what moves by itself: a plan that was read would be refused because an hour's copying went on. */
export function steady(pool: PoolTree): PoolTree {
    const still = (vdev: Vdev): Vdev => ({ ...vdev, errors: 0, children: vdev.children.map(still) })
    return {
        ...{ ...pool, data: pool.data.map(still), others: pool.others.map(still) },
        ...(pool.scan ? { scan: { ...pool.scan, doneBytes: 0, ofBytes: 0 } } : {}),
    }
}
