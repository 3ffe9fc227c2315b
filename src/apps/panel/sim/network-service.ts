// The simulated networks and bridges.
import { create } from '@bufbuild/protobuf'
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { BegunSchema } from '../../../gen/proto/capabilities/debvisor_pb.js'
import { NetworkSchema, NetworkService } from '../../../gen/proto/capabilities/network/network_pb.js'
import { changes, notFound, refuse, userOf } from './access.ts'
import type { World } from './world.ts'

export function networkService(world: World, router: ConnectRouter): void {
    const doing = (
        context: HandlerContext,
        dryRun: boolean,
        what: { title: string; key: string; effect: () => void },
    ) => {
        const plan = [{ sentence: what.title, destroys: '' }]
        if (dryRun) return create(BegunSchema, { plan })
        world.record({ who: userOf(context), what: 'network.manage', onName: what.key })
        const task = world.begin({
            kind: 'network.manage',
            title: what.title,
            owner: userOf(context),
            durationMs: 300,
            effect: () => {
                what.effect()
                world.say({ kind: 'network', key: what.key })
                return undefined
            },
        })
        return create(BegunSchema, { task: task.id, plan })
    }
    const need = (ref: string) =>
        [...world.networks.values()].find(n => n.uuid === ref || n.name === ref) ?? notFound('network', ref)
    router.service(NetworkService, {
        list: () => ({ networks: [...world.networks.values()] }),
        async *watch(_request, context) {
            for (const network of world.networks.values()) yield { network, existing: true }
            yield { synced: true }
            for await (const batch of changes(world, ['network'], context.signal)) {
                for (const { key } of batch) {
                    const network = world.networks.get(key)
                    yield network ? { network } : { removed: true, network: { uuid: key, name: key } }
                }
            }
        },
        get: request => ({ network: need(request.network) }),
        create: (request, context) => {
            if (world.networks.has(request.name))
                refuse(Code.AlreadyExists, {
                    code: 'exists',
                    summary: 'There is already a network of this name',
                    detail: request.name,
                    fix: 'Choose another name.',
                })
            if (request.mode !== 'bridge' && !/^\d+(\.\d+){3}\/\d+$/.test(request.address))
                refuse(Code.InvalidArgument, {
                    code: 'invalid',
                    summary: 'That is no address with a prefix',
                    detail: request.address,
                    fix: 'Write it such as 10.20.0.1/24.',
                    at: 'address',
                })
            return doing(context, request.dryRun, {
                title: `Create network ${request.name}`,
                key: request.name,
                effect: () =>
                    world.networks.set(
                        request.name,
                        create(NetworkSchema, {
                            uuid: request.name,
                            name: request.name,
                            active: true,
                            autostart: !request.noAutostart,
                            mode: request.mode,
                            addresses: request.address ? [request.address] : [],
                            bridge: request.bridge || 'virbr9',
                        }),
                    ),
            })
        },
        start: (request, context) =>
            doing(context, request.dryRun, {
                title: `Start ${need(request.network).name}`,
                key: need(request.network).name,
                effect: () => void (need(request.network).active = true),
            }),
        stop: (request, context) =>
            doing(context, request.dryRun, {
                title: `Stop ${need(request.network).name}`,
                key: need(request.network).name,
                effect: () => void (need(request.network).active = false),
            }),
        update: (request, context) =>
            doing(context, request.dryRun, {
                title: `Change ${need(request.network).name}`,
                key: need(request.network).name,
                effect: () => void (need(request.network).autostart = request.autostart ?? false),
            }),
        delete: (request, context) => {
            const network = need(request.network)
            if (network.usedBy.length > 0)
                refuse(Code.FailedPrecondition, {
                    code: 'precondition',
                    summary: 'The network is in use',
                    detail: network.usedBy.slice(0, 5).join(', '),
                    fix: 'Put those machines on another network first.',
                })
            return doing(context, request.dryRun, {
                title: `Delete network ${network.name}`,
                key: network.name,
                effect: () => void world.networks.delete(network.name),
            })
        },
        listBridges: () => ({
            bridges: [
                {
                    name: 'br0',
                    up: true,
                    mtu: 1500,
                    mac: '52:54:00:aa:00:01',
                    ports: ['eno1'],
                    addresses: ['192.0.2.10/24'],
                    network: '',
                },
                {
                    name: 'virbr0',
                    up: true,
                    mtu: 1500,
                    mac: '52:54:00:aa:00:02',
                    ports: ['vnet1', 'vnet2'],
                    addresses: ['192.168.122.1/24'],
                    network: 'default',
                },
            ],
        }),
    })
}
