// What is wrong with a network section in itself: names, places of NICs, addresses, gateways, sizes. Pure.
import type { Finding } from '../../../base/finding.ts'
import * as cidr from '../cidr.ts'
import { type Ipv4Spec, type Ipv6Spec, type NetworkSpec, vlanName } from './spec.ts'

/** Names that libvirt, Docker, Kubernetes and the kernel give to what they make. */
const TAKEN = /^(lo$|virbr|vnet|docker|br-|veth|cali|cni|tunl|vxlan|flannel|tap|tun|wg|bonding_masters$)/

interface One {
    at: string
    name: string
    ipv4: Ipv4Spec
    ipv6: Ipv6Spec
    mtu?: number
}

/** Everything that has a name of its own, with where it stands. */
const named = (spec: NetworkSpec): One[] => [
    ...spec.bridges.map((one, i) => ({ ...one, at: `network.bridges[${i}]` })),
    ...spec.bonds.map((one, i) => ({ ...one, at: `network.bonds[${i}]` })),
    ...spec.vlans.map((one, i) => ({ ...one, name: vlanName(one), at: `network.vlans[${i}]` })),
    ...spec.nics.map((one, i) => ({ ...one, at: `network.nics[${i}]` })),
]

type Words = Pick<Finding, 'summary' | 'detail' | 'fix'>
type Add = (at: string, code: string, words: Words, severity?: Finding['severity']) => void

/** What a schema alone cannot say. */
export function checkNetworkSpec({ network }: { network?: NetworkSpec }): Finding[] {
    if (!network) return []
    const findings: Finding[] = []
    const add: Add = (at, code, words, severity = 'error') => void findings.push({ severity, code, at, ...words })
    const all = named(network)
    checkNames(network, all, add)
    checkPlaces(network, all, add)
    for (const one of all) checkAddresses(one, add)
    checkTogether(network, all, add)
    checkSizes(network, add)
    return findings
}

function checkNames({ vlans }: NetworkSpec, all: readonly One[], add: Add): void {
    const seen = new Map<string, string>()
    for (const { name, at } of all) {
        const other = seen.get(name)
        if (other)
            add(`${at}.name`, 'name-twice', {
                summary: 'Two parts of the network have one name',
                detail: `${name} is ${other} as well`,
                fix: 'Give each a name of its own.',
            })
        seen.set(name, at)
        if (TAKEN.test(name))
            add(`${at}.name`, 'name-taken', {
                summary: 'That name is one that others give by themselves',
                detail: `${name}: libvirt, Docker, Kubernetes or the kernel would make one like it`,
                fix: 'Choose another, such as br1.',
            })
        if (name.length > 15)
            add(at, 'name-long', {
                summary: 'The name of an interface is too long',
                detail: `${name} has ${name.length} characters; 15 are allowed`,
                fix: 'Give it a name.',
            })
    }
    const ids = new Map<string, number>()
    for (const [i, { id, on }] of vlans.entries()) {
        const key = `${id} on ${on}`
        if (ids.has(key))
            add(`network.vlans[${i}].id`, 'vlan-twice', {
                summary: 'A VLAN is there twice',
                detail: key,
                fix: 'Give it all its addresses in one place.',
            })
        ids.set(key, i)
    }
}

