// The verbs of `debvisor pool`: the places that hold volumes.
import { create } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import { formatBytes } from '../../base/units.ts'
import {
    ImageService,
    ListPoolsResponseSchema,
    type Pool,
    PoolSchema,
    type WatchResponse,
    WatchResponseSchema,
} from '../../gen/proto/capabilities/image/image_pb.js'
import { carryOut } from '../change.ts'
import type { Argument, Verb, VerbContext, View } from '../verb.ts'
import { watchOne, watchRows } from '../watch.ts'

const POOL: Argument = { name: 'pool', summary: 'name of the pool', complete: 'pool' }

const table = (context: VerbContext, pools: Pool[]): View => ({
    kind: 'table',
    columns: [
        { key: 'name', label: 'NAME' },
        { key: 'state', label: 'STATE' },
        { key: 'type', label: 'TYPE' },
        { key: 'capacity', label: 'SIZE', align: 'right' },
        { key: 'available', label: 'FREE', align: 'right' },
        { key: 'health', label: 'HEALTH' },
        { key: 'path', label: 'PATH', wide: true },
    ],
    rows: pools.map(p => ({
        name: p.name,
        state: p.active ? 'active' : 'stopped',
        type: p.type,
        capacity: formatBytes(Number(p.capacityBytes)),
        available: formatBytes(Number(p.availableBytes)),
        health: p.health,
        path: p.path,
    })),
    empty: 'There is no pool. Make one with: debvisor pool create NAME /path/of/a/folder',
    json: context.json(ListPoolsResponseSchema, create(ListPoolsResponseSchema, { pools })),
})

function details(context: VerbContext, pool: Pool): View {
    const bytes = (count: bigint) => formatBytes(Number(count))
    const fields = [
        { label: 'Name', value: pool.name },
        { label: 'State', value: pool.active ? 'active' : 'stopped' },
        { label: 'Type', value: pool.type },
        { label: 'Size', value: bytes(pool.capacityBytes) },
        { label: 'Free', value: bytes(pool.availableBytes) },
        { label: 'Volumes', value: String(pool.volumes) },
        { label: 'Health', value: pool.health },
        { label: 'Problem', value: pool.problem },
        { label: 'Autostart', value: pool.autostart ? 'yes' : 'no' },
        { label: 'Path', value: pool.path },
        { label: 'UUID', value: pool.uuid },
    ]
    return { kind: 'record', fields: fields.filter(f => f.value), json: context.json(PoolSchema, pool) }
}

/** @throws Fault `not-found` */
async function poolNamed(context: VerbContext, name: string): Promise<Pool> {
    const { pools } = await context.client(ImageService).listPools({})
    const pool = pools.find(one => one.name === name)
    if (pool) return pool
    throw new Fault('not-found', {
        summary: 'There is no such pool',
        detail: name,
        fix: 'List them with: debvisor pool list',
        at: 'pool',
    })
}

/** The stream tells of pools and volumes; here it is about pools. */
async function* poolChanges(context: VerbContext): AsyncIterable<WatchResponse> {
    for await (const change of context.client(ImageService).watch({}, { signal: context.signal }))
        if (change.item.case !== 'volume' && change.item.case !== 'removedVolume') yield change
}

interface Words {
    summary: string
    note: string
    question?: string
}

const onPool = (
    method: 'startPool' | 'stopPool' | 'refreshPool' | 'deletePool',
    word: string,
    { summary, note, question }: Words,
): Verb => ({
    words: ['pool', word],
    summary,
    arguments: [POOL],
    examples: [{ line: `debvisor pool ${word} fast`, note }],
    changes: true,
    run: context =>
        carryOut(context, {
            call: dryRun => context.client(ImageService)[method]({ pool: context.args.pool, dryRun }),
            question,
        }),
})

export const poolVerbs: Verb[] = [
    {
        words: ['pool', 'list'],
        summary: 'list the storage pools',
        watches: true,
        examples: [{ line: 'debvisor pool list --watch', note: 'How much is free, as it changes.' }],
        async run(context) {
            const images = context.client(ImageService)
            if (!context.watch) return table(context, (await images.listPools({})).pools)
            let synced = false
            return watchRows<WatchResponse, Pool>(context, {
                changes: poolChanges(context),
                json: change => context.json(WatchResponseSchema, change),
                apply({ item, synced: now }, rows) {
                    if (item.case === 'pool') rows.set(item.value.name, item.value)
                    if (item.case === 'removedPool') rows.delete(item.value)
                    synced ||= now
                    return synced
                },
                view: all => table(context, all),
            })
        },
    },
    {
        words: ['pool', 'show'],
        summary: 'show one pool',
        arguments: [POOL],
        watches: true,
        examples: [{ line: 'debvisor pool show default', note: 'Where its volumes lie, and what is free.' }],
        async run(context) {
            const look = async () => details(context, await poolNamed(context, context.args.pool!))
            if (!context.watch) return look()
            return watchOne(context, {
                changes: poolChanges(context),
                about: ({ item, existing }) =>
                    !existing &&
                    ((item.case === 'pool' && item.value.name === context.args.pool) ||
                        (item.case === 'removedPool' && item.value === context.args.pool)),
                look,
            })
        },
    },
    {
        words: ['pool', 'create'],
        examples: [{ line: 'debvisor pool create fast /srv/fast', note: 'The folder is made when it is missing.' }],
        summary: 'make a pool on a folder of the node',
        arguments: [
            { name: 'name', summary: 'name of the pool' },
            { name: 'path', summary: 'absolute folder; made when missing' },
        ],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context
                        .client(ImageService)
                        .createPool({ name: context.args.name, path: context.args.path, dryRun }),
            }),
    },
    onPool('startPool', 'start', { summary: 'start a pool', note: 'Its volumes can be used again.' }),
    onPool('stopPool', 'stop', {
        summary: 'stop a pool; its volumes stay',
        note: 'Before its disk is taken away.',
        question: 'Its volumes cannot be used until it is started again.',
    }),
    onPool('refreshPool', 'refresh', {
        summary: 'look at the volumes of a pool anew',
        note: 'After something was copied into its folder by hand.',
    }),
    onPool('deletePool', 'delete', {
        summary: 'forget a pool; its volumes stay where they are',
        note: 'Its files can be made a pool again.',
        question: 'The pool is forgotten; its files stay.',
    }),
]
