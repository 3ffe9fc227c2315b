// The verbs of `debvisor image` and `debvisor pool`: images, ISO files, disks, and the pools that hold them.
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { formatBytes, parseSizeBytes } from '../../base/units.ts'
import {
    GetVolumeResponseSchema,
    ImageService,
    ListPoolsResponseSchema,
    ListVolumesResponseSchema,
} from '../../gen/proto/capabilities/image/image_pb.js'
import { carryOut } from '../change.ts'
import type { Argument, Verb, VerbContext } from '../verb.ts'
import { importTarget, splitVolume } from './cli-words.ts'

const VOLUME: Argument = { name: 'volume', summary: 'POOL/VOLUME', complete: 'volume' }
const POOL: Argument = { name: 'pool', summary: 'name of the pool', complete: 'pool' }
const FORMATS = ['qcow2', 'raw', 'vmdk', 'vdi', 'vhdx'] as const

const pools = (
    method: 'startPool' | 'stopPool' | 'refreshPool' | 'deletePool',
    word: string,
    summary: string,
    question?: string,
): Verb => ({
    words: ['pool', word],
    summary,
    arguments: [POOL],
    changes: true,
    run: context =>
        carryOut(context, {
            call: dryRun => context.client(ImageService)[method]({ pool: context.args.pool, dryRun }),
            question,
        }),
})

