// The verbs of `debvisor image`: images, ISO files, disks.
import { create } from '@bufbuild/protobuf'
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { formatBytes, parseSizeBytes } from '../../base/units.ts'
import {
    type GetVolumeResponse,
    GetVolumeResponseSchema,
    ImageService,
    ListVolumesResponseSchema,
    type Volume,
    type WatchResponse,
    WatchResponseSchema,
} from '../../gen/proto/capabilities/image/image_pb.js'
import { carryOut } from '../change.ts'
import type { Argument, Verb, VerbContext, View } from '../verb.ts'
import { watchOne, watchRows } from '../watch.ts'
import { importTarget, splitVolume } from './cli-words.ts'

const VOLUME: Argument = { name: 'volume', summary: 'POOL/VOLUME', complete: 'volume' }
const FORMATS = ['qcow2', 'raw', 'vmdk', 'vdi', 'vhdx'] as const

const refOf = (volume: Volume) => `${volume.pool}/${volume.name}`

const table = (context: VerbContext, volumes: Volume[]): View => ({
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
    rows: volumes.map(v => ({
        volume: `${v.pool}/${v.name}`,
        format: v.purpose === 'iso' ? 'iso' : v.format,
        capacity: formatBytes(Number(v.capacityBytes)),
        allocation: formatBytes(Number(v.allocationBytes)),
        usedBy: v.usedBy.join(', '),
        backing: v.backing,
        path: v.path,
    })),
    empty: 'There is no image yet. Get one with: debvisor image import URL',
    json: context.json(ListVolumesResponseSchema, create(ListVolumesResponseSchema, { volumes })),
})

const details = (context: VerbContext, answer: GetVolumeResponse): View => {
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
    return { kind: 'record', fields: fields.filter(x => x.value), json: context.json(GetVolumeResponseSchema, answer) }
}

export const imageVerbs: Verb[] = [
    {
        words: ['image', 'list'],
        summary: 'list images, ISO files and disks',
        options: [{ name: 'pool', value: 'POOL', summary: 'only of that pool', complete: 'pool' }],
        watches: true,
        examples: [
            { line: 'debvisor image list --pool default --wide', note: 'What stands on what, and where it lies.' },
        ],
        async run(context) {
            const { pool = '' } = context.options
            const images = context.client(ImageService)
            if (!context.watch) return table(context, (await images.listVolumes({ pool })).volumes)
            let synced = false
            return watchRows<WatchResponse, Volume>(context, {
                changes: images.watch({}, { signal: context.signal }),
                json: change => context.json(WatchResponseSchema, change),
                apply({ item, synced: now }, rows) {
                    if (item.case === 'volume') rows.set(refOf(item.value), item.value)
                    if (item.case === 'removedVolume') rows.delete(item.value)
                    synced ||= now
                    return synced
                },
                view: all =>
                    table(
                        context,
                        all
                            .filter(volume => !pool || volume.pool === pool)
                            .sort((one, other) => refOf(one).localeCompare(refOf(other))),
                    ),
            })
        },
    },
    {
        words: ['image', 'show'],
        summary: 'show one volume',
        arguments: [VOLUME],
        watches: true,
        examples: [{ line: 'debvisor image show default/debian-13.qcow2', note: 'Who stands on it?' }],
        async run(context) {
            const images = context.client(ImageService)
            const ref = splitVolume(context.args.volume!)
            const look = async () => details(context, await images.getVolume(ref))
            if (!context.watch) return look()
            return watchOne(context, {
                changes: images.watch({}, { signal: context.signal }),
                about: ({ item, existing }) =>
                    !existing &&
                    ((item.case === 'volume' && refOf(item.value) === context.args.volume) ||
                        (item.case === 'removedVolume' && item.value === context.args.volume)),
                look,
            })
        },
    },
    {
        words: ['image', 'create'],
        examples: [
            {
                line: 'debvisor image create default/data.qcow2 20G',
                note: 'Then: debvisor vm add-disk web1 existing=default/data.qcow2',
            },
        ],
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
                done: ({ object }) => `${object} is there.`,
            })
        },
    },
    {
        words: ['image', 'clone'],
        examples: [
            {
                line: 'debvisor image clone default/debian-13.qcow2 default/base.qcow2',
                note: 'A copy that stands on nothing.',
            },
        ],
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
        examples: [
            { line: 'debvisor image resize default/data.qcow2 40G', note: 'Of a running VM: debvisor vm resize-disk' },
        ],
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
        examples: [{ line: 'debvisor image delete default/old.qcow2', note: 'Asks for its name first.' }],
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
]

function convertVerb(words: Verb['words']): Verb {
    return {
        words,
        summary: 'convert a disk image to another format, beside the source',
        examples: [
            {
                line: `debvisor ${words.join(' ')} default/old.vmdk default/new.qcow2`,
                note: 'The source stays as it is.',
            },
        ],
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
