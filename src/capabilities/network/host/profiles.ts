// The profiles that NetworkManager is to have: one an interface, as the text of its keyfile. Pure.
import * as cidr from '../cidr.ts'
import { type Ipv4Spec, type Ipv6Spec, type NetworkSpec, vlanName } from './spec.ts'

export type Kind = 'bridge' | 'bond' | 'vlan' | 'ethernet'

export interface Profile {
    /** Of the interface. */
    name: string
    kind: Kind
    uuid: string
    /** What it is called among the profiles; its end changes with its contents, so that one sees which is loaded. */
    id: string
    /** Name of its file. */
    file: string
    content: string
    /** The bridge or bond that it is in. */
    controller?: string
    /** NICs and others right below it. */
    below: readonly string[]
    addresses: readonly string[]
    gateways: readonly string[]
    dhcp: boolean
    mtu?: number
}

export interface Given {
    /** NIC of the default route, for `primary`. */
    primary: string | undefined
    /** The address that a card came with. */
    macOf(nic: string): string | undefined
    uuidOf(name: string): string
    hashOf(text: string): string
}

const PREFIX = 'debvisor-'
export const isOurs = (file: string): boolean => file.startsWith(PREFIX) && file.endsWith('.nmconnection')
export const fileOf = (name: string): string => `${PREFIX}${name}.nmconnection`

/** Forever: a bridge that VMs are on must not go because DHCP does not answer. */
const NO_END = 2_147_483_647

type Section = Record<string, string | number | boolean | undefined>

/** In the order in which they are shown and written: what carries others first, then NICs. */
export function profilesOf(spec: NetworkSpec, given: Given): Profile[] {
    const { bridges, bonds, vlans, nics, dns } = spec
    const portsOf = ({ ports }: NetworkSpec['bridges'][number]) =>
        ports === 'primary' ? (given.primary ? [given.primary] : []) : ports
    const controllers = new Map<string, { name: string; kind: 'bridge' | 'bond' }>()
    for (const one of bonds) for (const nic of one.members) controllers.set(nic, { name: one.name, kind: 'bond' })
    for (const one of bridges)
        for (const port of portsOf(one)) controllers.set(port, { name: one.name, kind: 'bridge' })
    const macOf = (name: string | undefined): string | undefined => {
        const bond = bonds.find(one => one.name === name)
        return name === undefined ? undefined : bond ? macOf(bond.members[0]) : given.macOf(name)
    }
    const bridgeOf = (name: string) => bridges.find(one => one.name === controllers.get(name)?.name)
    /** A port takes what its bridge takes, a member what its bond does. */
    const mtuOf = (name: string): number | undefined => {
        const own = [...bridges, ...bonds, ...nics].find(one => one.name === name)?.mtu
        const controller = controllers.get(name)
        return own ?? (controller ? mtuOf(controller.name) : undefined)
    }
    const named = namesFor(spec)
    const make = (one: Making): Profile => {
        const controller = controllers.get(one.name)
        const bridge = bridgeOf(one.name)
        const mtu = one.mtu ?? mtuOf(one.name)
        const sections: [string, Section][] = [
            ['ethernet', { 'cloned-mac-address': one.mac, mtu }],
            ...one.sections,
            ['bridge-port', bridge?.vlanAware ? { vlans: '2-4094' } : {}],
        ]
        // A port has no addresses of its own, and NetworkManager takes no section about them.
        if (!controller) sections.push(...addressSections(one, one.name === named ? dns : undefined))
        return profile(one, { controller, sections, mtu, given })
    }
    const listed = new Set(nics.map(one => one.name))
    const plain = [...controllers.keys()].filter(name => !listed.has(name) && !bonds.some(one => one.name === name))
    return [
        ...bridges.map(one => {
            const self = vlans.filter(({ on }) => on === one.name).map(({ id }) => id)
            const aware = { 'vlan-filtering': true, ...(self.length > 0 ? { vlans: self.join(',') } : {}) }
            const bridge: Section = { stp: one.stp, ...(one.vlanAware ? aware : {}) }
            const ports = portsOf(one)
            return make({ ...one, kind: 'bridge', mac: macOf(ports[0]), below: ports, sections: [['bridge', bridge]] })
        }),
        ...bonds.map(one => {
            const bond: Section = { mode: one.mode, miimon: 100 }
            if (one.mode === 'active-backup') bond.primary = one.members[0]
            else bond.xmit_hash_policy = 'layer2+3'
            return make({ ...one, kind: 'bond', mac: macOf(one.name), below: one.members, sections: [['bond', bond]] })
        }),
        ...nics
            .filter(({ name, ipv4, ipv6, mtu }) => controllers.has(name) || ipv4 !== 'off' || ipv6 !== 'off' || mtu)
            .map(({ mac: _, ...one }) => make({ ...one, kind: 'ethernet', below: [], sections: [] })),
        ...plain.map(name => make({ name, kind: 'ethernet', below: [], sections: [], ipv4: 'off', ipv6: 'off' })),
        ...vlans.map(one => {
            const section: Section = { id: one.id, parent: one.on, flags: 1 }
            return make({ ...one, name: vlanName(one), kind: 'vlan', below: [one.on], sections: [['vlan', section]] })
        }),
    ]
}

