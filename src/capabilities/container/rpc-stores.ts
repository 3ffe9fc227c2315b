// The services of images, volumes, networks and registries of containers; no decisions.
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import type {
    ContainerImageService,
    ContainerNetworkService,
    ContainerRegistryService,
    ContainerVolumeService,
} from '../../gen/proto/capabilities/container/stores_pb.js'
import { callerOf } from '../caller.ts'
import { begin } from './begin.ts'
import { LABEL_STACK, moment } from './entry.ts'
import { type ImageDeps, listImages, namesOf, planPull, planPush, planRemoveImage, planTag } from './images.ts'
import type { Imports } from './imports.ts'
import { reachesHost } from './marks.ts'
import {
    BUILT_IN,
    listNetworks,
    listVolumes,
    planCreateNetwork,
    planCreateVolume,
    planJoin,
    planRemoveNetwork,
    planRemoveVolume,
    usersOfNetwork,
    usersOfVolumes,
} from './volumes.ts'

export function imageMethods(deps: ImageDeps & { imports: Imports }): ServiceImpl<typeof ContainerImageService> {
    return {
        async list() {
            const users = new Map<string, string[]>()
            for (const { name, line } of deps.inventory.list())
                users.set(line.imageId, [...(users.get(line.imageId) ?? []), name])
            const images = (await listImages(deps)).map(image => ({
                id: image.Id,
                references: namesOf(image),
                digests: (image.RepoDigests ?? []).filter(digest => !digest.startsWith('<none>')),
                sizeBytes: BigInt(image.Size),
                created: timestampFromMs(image.Created * 1000),
                usedBy: users.get(image.Id) ?? [],
            }))
            return { images: images.sort((a, b) => ((a.references[0] ?? '~') < (b.references[0] ?? '~') ? -1 : 1)) }
        },
        pull: ({ reference, dryRun }, context) =>
            begin(planPull(deps, reference), { tasks: deps.tasks, owner: callerOf(context).user, dryRun }),
        push: async ({ reference, dryRun }, context) =>
            begin(await planPush(deps, reference), { tasks: deps.tasks, owner: callerOf(context).user, dryRun }),
        tag: async ({ reference, newReference, dryRun }, context) =>
            begin(await planTag(deps, reference, newReference), {
                tasks: deps.tasks,
                owner: callerOf(context).user,
                dryRun,
            }),
        remove: async ({ reference, dryRun }, context) =>
            begin(await planRemoveImage(deps, reference), { tasks: deps.tasks, owner: callerOf(context).user, dryRun }),
        beginImport: ({ reference, sizeBytes }, context) =>
            deps.imports.begin({ reference, sizeBytes: Number(sizeBytes) }, callerOf(context).user),
    }
}

export function volumeMethods(deps: ImageDeps): ServiceImpl<typeof ContainerVolumeService> {
    return {
        async list() {
            const [all, users] = await Promise.all([listVolumes(deps), usersOfVolumes(deps)])
            const volumes = all.map(volume => ({
                name: volume.Name,
                driver: volume.Driver,
                created: moment(volume.CreatedAt),
                labels: volume.Labels ?? {},
                usedBy: users.get(volume.Name) ?? [],
                stack: volume.Labels?.[LABEL_STACK] ?? '',
                reachesHost: reachesHost(volume),
            }))
            return { volumes: volumes.sort((a, b) => (a.name < b.name ? -1 : 1)) }
        },
        async create({ name, labels, dryRun }, context) {
            const owner = callerOf(context).user
            return begin(await planCreateVolume(deps, { name, labels, owner }), { tasks: deps.tasks, owner, dryRun })
        },
        remove: async ({ name, dryRun }, context) =>
            begin(await planRemoveVolume(deps, name), { tasks: deps.tasks, owner: callerOf(context).user, dryRun }),
    }
}

export function networkMethods(deps: ImageDeps): ServiceImpl<typeof ContainerNetworkService> {
    const join =
        (verb: 'connect' | 'disconnect') =>
        async (
            { container, network, dryRun }: { container: string; network: string; dryRun: boolean },
            context: HandlerContext,
        ) =>
            begin(await planJoin(deps, deps.inventory.resolve(container), { network, verb }), {
                tasks: deps.tasks,
                owner: callerOf(context).user,
                dryRun,
            })
    return {
        async list() {
            const networks = (await listNetworks(deps)).map(network => ({
                ...{ id: network.Id, name: network.Name, driver: network.Driver, internal: network.Internal },
                subnets: (network.IPAM?.Config ?? []).flatMap(({ Subnet }) => Subnet ?? []),
                created: moment(network.Created),
                usedBy: usersOfNetwork(deps, network.Name),
                stack: network.Labels?.[LABEL_STACK] ?? '',
                builtIn: BUILT_IN.has(network.Name),
            }))
            return { networks: networks.sort((a, b) => (a.name < b.name ? -1 : 1)) }
        },
        async create({ name, internal, subnet, dryRun }, context) {
            const owner = callerOf(context).user
            return begin(await planCreateNetwork(deps, { name, internal, subnet, owner }), {
                tasks: deps.tasks,
                owner,
                dryRun,
            })
        },
        remove: async ({ network, dryRun }, context) =>
            begin(await planRemoveNetwork(deps, network), { tasks: deps.tasks, owner: callerOf(context).user, dryRun }),
        connect: join('connect'),
        disconnect: join('disconnect'),
    }
}

export function registryMethods({ registries }: ImageDeps): ServiceImpl<typeof ContainerRegistryService> {
    return {
        list: async () => ({ registries: await registries.list() }),
        async set({ registry }) {
            const { server = '', user = '', passwordFile = '' } = registry ?? {}
            await registries.set({ server, user, passwordFile })
            return {}
        },
        async remove({ server }) {
            await registries.remove(server)
            return {}
        },
    }
}
