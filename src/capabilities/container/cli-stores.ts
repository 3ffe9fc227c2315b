// The verbs of `debvisor container` for images, volumes and networks of containers; those of registries stand beside.
import { create } from '@bufbuild/protobuf'
import { formatBytes } from '../../base/units.ts'
import {
    ContainerImageService,
    ContainerNetworkService,
    ContainerVolumeService,
    ListContainerNetworksResponseSchema,
    ListContainerVolumesResponseSchema,
    ListImagesResponseSchema,
} from '../../gen/proto/capabilities/container/stores_pb.js'
import { carryOut } from '../change.ts'
import type { Argument, Verb } from '../verb.ts'
import { registryVerbs } from './cli-registries.ts'
import { CONTAINER, timeWord } from './cli-words.ts'

const IMAGE: Argument = { name: 'image', summary: 'such as registry.example.org/app:2', complete: 'container-image' }
const VOLUME: Argument = { name: 'volume', summary: 'name of the volume', complete: 'container-volume' }
const NETWORK: Argument = { name: 'network', summary: 'name or id', complete: 'container-network' }

const onImage = (verb: 'pull' | 'push', summary: string, note: string): Verb => ({
    words: ['container', verb],
    summary,
    arguments: [IMAGE],
    changes: true,
    examples: [{ line: `debvisor container ${verb} registry.example.org/app:2`, note }],
    run: context =>
        carryOut(context, {
            call: dryRun => context.client(ContainerImageService)[verb]({ reference: context.args.image, dryRun }),
        }),
})

const join = (verb: 'connect' | 'disconnect', summary: string): Verb => ({
    words: ['container', verb],
    summary,
    arguments: [CONTAINER, NETWORK],
    changes: true,
    examples: [{ line: `debvisor container ${verb} web backend`, note: 'Also while it runs.' }],
    run: context =>
        carryOut(context, {
            call: dryRun =>
                context
                    .client(ContainerNetworkService)
                    [verb]({ container: context.args.container, network: context.args.network, dryRun }),
        }),
})

const imageVerbs: Verb[] = [
    {
        words: ['container', 'images'],
        summary: 'list the images that containers are made of',
        description: 'Disk images of VMs are listed by: debvisor image list',
        examples: [{ line: 'debvisor container images --wide', note: 'With their ids, and who uses them.' }],
        async run(context) {
            const { images } = await context.client(ContainerImageService).list({})
            return {
                kind: 'table',
                columns: [
                    { key: 'name', label: 'IMAGE' },
                    { key: 'size', label: 'SIZE', align: 'right' },
                    { key: 'created', label: 'CREATED' },
                    { key: 'used', label: 'CONTAINERS' },
                    { key: 'id', label: 'ID', wide: true },
                ],
                rows: images.map(image => ({
                    name: image.references.join(', ') || '(no name)',
                    size: formatBytes(Number(image.sizeBytes)),
                    created: timeWord(image.created),
                    used: image.usedBy.join(', '),
                    id: image.id.replace('sha256:', '').slice(0, 12),
                })),
                empty: 'There is no image. Pull one with: debvisor container pull NAME:TAG',
                json: context.json(ListImagesResponseSchema, create(ListImagesResponseSchema, { images })),
            }
        },
    },
    onImage('pull', 'pull an image from its registry', 'With the credentials of that registry, where they are set.'),
    onImage(
        'push',
        'push an image to the registry that its name begins with',
        'Name it first: debvisor container tag.',
    ),
    {
        words: ['container', 'tag'],
        summary: 'give an image another name',
        arguments: [IMAGE, { name: 'new-name', summary: 'such as registry.example.org/app:3' }],
        changes: true,
        examples: [{ line: 'debvisor container tag app:3 registry.example.org/app:3', note: 'Then it can be pushed.' }],
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context
                        .client(ContainerImageService)
                        .tag({ reference: context.args.image, newReference: context.args['new-name'], dryRun }),
            }),
    },
    {
        words: ['container', 'image-remove'],
        summary: 'take a name of an image away; with the last one the image',
        arguments: [IMAGE],
        changes: true,
        examples: [{ line: 'debvisor container image-remove app:1', note: 'Refused while a container stands on it.' }],
        run: context =>
            carryOut(context, {
                call: dryRun => context.client(ContainerImageService).remove({ reference: context.args.image, dryRun }),
                consent: context.args.image,
            }),
    },
]