interface Making {
    name: string
    kind: Kind
    mac?: string
    below: readonly string[]
    sections: [string, Section][]
    ipv4: Ipv4Spec
    ipv6: Ipv6Spec
    mtu?: number
}

/** The interface that names are asked over: the one with the gateway, else the first that asks for one. */
function namesFor({ bridges, bonds, nics, vlans }: NetworkSpec): string | undefined {
    const all = [...bridges, ...bonds, ...nics, ...vlans.map(one => ({ ...one, name: vlanName(one) }))]
    const has = (told: Ipv4Spec | Ipv6Spec) => typeof told === 'object' && told.gateway !== undefined
    const with_ = (test: (one: (typeof all)[number]) => boolean) => all.find(test)?.name
    return (
        with_(({ ipv4, ipv6 }) => has(ipv4) || has(ipv6)) ??
        with_(({ ipv4 }) => ipv4 === 'dhcp') ??
        with_(({ ipv4, ipv6 }) => ipv4 !== 'off' || ipv6 !== 'off')
    )
}

function addressSections({ ipv4, ipv6 }: Making, dns: NetworkSpec['dns'] | undefined): [string, Section][] {
    const names = (six: boolean, off: boolean): Section => {
        const servers = dns?.servers.filter(one => one.includes(':') === six) ?? []
        return off
            ? {}
            : {
                  dns: listOf(servers),
                  'dns-search': listOf(dns?.search ?? []),
                  // Those that the document names are the only ones.
                  'ignore-auto-dns': dns && dns.servers.length > 0 ? true : undefined,
              }
    }
    return [
        ['ipv4', { ...methodOf(ipv4, { dhcp: 'auto' }), ...names(false, ipv4 === 'off') }],
        [
            'ipv6',
            {
                ...methodOf(ipv6, { auto: 'auto', dhcp: 'dhcp' }),
                ...(ipv6 === 'off' ? {} : { 'addr-gen-mode': 'eui64' }),
                ...names(true, ipv6 === 'off'),
            },
        ],
    ]
}

const listOf = (words: readonly string[]) => (words.length > 0 ? `${words.join(';')};` : undefined)

function methodOf(told: Ipv4Spec | Ipv6Spec, words: Record<string, string>): Section {
    if (told === 'off') return { method: 'disabled' }
    if (typeof told === 'string') return { method: words[told]!, 'dhcp-timeout': NO_END }
    const addresses = told.addresses.map((text, i): [string, string] => [`address${i + 1}`, text])
    return { method: 'manual', ...Object.fromEntries(addresses), gateway: told.gateway }
}

interface Around {
    controller: { name: string; kind: 'bridge' | 'bond' } | undefined
    sections: [string, Section][]
    mtu: number | undefined
    given: Given
}

function profile(one: Making, { controller, sections, mtu, given }: Around): Profile {
    const { name, kind, ipv4, ipv6, below } = one
    const uuid = given.uuidOf(name)
    const told: [string, Section] = [
        'connection',
        {
            ...{ uuid, type: kind, 'interface-name': name },
            // Before all others that could claim the same card, and for ever.
            ...{ 'autoconnect-priority': 100, 'autoconnect-retries': 0 },
            ...(kind === 'bridge' || kind === 'bond' ? { 'autoconnect-ports': 1 } : {}),
            ...(controller ? { controller: controller.name, 'port-type': controller.kind } : {}),
        },
    ]
    const rest = [told, ...sections].map(sectionText).filter(Boolean).join('\n')
    const id = `${PREFIX}${name} ${given.hashOf(rest).slice(0, 8)}`
    const head = '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.\n'
    const tell = (from: Ipv4Spec | Ipv6Spec) => (typeof from === 'object' ? from : undefined)
    return {
        ...{ name, kind, uuid, id, file: fileOf(name), below },
        ...(controller ? { controller: controller.name } : {}),
        content: `${head}${rest.replace('[connection]\n', `[connection]\nid=${id}\n`)}`,
        addresses: controller
            ? []
            : [...(tell(ipv4)?.addresses ?? []), ...(tell(ipv6)?.addresses ?? [])].map(plainAddress),
        gateways: [tell(ipv4)?.gateway, tell(ipv6)?.gateway].flatMap(text => text ?? []),
        dhcp: !controller && ipv4 === 'dhcp',
        ...(mtu === undefined ? {} : { mtu }),
    }
}

/** As the kernel writes it. */
const plainAddress = (text: string) => {
    const subnet = cidr.parseCidr(text)
    return subnet ? cidr.formatCidr(subnet) : text
}

function sectionText([name, values]: [string, Section]): string {
    const lines = Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))
    return lines.length > 0 ? `[${name}]\n${lines.join('\n')}\n` : ''
}