/** A NIC has one place: a bridge, a bond, or addresses of its own. */
function checkPlaces({ bridges, bonds, vlans, nics }: NetworkSpec, all: readonly One[], add: Add): void {
    const places = new Map<string, string>()
    const put = (name: string, at: string, place: string) => {
        const other = places.get(name)
        if (other)
            add(at, 'nic-twice', {
                summary: 'A NIC can be in one place only',
                detail: `${name} is in ${other} and in ${place}`,
                fix: 'Take it out of one of them.',
            })
        else places.set(name, place)
    }
    const isBond = (name: string) => bonds.some(one => one.name === name)
    const others = new Set([...bridges.map(one => one.name), ...vlans.map(vlanName)])
    for (const [i, { members, name }] of bonds.entries())
        for (const [j, member] of members.entries()) {
            const at = `network.bonds[${i}].members[${j}]`
            put(member, at, name)
            if (others.has(member) || isBond(member)) noNic(at, member, 'A bond is made of NICs', add)
        }
    for (const [i, { ports, name }] of bridges.entries())
        if (ports !== 'primary')
            for (const [j, port] of ports.entries()) {
                const at = `network.bridges[${i}].ports[${j}]`
                put(port, at, name)
                if (others.has(port)) noNic(at, port, 'Ports of a bridge are NICs and bonds', add)
            }
    const primaries = bridges.flatMap(({ ports }, i) => (ports === 'primary' ? [i] : []))
    for (const i of primaries.slice(1))
        add(`network.bridges[${i}].ports`, 'primary-twice', {
            summary: 'Only one bridge can have the primary NIC',
            detail: `${bridges[primaries[0]!]!.name} and ${bridges[i]!.name}`,
            fix: 'Name the NICs of the other one; [] for none.',
        })
    for (const { name, at, ipv4, ipv6 } of all) {
        const place = places.get(name)
        if (place && (ipv4 !== 'off' || ipv6 !== 'off'))
            add(at, 'address-of-port', {
                summary: 'What is in a bridge or bond has no address of its own',
                detail: `${name} is in ${place}`,
                fix: `Give the address to ${place}.`,
            })
    }
    for (const [i, { on }] of vlans.entries()) {
        const at = `network.vlans[${i}].on`
        const place = places.get(on)
        if (place)
            add(at, 'vlan-on-port', {
                summary: 'A VLAN cannot be on what is in a bridge or bond',
                detail: `${on} is in ${place}`,
                fix: `Put it on ${place}.`,
            })
        if (vlans.some(other => vlanName(other) === on)) noNic(at, on, 'A VLAN is on a NIC, bond or bridge', add)
    }
    for (const [i, { mac, path, name }] of nics.entries()) {
        if (mac && path)
            add(`network.nics[${i}].path`, 'pin-twice', {
                summary: 'A card is told by its address or by its slot, not by both',
                detail: name,
                fix: 'Leave one of them out.',
            })
        const same = nics.findIndex(
            other => (mac && other.mac?.toLowerCase() === mac.toLowerCase()) || (path && other.path === path),
        )
        if (same >= 0 && same < i)
            add(`network.nics[${i}].${mac ? 'mac' : 'path'}`, 'card-twice', {
                summary: 'One card has two names',
                detail: `${nics[same]!.name} and ${name}`,
                fix: 'Keep one.',
            })
    }
}

const noNic = (at: string, name: string, summary: string, add: Add) =>
    add(at, 'not-a-nic', { summary, detail: `${name} is something else here`, fix: 'Name a NIC; ip link lists them.' })

function checkAddresses({ at, ipv4, ipv6, mtu }: One, add: Add): void {
    for (const [key, told] of [
        ['ipv4', ipv4],
        ['ipv6', ipv6],
    ] as const) {
        if (typeof told === 'string') continue
        const subnets = told.addresses.map(text => cidr.parseCidr(text))
        for (const [i, subnet] of subnets.entries()) {
            const text = told.addresses[i]!
            const where = `${at}.${key}.addresses[${i}]`
            const special = subnet && cidr.specialUse({ ...subnet, first: subnet.address, last: subnet.address })
            if (!subnet || special)
                add(where, 'address-special', {
                    summary: 'A machine cannot have that address',
                    detail: `${text} is ${special ?? 'none'}`,
                    fix: 'Give an address of your network.',
                })
            else if (isEdge(subnet))
                add(where, 'address-unusable', {
                    summary: 'A machine cannot have the first or the last address of a network',
                    detail: text,
                    fix: `Take one in between, such as ${cidr.formatAddress(subnet.version, subnet.first + 2n)}/${subnet.prefix}.`,
                })
        }
        if (told.gateway === undefined) continue
        const gateway = cidr.parseAddress(told.gateway)
        const linkLocal = gateway?.version === 6 && gateway.value >> 118n === 0x3fan
        if (!linkLocal && !subnets.some(subnet => subnet && gateway && cidr.contains(subnet, gateway)))
            add(`${at}.${key}.gateway`, 'gateway-outside', {
                summary: 'The gateway is in none of the networks of this interface',
                detail: `${told.gateway} is not in ${told.addresses.join(', ')}`,
                fix: 'Give the router of that network, or correct the length of the address.',
            })
        else if (subnets.some(subnet => subnet?.address === gateway?.value))
            add(`${at}.${key}.gateway`, 'gateway-own', {
                summary: 'The gateway is this machine itself',
                detail: told.gateway,
                fix: 'Give the address of the router.',
            })
    }
    if (mtu !== undefined && mtu < 1280 && ipv6 !== 'off')
        add(`${at}.mtu`, 'mtu-ipv6', {
            summary: 'IPv6 needs packets of 1280 bytes',
            detail: `mtu is ${mtu}`,
            fix: 'Use a larger mtu, or ipv6: off.',
        })
}

