// The networks that VMs join, over the API: libvirt's own with their leases and users, and the bridges of the host.
import { create } from '@bufbuild/protobuf'
import type { ConnectRouter } from '@connectrpc/connect'
import type { Finding } from '../../base/finding.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import { networkRef } from '../../drivers/libvirt/refs.ts'
import type { Tasks } from '../../engine/task.ts'
import { BegunSchema } from '../../gen/proto/capabilities/debvisor_pb.js'
import {
    BridgeSchema,
    LeaseSchema,
    type Network,
    NetworkSchema,
    NetworkService,
} from '../../gen/proto/capabilities/network/network_pb.js'
import type { Clock, Log, Probe } from '../../ports/ports.ts'
import { callerOf } from '../caller.ts'
import type { Capability } from '../capability.ts'
import { formatCidr } from './cidr.ts'
import { createNetworkInventory, type SeenNetwork } from './inventory.ts'
import { readLinks } from './links.ts'
import { type Answer, createOperations, type NetworkUsers } from './operations.ts'

export type { NetworkUsers } from './operations.ts'

export interface NetworkDeps {
    libvirt: LibvirtLink
    tasks: Tasks
    probe: Probe
    clock: Clock
    log: Log
    users: NetworkUsers
}

/** The capability. It follows libvirt from now on. */
export function createNetwork(deps: NetworkDeps): Capability {
    const { libvirt, probe } = deps
    const inventory = createNetworkInventory(deps)
    const operations = createOperations({ ...deps, inventory })

    const toProto = (network: SeenNetwork, more: Partial<Network> = {}): Network =>
        create(NetworkSchema, {
            ...{ uuid: network.uuid, name: network.name, active: network.active, autostart: network.autostart },
            ...{ persistent: network.persistent, mode: network.mode, bridge: network.bridge, domain: network.domain },
            addresses: network.subnets.map(formatCidr),
            ...{ dhcpStart: network.ranges[0]?.start ?? '', dhcpEnd: network.ranges.at(-1)?.end ?? '' },
            usedBy: operations.usersOf(network).map(user => user.name),
            ...(more as object),
        })

    async function leasesOf(network: SeenNetwork) {
        if (!network.active || network.ranges.length === 0) return []
        const ask = { net: networkRef(network), mac: null, need_results: 1, flags: 0 }
        // Without them the rest is still worth having.
        const { leases } = await libvirt
            .connection()
            .call('networkGetDHCPLeases', ask)
            .catch(() => ({ leases: [] }))
        return leases.map(({ mac, ipaddr, hostname, expirytime }) =>
            create(LeaseSchema, { mac: mac ?? '', address: ipaddr, hostname: hostname ?? '', expiresUnix: expirytime }),
        )
    }

    async function bridges() {
        const [links, networks] = await Promise.all([readLinks(probe), inventory.list().catch(() => [])])
        const ownerOf = (bridge: string) => networks.find(n => n.bridge === bridge && n.mode !== 'bridge')?.name ?? ''
        return links
            .filter(link => link.isBridge)
            .map(link =>
                create(BridgeSchema, {
                    ...{ name: link.name, up: link.up, mtu: link.mtu, mac: link.mac, vlanAware: link.vlanAware },
                    ports: links.filter(port => port.master === link.name).map(port => port.name),
                    addresses: link.subnets.map(formatCidr),
                    network: ownerOf(link.name),
                }),
            )
    }

    return {
        name: 'network',
        services: (router: ConnectRouter) =>
            router.service(NetworkService, {
                list: async () => ({ networks: (await inventory.list()).map(n => toProto(n)) }),
                watch: async function* (_, context) {
                    await inventory.list()
                    for await (const change of inventory.watch(context.signal)) {
                        if (change.synced) {
                            yield { synced: true }
                            continue
                        }
                        const { network, removed, existing } = change
                        const gone = create(NetworkSchema, { uuid: network.uuid, name: network.name })
                        yield { network: removed ? gone : toProto(network), removed, existing }
                    }
                },
                get: async ({ network: ref }) => {
                    const { uuid } = await inventory.find(ref)
                    // Asked for one, it is worth asking libvirt; while that is away, what is known is better than nothing.
                    if (libvirt.up) await inventory.refresh(uuid)
                    const network = await inventory.find(uuid)
                    const more = { xml: network.xml, leases: libvirt.up ? await leasesOf(network) : [] }
                    return { network: toProto(network, more as Partial<Network>) }
                },
                create: async (request, context) => {
                    const { name, mode, address, dhcp, dhcpStart, dhcpEnd, bridge, domain } = request
                    const want = {
                        name,
                        mode,
                        address,
                        dhcp,
                        dhcpStart,
                        dhcpEnd,
                        bridge,
                        domain,
                        autostart: !request.noAutostart,
                    }
                    const user = callerOf(context).user
                    return toBegun(await operations.create(want, { user, dryRun: request.dryRun }))
                },
                start: async ({ network, dryRun }, context) =>
                    toBegun(await operations.start(network, { user: callerOf(context).user, dryRun })),
                stop: async ({ network, force, dryRun }, context) =>
                    toBegun(await operations.stop(network, force, { user: callerOf(context).user, dryRun })),
                update: async ({ network, autostart, dryRun }, context) =>
                    toBegun(await operations.update(network, autostart, { user: callerOf(context).user, dryRun })),
                delete: async ({ network, dryRun }, context) =>
                    toBegun(await operations.remove(network, { user: callerOf(context).user, dryRun })),
                listBridges: async () => ({ bridges: await bridges() }),
            }),
        close: async () => inventory.close(),
    }
}

const toBegun = ({ task, object, plan, findings }: Answer) =>
    create(BegunSchema, { task, object, plan, findings: findings.map(toFinding) })

const toFinding = ({ severity, code, at, summary, detail = '', fix = '' }: Finding) => ({
    ...{ severity, code, at, summary, detail, fix },
})
