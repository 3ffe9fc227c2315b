// The calls of ImageService that are about pools: requests become wishes, entries become messages; no decisions.
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import type { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import type { Inventory } from './inventory.ts'
import { poolMessage } from './messages.ts'
import type { Pools } from './pools.ts'
import { type Begin, onPool } from './rpc-wish.ts'

type PoolCalls = 'listPools' | 'createPool' | 'startPool' | 'stopPool' | 'refreshPool' | 'deletePool'

export function poolCalls(deps: {
    inventory: Inventory
    pools: Pools
    begin: Begin
}): Pick<ServiceImpl<typeof ImageService>, PoolCalls> {
    const { inventory, pools, begin } = deps

    const poolVerb =
        (
            verb: { kind: string; title: string; sentence: string },
            check: (name: string) => void,
            work: (name: string) => Promise<void>,
        ) =>
        async (request: { pool: string; dryRun: boolean }, context: HandlerContext) => {
            await inventory.ready()
            const { name } = inventory.pool(request.pool)
            check(name)
            return begin(context, {
                spec: { kind: `image.${verb.kind}`, title: `${verb.title} ${name}`, on: onPool(name) },
                object: name,
                plan: [{ sentence: `${verb.sentence} ${name}` }],
                dryRun: request.dryRun,
                work: () => work(name),
            })
        }

    return {
        listPools: async () => {
            await inventory.ready()
            return { pools: inventory.pools().map(poolMessage) }
        },
        async createPool(request, context) {
            const { name, path } = request
            await pools.check({ name, path })
            return begin(context, {
                spec: { kind: 'image.pool.create', title: `Create pool ${name}`, on: onPool(name) },
                object: name,
                plan: [
                    {
                        sentence: `Make the folder ${path} where it is missing, and the pool ${name} on it, started with the node`,
                    },
                ],
                dryRun: request.dryRun,
                work: task => pools.create({ name, path }, step => task.undo(step)),
            })
        },
        startPool: poolVerb(
            { kind: 'pool.start', title: 'Start pool', sentence: 'Start the pool' },
            () => {},
            pools.start,
        ),
        stopPool: poolVerb(
            { kind: 'pool.stop', title: 'Stop pool', sentence: 'Stop the pool' },
            pools.checkStop,
            pools.stop,
        ),
        refreshPool: poolVerb(
            { kind: 'pool.refresh', title: 'Look through pool', sentence: 'Look through the pool' },
            () => {},
            pools.refresh,
        ),
        deletePool: poolVerb(
            {
                kind: 'pool.delete',
                title: 'Forget pool',
                sentence: 'Forget, and leave all volumes where they are, the pool',
            },
            pools.checkStop,
            pools.remove,
        ),
    }
}
