// The verbs of `debvisor network`.
import { create } from '@bufbuild/protobuf'
import {
    type GetResponse,
    GetResponseSchema,
    ListBridgesResponseSchema,
    ListResponseSchema,
    type Network,
    NetworkService,
    type WatchResponse,
    WatchResponseSchema,
} from '../../gen/proto/capabilities/network/network_pb.js'
import { carryOut } from '../change.ts'
import { onOff } from '../value.ts'
import type { Argument, Verb, VerbContext, View } from '../verb.ts'
import { watchOne, watchRows } from '../watch.ts'

const NETWORK: Argument = { name: 'network', summary: 'name or UUID', complete: 'network' }

const table = (context: VerbContext, networks: Network[]): View => ({
    kind: 'table',
    columns: [
        { key: 'name', label: 'NAME' },
        { key: 'state', label: 'STATE' },
        { key: 'mode', label: 'MODE' },
        { key: 'bridge', label: 'BRIDGE' },
        { key: 'addresses', label: 'ADDRESSES' },
        { key: 'autostart', label: 'AUTOSTART', wide: true },
        { key: 'usedBy', label: 'USED BY', wide: true },
    ],
    rows: networks.map(n => ({
        name: n.name,
        state: n.active ? 'active' : 'stopped',
        mode: n.mode,
        bridge: n.bridge,
        addresses: n.addresses.join(', '),
        autostart: n.autostart ? 'yes' : '',
        usedBy: n.usedBy.join(', '),
    })),
    empty: 'There is no network. Make one with: debvisor network create lan --address 10.20.0.1/24 --dhcp',
    json: context.json(ListResponseSchema, create(ListResponseSchema, { networks })),
})

const details = (context: VerbContext, answer: GetResponse): View => {
    const n = answer.network!
    const fields = [
        { label: 'Name', value: n.name },
        { label: 'State', value: n.active ? 'active' : 'stopped' },
        { label: 'Mode', value: n.mode },
        { label: 'Bridge', value: n.bridge },
        { label: 'Addresses', value: n.addresses.join('\n') },
        { label: 'DHCP', value: n.dhcpStart ? `${n.dhcpStart} to ${n.dhcpEnd}` : 'no' },
        { label: 'Autostart', value: n.autostart ? 'yes' : 'no' },
        { label: 'Used by', value: n.usedBy.join('\n') },
        { label: 'Leases', value: n.leases.map(l => `${l.address}  ${l.mac}  ${l.hostname}`).join('\n') },
    ]
    return { kind: 'record', fields: fields.filter(f => f.value), json: context.json(GetResponseSchema, answer) }
}