const isEdge = (subnet: cidr.Subnet) =>
    subnet.version === 4 && subnet.prefix < 31 && (subnet.address === subnet.first || subnet.address === subnet.last)

/** What several interfaces do to one another. */
function checkTogether({ dns }: NetworkSpec, all: readonly One[], add: Add): void {
    for (const key of ['ipv4', 'ipv6'] as const) {
        const fixed = all.flatMap(one => (typeof one[key] === 'object' ? [{ ...one, told: one[key] }] : []))
        const routers = fixed.filter(({ told }) => told.gateway !== undefined)
        for (const { at } of routers.slice(1))
            add(`${at}.${key}.gateway`, 'gateway-twice', {
                summary: 'Only one interface can have the gateway',
                detail: routers.map(({ name }) => name).join(', '),
                fix: 'Leave it out where the rest of the world is not reached.',
            })
        const subnets = fixed.flatMap(({ name, at, told }) =>
            told.addresses.flatMap((text, i) => ({
                name,
                subnet: cidr.parseCidr(text),
                where: `${at}.${key}.addresses[${i}]`,
            })),
        )
        for (const [i, { name, subnet, where }] of subnets.entries()) {
            const other = subnets
                .slice(0, i)
                .find(one => one.name !== name && one.subnet && subnet && cidr.overlaps(one.subnet, subnet))
            if (other)
                add(where, 'network-twice', {
                    summary: 'Two interfaces are in the same network',
                    detail: `${name} and ${other.name}: answers would leave by either of them`,
                    fix: 'Use a bridge or a bond, or another network.',
                })
        }
    }
    if (all.some(one => one.ipv4 === 'dhcp' || one.ipv6 === 'dhcp' || one.ipv6 === 'auto')) return
    if (all.some(one => typeof one.ipv4 === 'object' && one.ipv4.gateway) && dns.servers.length === 0)
        add(
            'network.dns.servers',
            'no-dns',
            {
                summary: 'No name server is named, and no DHCP tells one',
                detail: 'names cannot be looked up',
                fix: 'List the name servers.',
            },
            'warning',
        )
}

function checkSizes(spec: NetworkSpec, add: Add): void {
    const sizes = new Map(named(spec).map(({ name, mtu }) => [name, mtu]))
    for (const [i, { mtu, on }] of spec.vlans.entries()) {
        const below = sizes.get(on) ?? 1500
        if (mtu === undefined || mtu <= below) continue
        add(`network.vlans[${i}].mtu`, 'mtu-below', {
            summary: 'The packets of a VLAN are larger than what carries it takes',
            detail: `${mtu} on ${on} with ${below}`,
            fix: `Give ${on} an mtu of ${mtu} as well.`,
        })
    }
    for (const [i, { mtu = 1500, ports }] of spec.bridges.entries()) {
        if (ports === 'primary') continue
        for (const port of ports) {
            const size = sizes.get(port)
            if (size === undefined || size >= mtu) continue
            add(`network.bridges[${i}].mtu`, 'mtu-below', {
                summary: 'The packets of a bridge are larger than what its port takes',
                detail: `${mtu} on ${port} with ${size}`,
                fix: `Leave out the mtu of ${port}: it gets that of the bridge.`,
            })
        }
    }
}