const volumeVerbs: Verb[] = [
    {
        words: ['container', 'volumes'],
        summary: "list Docker's volumes",
        examples: [{ line: 'debvisor container volumes', note: 'Which containers name each?' }],
        async run(context) {
            const { volumes } = await context.client(ContainerVolumeService).list({})
            return {
                kind: 'table',
                columns: [
                    { key: 'name', label: 'VOLUME' },
                    { key: 'stack', label: 'STACK' },
                    { key: 'used', label: 'CONTAINERS' },
                    { key: 'created', label: 'CREATED' },
                    { key: 'driver', label: 'DRIVER', wide: true },
                    { key: 'host', label: 'REACHES THE NODE', wide: true },
                ],
                rows: volumes.map(volume => ({
                    ...{ name: volume.name, stack: volume.stack, used: volume.usedBy.join(', ') },
                    ...{ created: timeWord(volume.created), driver: volume.driver },
                    host: volume.reachesHost ? 'yes' : '',
                })),
                empty: 'There is no volume. A container makes those that it names.',
                json: context.json(
                    ListContainerVolumesResponseSchema,
                    create(ListContainerVolumesResponseSchema, { volumes }),
                ),
            }
        },
    },
    {
        words: ['container', 'volume-create'],
        summary: 'make a volume',
        arguments: [{ name: 'name', summary: 'name of the volume' }],
        changes: true,
        examples: [{ line: 'debvisor container volume-create site', note: 'In the folder of Docker.' }],
        run: context =>
            carryOut(context, {
                call: dryRun => context.client(ContainerVolumeService).create({ name: context.args.name, dryRun }),
            }),
    },
    {
        words: ['container', 'volume-remove'],
        summary: 'remove a volume that no container names, with all that is in it',
        arguments: [VOLUME],
        changes: true,
        examples: [{ line: 'debvisor container volume-remove site', note: 'Asks for its name first.' }],
        run: context =>
            carryOut(context, {
                call: dryRun => context.client(ContainerVolumeService).remove({ name: context.args.volume, dryRun }),
                consent: context.args.volume,
            }),
    },
]

const networkVerbs: Verb[] = [
    {
        words: ['container', 'networks'],
        summary: "list Docker's networks",
        description: 'Networks that VMs join are listed by: debvisor network list',
        examples: [{ line: 'debvisor container networks', note: 'Who is on each?' }],
        async run(context) {
            const { networks } = await context.client(ContainerNetworkService).list({})
            return {
                kind: 'table',
                columns: [
                    { key: 'name', label: 'NETWORK' },
                    { key: 'driver', label: 'DRIVER' },
                    { key: 'subnets', label: 'SUBNETS' },
                    { key: 'internal', label: 'INTERNAL' },
                    { key: 'stack', label: 'STACK' },
                    { key: 'used', label: 'CONTAINERS' },
                ],
                rows: networks.map(network => ({
                    ...{ name: network.name, driver: network.driver, subnets: network.subnets.join(', ') },
                    ...{ internal: network.internal ? 'yes' : '', stack: network.stack },
                    used: network.usedBy.join(', '),
                })),
                json: context.json(
                    ListContainerNetworksResponseSchema,
                    create(ListContainerNetworksResponseSchema, { networks }),
                ),
            }
        },
    },
    {
        words: ['container', 'network-create'],
        summary: 'make a network for containers',
        arguments: [{ name: 'name', summary: 'name of the network' }],
        options: [
            { name: 'internal', summary: 'nothing in it reaches the outside' },
            { name: 'subnet', value: 'CIDR', summary: 'such as 172.30.0.0/24; otherwise Docker chooses' },
        ],
        changes: true,
        examples: [{ line: 'debvisor container network-create backend --internal', note: 'For a database, say.' }],
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(ContainerNetworkService).create({
                        name: context.args.name,
                        internal: context.options.internal !== undefined,
                        subnet: context.options.subnet,
                        dryRun,
                    }),
            }),
    },
    {
        words: ['container', 'network-remove'],
        summary: 'remove a network that no container is on',
        arguments: [NETWORK],
        changes: true,
        examples: [{ line: 'debvisor container network-remove backend', note: 'Refused while a container is on it.' }],
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(ContainerNetworkService).remove({ network: context.args.network, dryRun }),
            }),
    },
    join('connect', 'put a container on a network too'),
    join('disconnect', 'take a container off a network'),
]

export const storeVerbs: Verb[] = [...imageVerbs, ...volumeVerbs, ...networkVerbs, ...registryVerbs]