export const networkVerbs: Verb[] = [
    {
        words: ['network', 'list'],
        summary: 'list the networks that VMs can join',
        watches: true,
        examples: [{ line: 'debvisor network list --wide', note: 'With the VMs that are on each.' }],
        async run(context) {
            const networks = context.client(NetworkService)
            if (!context.watch) return table(context, (await networks.list({})).networks)
            let synced = false
            return watchRows<WatchResponse, Network>(context, {
                changes: networks.watch({}, { signal: context.signal }),
                json: change => context.json(WatchResponseSchema, change),
                apply({ network, removed, synced: now }, rows) {
                    if (network && removed) rows.delete(network.uuid)
                    else if (network) rows.set(network.uuid, network)
                    synced ||= now
                    return synced
                },
                view: all => table(context, all),
            })
        },
    },
    {
        words: ['network', 'show'],
        summary: 'show a network with its DHCP leases',
        arguments: [NETWORK],
        watches: true,
        examples: [{ line: 'debvisor network show lan', note: 'Which address has which guest?' }],
        async run(context) {
            const networks = context.client(NetworkService)
            let uuid = ''
            const look = async () => {
                const answer = await networks.get({ network: uuid || context.args.network })
                uuid = answer.network!.uuid
                return details(context, answer)
            }
            if (!context.watch) return look()
            return watchOne(context, {
                changes: networks.watch({}, { signal: context.signal }),
                about: change => !change.existing && change.network?.uuid === uuid,
                look,
            })
        },
    },
    {
        words: ['network', 'create'],
        examples: [
            {
                line: 'debvisor network create lan --address 10.20.0.1/24 --dhcp',
                note: 'Guests reach the outside, and are reached from this host.',
            },
        ],
        summary: 'make a network',
        arguments: [{ name: 'name', summary: 'name of the network' }],
        options: [
            {
                name: 'mode',
                value: 'MODE',
                summary: 'how it reaches the outside',
                choices: ['nat', 'route', 'isolated', 'bridge'],
                default: 'nat',
            },
            { name: 'address', value: 'CIDR', summary: "the host's own address in it, such as 10.20.0.1/24" },
            { name: 'dhcp', summary: 'give addresses by DHCP' },
            { name: 'dhcp-start', value: 'ADDRESS', summary: 'first address that is given' },
            { name: 'dhcp-end', value: 'ADDRESS', summary: 'last address that is given' },
            { name: 'bridge', value: 'NAME', summary: 'bridge of the host (mode bridge)' },
            { name: 'domain', value: 'NAME', summary: 'DNS domain of the network' },
            { name: 'no-autostart', summary: 'do not start it with the host' },
        ],
        changes: true,
        run({ args, options, ...context }) {
            return carryOut(
                { args, options, ...context },
                {
                    call: dryRun =>
                        context.client(NetworkService).create({
                            name: args.name,
                            mode: options.mode ?? 'nat',
                            address: options.address ?? '',
                            dhcp: options.dhcp !== undefined || options['dhcp-start'] !== undefined,
                            dhcpStart: options['dhcp-start'] ?? '',
                            dhcpEnd: options['dhcp-end'] ?? '',
                            bridge: options.bridge ?? '',
                            domain: options.domain ?? '',
                            noAutostart: options['no-autostart'] !== undefined,
                            dryRun,
                        }),
                },
            )
        },
    },
    {
        words: ['network', 'start'],
        examples: [{ line: 'debvisor network start lan', note: 'Its bridge and its DHCP.' }],
        summary: 'start a network',
        arguments: [NETWORK],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun => context.client(NetworkService).start({ network: context.args.network, dryRun }),
            }),
    },
    {
        words: ['network', 'stop'],
        examples: [{ line: 'debvisor network stop lan', note: 'Refused while a running VM is on it.' }],
        summary: 'stop a network that no running VM is on',
        arguments: [NETWORK],
        options: [{ name: 'force', short: 'f', summary: 'even when running VMs are on it' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context
                        .client(NetworkService)
                        .stop({ network: context.args.network, force: context.options.force !== undefined, dryRun }),
                question: context.options.force ? 'Running VMs lose this network.' : undefined,
            }),
    },
    {
        words: ['network', 'set'],
        examples: [{ line: 'debvisor network set lan --autostart on', note: 'From the next start of the host on.' }],
        summary: 'change whether a network starts with the host',
        arguments: [NETWORK],
        options: [{ name: 'autostart', value: 'ON', summary: 'start it with the host', choices: ['on', 'off'] }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(NetworkService).update({
                        network: context.args.network,
                        autostart: onOff(context.options.autostart),
                        dryRun,
                    }),
            }),
    },
    {
        words: ['network', 'delete'],
        examples: [{ line: 'debvisor network delete lan --dry-run', note: 'What would go with it?' }],
        summary: 'delete a network that no VM names',
        arguments: [NETWORK],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun => context.client(NetworkService).delete({ network: context.args.network, dryRun }),
                question: `The network ${context.args.network} is deleted.`,
            }),
    },
    {
        words: ['network', 'bridges'],
        examples: [{ line: 'debvisor network bridges', note: 'What a VM can be put on with bridge:NAME.' }],
        summary: 'list the bridges of the host',
        async run(context) {
            const answer = await context.client(NetworkService).listBridges({})
            return {
                kind: 'table',
                columns: [
                    { key: 'name', label: 'NAME' },
                    { key: 'state', label: 'STATE' },
                    { key: 'mtu', label: 'MTU', align: 'right' },
                    { key: 'addresses', label: 'ADDRESSES' },
                    { key: 'ports', label: 'PORTS' },
                    { key: 'network', label: 'MADE BY' },
                ],
                rows: answer.bridges.map(b => ({
                    name: b.name,
                    state: b.up ? 'up' : 'down',
                    mtu: b.mtu,
                    addresses: b.addresses.join(', '),
                    ports: b.ports.join(', '),
                    network: b.network && `network ${b.network}`,
                })),
                empty: 'The host has no bridge.',
                json: context.json(ListBridgesResponseSchema, answer),
            }
        },
    },
]
