// Addresses and subnets of IPv4 and IPv6 as numbers: parsing, overlap, ranges, and finding a free one.

export interface Subnet {
    version: 4 | 6
    /** The address as given. */
    address: bigint
    prefix: number
    /** First and last address of the subnet. */
    first: bigint
    last: bigint
}

const BITS = { 4: 32, 6: 128 } as const

/** The number of an address, or undefined when it is none. Zones (`%eth0`) and leading zeros are refused. */
export function parseAddress(text: string): { version: 4 | 6; value: bigint } | undefined {
    const four = parseFour(text)
    if (four !== undefined) return { version: 4, value: four }
    const six = parseSix(text)
    return six === undefined ? undefined : { version: 6, value: six }
}

function parseFour(text: string): bigint | undefined {
    const parts = text.split('.')
    if (parts.length !== 4 || !parts.every(part => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
        return undefined
    return parts.reduce((value, part) => value * 256n + BigInt(part), 0n)
}

function parseSix(text: string): bigint | undefined {
    const halves = text.split('::')
    if (halves.length > 2 || !text.includes(':')) return undefined
    const groups = (half: string | undefined): string[] | undefined => {
        if (!half) return []
        const parts = half.split(':')
        const tail = parts.at(-1)!
        // The last 32 bits may be written as IPv4.
        if (tail.includes('.')) {
            const four = parseFour(tail)
            if (four === undefined) return undefined
            parts.splice(-1, 1, (four >> 16n).toString(16), (four & 0xffffn).toString(16))
        }
        return parts.every(part => /^[0-9a-f]{1,4}$/i.test(part)) ? parts : undefined
    }
    const [head, tail] = [groups(halves[0]), groups(halves[1])]
    if (!head || !tail) return undefined
    const missing = 8 - head.length - tail.length
    if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
    const all = [...head, ...Array<string>(missing).fill('0'), ...tail]
    return all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n)
}

export function formatAddress(version: 4 | 6, value: bigint): string {
    if (version === 4) return [24n, 16n, 8n, 0n].map(shift => (value >> shift) & 255n).join('.')
    const groups = Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - at * 16)) & 0xffffn).toString(16))
    // The longest run of zeros is left out (RFC 5952), the first of several, and never a single one.
    let best = { at: 0, length: 1 }
    for (let at = 0; at < 8; at++) {
        let length = 0
        while (groups[at + length] === '0') length++
        if (length > best.length) best = { at, length }
    }
    if (best.length === 1) return groups.join(':')
    return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`
}

/** The subnet of `address/prefix`, or undefined when it is none. */
export function parseCidr(text: string): Subnet | undefined {
    const [head = '', tail = '', ...more] = text.split('/')
    const address = parseAddress(head)
    if (!address || more.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(tail)) return undefined
    return subnetOf(address, Number(tail))
}

/** The subnet of an address and its prefix; undefined for a prefix that is too long. */
export function subnetOf({ version, value }: { version: 4 | 6; value: bigint }, prefix: number): Subnet | undefined {
    if (prefix > BITS[version]) return undefined
    const hosts = (1n << BigInt(BITS[version] - prefix)) - 1n
    const first = value & ~hosts
    return { version, address: value, prefix, first, last: first | hosts }
}

/** Prefix of a netmask such as 255.255.255.0, or undefined when it is none. */
export function prefixOfNetmask(text: string): number | undefined {
    const value = parseFour(text)
    if (value === undefined) return undefined
    const bits = value.toString(2).padStart(32, '0')
    return /^1*0*$/.test(bits) ? bits.indexOf('0') + (bits.includes('0') ? 0 : 33) : undefined
}

export const formatCidr = (subnet: Subnet): string =>
    `${formatAddress(subnet.version, subnet.address)}/${subnet.prefix}`

export const overlaps = (a: Subnet, b: Subnet): boolean =>
    a.version === b.version && a.first <= b.last && b.first <= a.last

export const contains = (subnet: Subnet, { version, value }: { version: 4 | 6; value: bigint }): boolean =>
    version === subnet.version && subnet.first <= value && value <= subnet.last

/** Addresses that hosts can have: for IPv4 neither the network's nor the broadcast one, for IPv6 not the first. */
export const usable = (subnet: Subnet): { first: bigint; last: bigint } => ({
    first: subnet.first + 1n,
    last: subnet.version === 4 ? subnet.last - 1n : subnet.last,
})

// What DebVisor or its neighbours use by default, so that it is not proposed: pods, services, Docker.
const SPOKEN_FOR = ['10.244.0.0/16', '10.96.0.0/12', '172.17.0.0/16', '192.168.122.0/24'].map(text => parseCidr(text)!)

/** A private /24 that overlaps with none of these, as `10.20.0.1/24`; undefined when all are taken. */
export function freeSubnet(taken: readonly Subnet[]): string | undefined {
    const candidates = [
        ...Array.from({ length: 70 }, (_, at) => `10.${20 + at}.0.1/24`),
        ...Array.from({ length: 100 }, (_, at) => `192.168.${150 + at}.1/24`),
        ...Array.from({ length: 12 }, (_, at) => `172.${20 + at}.0.1/24`),
    ]
    const used = [...SPOKEN_FOR, ...taken]
    return candidates.find(text => {
        const subnet = parseCidr(text)!
        return !used.some(other => overlaps(other, subnet))
    })
}

const SPECIAL: [string, string][] = [
    ['0.0.0.0/8', 'no address of a host'],
    ['127.0.0.0/8', 'loopback'],
    ['169.254.0.0/16', 'link-local'],
    ['224.0.0.0/3', 'multicast or reserved'],
    ['::/127', 'loopback or nothing'],
    ['::ffff:0:0/96', 'IPv4 written as IPv6'],
    ['fe80::/10', 'link-local'],
    ['ff00::/8', 'multicast'],
]
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'].map(t => parseCidr(t)!)

/** Why a subnet cannot be one of hosts, such as 'loopback'; undefined where it can. */
export const specialUse = (subnet: Subnet): string | undefined =>
    SPECIAL.find(([cidr]) => overlaps(parseCidr(cidr)!, subnet))?.[1]

export const isPrivate = (subnet: Subnet): boolean =>
    PRIVATE.some(
        one => contains(one, { ...subnet, value: subnet.first }) && contains(one, { ...subnet, value: subnet.last }),
    )
