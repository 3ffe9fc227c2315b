// Which addresses an image may be fetched from: the node never fetches from itself or its link, whoever asks.
import { BlockList, isIP } from 'node:net'
import { Fault } from '../../base/fault.ts'

const refusedAlways = new BlockList()
for (const [net, bits] of [
    ['0.0.0.0', 8],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['192.0.0.0', 24],
    ['192.88.99.0', 24],
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
] as const) {
    refusedAlways.addSubnet(net, bits, 'ipv4')
}
for (const [net, bits] of [
    ['::', 128],
    ['::1', 128],
    ['fe80::', 10],
    ['fec0::', 10],
    ['ff00::', 8],
    ['100::', 64],
    // NAT64 of the site (RFC 8215): where in it the IPv4 address stands only the site knows.
    ['64:ff9b:1::', 48],
] as const) {
    refusedAlways.addSubnet(net, bits, 'ipv6')
}

export interface AddressRules {
    /** Addresses of this node, its management ones included. */
    own: readonly string[]
    /** Networks that are refused besides, as `10.1.0.0/16`: the management networks of the site. */
    refused?: readonly string[]
    /** Addresses that are let through in spite of all: only tests set it. */
    allowed?: readonly string[]
}

/** The same networks, when each is one, as `10.1.0.0/16` or `fd00::/8`. @throws Fault `invalid` */
export function checkNetworks(networks: readonly string[]): readonly string[] {
    for (const network of networks) {
        const [, base = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(network) ?? []
        if (isIP(base) && Number(bits) <= (isIP(base) === 6 ? 128 : 32)) continue
        throw new Fault('invalid', {
            summary: 'That is not a network that can be refused to imports',
            detail: JSON.stringify(network.slice(0, 80)),
            fix: 'Write it as 10.1.0.0/16 or fd00:1::/48.',
            at: '--refuse-network',
        })
    }
    return networks
}

/** Why an address may not be fetched from, or undefined when it may. */
export function whyRefused(address: string, rules: AddressRules): string | undefined {
    const family = isIP(address)
    if (family === 0) return 'it is no address'
    if (rules.allowed?.includes(address)) return undefined
    const inner = family === 6 ? innerV4(address) : undefined
    // An address that carries an IPv4 address inside leads there.
    if (inner) return whyRefused(inner, rules)
    const kind = family === 6 ? 'ipv6' : 'ipv4'
    if (refusedAlways.check(address, kind)) return 'it is a loopback, link-local, multicast or reserved address'
    const own = new BlockList()
    for (const mine of rules.own) if (isIP(mine)) own.addAddress(mine, isIP(mine) === 6 ? 'ipv6' : 'ipv4')
    for (const net of rules.refused ?? []) {
        const [base = '', bits = ''] = net.split('/')
        if (isIP(base)) own.addSubnet(base, Number(bits), isIP(base) === 6 ? 'ipv6' : 'ipv4')
    }
    return own.check(address, kind) ? 'it is an address of this node or of a management network' : undefined
}

/** The IPv4 address in ::ffff:a.b.c.d, ::ffff:0:a.b.c.d (SIIT), ::a.b.c.d, 64:ff9b::a.b.c.d (NAT64), 2002:aabb:ccdd:: (6to4). */
function innerV4(address: string): string | undefined {
    const groups = groupsOf(address)
    if (!groups) return undefined
    const v4 = (high: number, low: number) => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
    const zero = (from: number, to: number) => groups.slice(from, to).every(g => g === 0)
    if (zero(0, 5) && groups[5] === 0xffff) return v4(groups[6]!, groups[7]!)
    if (zero(0, 4) && groups[4] === 0xffff && groups[5] === 0) return v4(groups[6]!, groups[7]!)
    if (zero(0, 6) && (groups[6] !== 0 || groups[7]! > 1)) return v4(groups[6]!, groups[7]!)
    if (groups[0] === 0x64 && groups[1] === 0xff9b && zero(2, 6)) return v4(groups[6]!, groups[7]!)
    if (groups[0] === 0x2002) return v4(groups[1]!, groups[2]!)
    return undefined
}

function groupsOf(address: string): number[] | undefined {
    const plain = address
        .split('%')[0]!
        .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
            [(Number(a) << 8) | Number(b), (Number(c) << 8) | Number(d)].map(n => n.toString(16)).join(':'),
        )
    const [left = '', right] = plain.split('::')
    const parse = (text: string) => (text === '' ? [] : text.split(':').map(g => Number.parseInt(g, 16)))
    const head = parse(left)
    const tail = right === undefined ? [] : parse(right)
    const groups = right === undefined ? head : [...head, ...Array(8 - head.length - tail.length).fill(0), ...tail]
    return groups.length === 8 && groups.every(g => Number.isInteger(g)) ? groups : undefined
}