export const imageVerbs: Verb[] = [
    {
        words: ['image', 'list'],
        summary: 'list images, ISO files and disks',
        options: [{ name: 'pool', value: 'POOL', summary: 'only of that pool', complete: 'pool' }],
        async run(context) {
            const answer = await context.client(ImageService).listVolumes({ pool: context.options.pool ?? '' })
            return {
                kind: 'table',
                columns: [
                    { key: 'volume', label: 'VOLUME' },
                    { key: 'format', label: 'FORMAT' },
                    { key: 'capacity', label: 'SIZE', align: 'right' },
                    { key: 'allocation', label: 'USED', align: 'right' },
                    { key: 'usedBy', label: 'USED BY' },
                    { key: 'backing', label: 'STANDS ON', wide: true },
                    { key: 'path', label: 'PATH', wide: true },
                ],
                rows: answer.volumes.map(v => ({
                    volume: `${v.pool}/${v.name}`,
                    format: v.purpose === 'iso' ? 'iso' : v.format,
                    capacity: formatBytes(Number(v.capacityBytes)),
                    allocation: formatBytes(Number(v.allocationBytes)),
                    usedBy: v.usedBy.join(', '),
                    backing: v.backing,
                    path: v.path,
                })),
                empty: 'There is no image yet. Get one with: debvisor image import URL',
                json: context.json(ListVolumesResponseSchema, answer),
            }
        },
    },
    {
        words: ['image', 'show'],
        summary: 'show one volume',
        arguments: [VOLUME],
        async run(context) {
            const answer = await context.client(ImageService).getVolume(splitVolume(context.args.volume!))
            const v = answer.volume!
            const fields = [
                { label: 'Volume', value: `${v.pool}/${v.name}` },
                { label: 'Format', value: v.format },
                { label: 'Purpose', value: v.purpose },
                { label: 'Size', value: formatBytes(Number(v.capacityBytes)) },
                { label: 'Used', value: formatBytes(Number(v.allocationBytes)) },
                { label: 'Stands on', value: v.backing },
                { label: 'Used by', value: v.usedBy.join('\n') },
                { label: 'Modified', value: v.modified ? timestampDate(v.modified).toLocaleString() : '' },
                { label: 'Path', value: v.path },
            ]
            return {
                kind: 'record',
                fields: fields.filter(f => f.value),
                json: context.json(GetVolumeResponseSchema, answer),
            }
        },
    },
    {
        words: ['image', 'create'],
        summary: 'make an empty disk',
        arguments: [VOLUME, { name: 'size', summary: 'such as 20G' }],
        options: [{ name: 'format', value: 'FORMAT', summary: 'how it is kept', choices: ['qcow2', 'raw'] }],
        changes: true,
        run(context) {
            const { pool, volume } = splitVolume(context.args.volume!)
            const capacityBytes = BigInt(parseSizeBytes(context.args.size!))
            return carryOut(context, {
                call: dryRun =>
                    context.client(ImageService).createVolume({
                        pool,
                        name: volume,
                        capacityBytes,
                        format: context.options.format ?? '',
                        dryRun,
                    }),
            })
        },
    },
    {
        words: ['image', 'import'],
        summary: 'get an image from a URL, or from a folder of the node',
        description:
            'A path has to be inside a folder that the node declares for imports. With --checksum a wrong download is refused.',
        arguments: [
            { name: 'source', summary: 'https://… or an absolute path on the node' },
            {
                name: 'volume',
                summary: 'POOL/VOLUME to make; otherwise the file name in the default pool of the node',
                optional: true,
            },
        ],
        options: [
            { name: 'format', value: 'FORMAT', summary: 'what the source is', choices: [...FORMATS, 'iso'] },
            { name: 'keep-as', value: 'FORMAT', summary: 'convert it to this', choices: ['qcow2', 'raw'] },
            { name: 'checksum', value: 'SUM', summary: 'sha256:… or sha512:…' },
            { name: 'overwrite', summary: 'replace a volume of that name that nothing stands on' },
        ],
        changes: true,
        examples: [
            {
                line: 'debvisor image import https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2 default/debian-13.qcow2',
                note: 'The image that "vm create --image default/debian-13.qcow2" starts from.',
            },
        ],
        run(context) {
            const { options, args } = context
            const to = importTarget(args.source!, args.volume)
            const overwrite = options.overwrite !== undefined
            return carryOut(context, {
                call: dryRun =>
                    context.client(ImageService).import({
                        source: args.source,
                        pool: to.pool,
                        name: to.volume,
                        format: options.format ?? '',
                        keepAs: options['keep-as'] ?? '',
                        checksum: options.checksum ?? '',
                        overwrite,
                        dryRun,
                    }),
                consent: overwrite ? (args.volume ?? to.volume) : undefined,
            })
        },
    },
    {
        words: ['image', 'clone'],
        summary: 'copy a volume, or make a linked clone of it',
        arguments: [VOLUME, { name: 'to', summary: 'POOL/VOLUME to make' }],
        options: [{ name: 'linked', summary: 'stand on the source instead of copying it' }],
        changes: true,
        run(context) {
            const to = splitVolume(context.args.to!)
            return carryOut(context, {
                call: dryRun =>
                    context.client(ImageService).cloneVolume({
                        ...splitVolume(context.args.volume!),
                        name: to.volume,
                        toPool: to.pool,
                        linked: context.options.linked !== undefined,
                        dryRun,
                    }),
            })
        },
    },
    {
        words: ['image', 'resize'],
        summary: 'grow a volume',
        arguments: [VOLUME, { name: 'size', summary: 'the new size, such as 40G' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(ImageService).resizeVolume({
                        ...splitVolume(context.args.volume!),
                        capacityBytes: BigInt(parseSizeBytes(context.args.size!)),
                        dryRun,
                    }),
            }),
    },
    convertVerb(['image', 'convert']),
    // The same under the name that people look for it.
    convertVerb(['vm', 'convert']),
    {
        words: ['image', 'delete'],
        summary: 'delete a volume that nothing stands on',
        arguments: [VOLUME],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(ImageService).deleteVolume({ ...splitVolume(context.args.volume!), dryRun }),
                consent: context.args.volume,
            }),
    },
    {
        words: ['pool', 'list'],
        summary: 'list the storage pools',
        async run(context) {
            const answer = await context.client(ImageService).listPools({})
            return {
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
                rows: answer.pools.map(p => ({
                    name: p.name,
                    state: p.active ? 'active' : 'stopped',
                    type: p.type,
                    capacity: formatBytes(Number(p.capacityBytes)),
                    available: formatBytes(Number(p.availableBytes)),
                    health: p.health,
                    path: p.path,
                })),
                empty: 'There is no pool. Make one with: debvisor pool create NAME /path/of/a/folder',
                json: context.json(ListPoolsResponseSchema, answer),
            }
        },
    },
    {
        words: ['pool', 'create'],
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
    pools('startPool', 'start', 'start a pool'),
    pools('stopPool', 'stop', 'stop a pool; its volumes stay', 'Its volumes cannot be used until it is started again.'),
    pools('refreshPool', 'refresh', 'look at the volumes of a pool anew'),
    pools(
        'deletePool',
        'delete',
        'forget a pool; its volumes stay where they are',
        'The pool is forgotten; its files stay.',
    ),
]

function convertVerb(words: Verb['words']): Verb {
    return {
        words,
        summary: 'convert a disk image to another format, beside the source',
        arguments: [VOLUME, { name: 'to', summary: 'POOL/VOLUME to make' }],
        options: [
            { name: 'format', value: 'FORMAT', summary: 'format of the new one', choices: FORMATS, default: 'qcow2' },
            {
                name: 'source-format',
                value: 'FORMAT',
                summary: 'what the source is, where its pool does not say',
                choices: FORMATS,
            },
            { name: 'overwrite', summary: 'replace a volume of that name that nothing stands on' },
        ],
        changes: true,
        run(context: VerbContext) {
            const to = splitVolume(context.args.to!)
            const overwrite = context.options.overwrite !== undefined
            return carryOut(context, {
                call: dryRun =>
                    context.client(ImageService).convert({
                        ...splitVolume(context.args.volume!),
                        name: to.volume,
                        toPool: to.pool,
                        format: context.options.format ?? 'qcow2',
                        sourceFormat: context.options['source-format'] ?? '',
                        overwrite,
                        dryRun,
                    }),
                consent: overwrite ? context.args.to : undefined,
            })
        },
    }
}
