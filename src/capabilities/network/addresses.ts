// The addresses of a network that is to be made: usable, free, and what of them DHCP gives.
import type { Finding } from '../../base/finding.ts'
import type { AddError, Seen, WantedNetwork } from './check.ts'
import * as cidr from './cidr.ts'

/** libvirt refuses longer ranges. */
const MOST_LEASES = 65_534n

/** What somebody gave, fit to stand in a detail. */
export const shown = (text: string) => JSON.stringify(text.slice(0, 60))

/** The network's own subnet, when it has one that can be used; what is wrong with it goes to the findings. */
export function checkAddress(
    want: WantedNetwork,
    { networks, links }: Seen,
    findings: Finding[],
): cidr.Subnet | undefined {
    const taken = [...networks.flatMap(n => n.subnets), ...links.flatMap(l => l.subnets)]
    const proposal = cidr.freeSubnet(taken)
    const example = proposal ? `${proposal} is free.` : ''
    const error = (code: string, words: { summary: string; detail: string; fix: string }) =>
        void findings.push({ severity: 'error', code, at: 'address', ...words })
    if (want.address === '') {
        if (want.mode === 'isolated') return undefined
        const fix = `Give the address that the host has in it, and its length. ${example}`.trim()
        error('address-missing', {
            summary: 'The network needs an address',
            detail: `mode '${want.mode}' routes through the host`,
            fix,
        })
        return undefined
    }
    const subnet = cidr.parseCidr(want.address)
    if (!subnet) {
        const fix = `Give the address that the host has in it, and its length. ${example}`.trim()
        error('address-invalid', {
            summary: 'That is not an address with its length',
            detail: shown(want.address),
            fix,
        })
        return undefined
    }
    const [least, most] = subnet.version === 4 ? [8, 30] : [16, 126]
    if (subnet.prefix < least || subnet.prefix > most) {
        const fix = `Use a length from ${least} to ${most}; /${subnet.version === 4 ? 24 : 64} is usual.`
        error('prefix', { summary: 'A network cannot have that length', detail: `/${subnet.prefix}`, fix })
        return undefined
    }
    const special = cidr.specialUse(subnet)
    if (special) {
        error('address-special', {
            summary: 'These addresses have another use',
            detail: `${want.address} is ${special}`,
            fix: `Use a private network. ${example}`.trim(),
        })
        return undefined
    }
    const { first, last } = cidr.usable(subnet)
    if (subnet.address < first || subnet.address > last) {
        const text = cidr.formatAddress(subnet.version, first)
        const fix = `Take another in it, such as ${text}/${subnet.prefix}.`
        error('address-unusable', {
            summary: 'The host cannot have the first or the last address of a network',
            detail: want.address,
            fix,
        })
        return undefined
    }
    const clash = clashOf(subnet, { networks, links })
    if (clash) {
        const fix = proposal ? `Use another network: ${proposal} is free.` : 'Use another network.'
        error('overlap', {
            summary: 'Those addresses are in use already',
            detail: `${want.address} overlaps with ${clash}`,
            fix,
        })
        return undefined
    }
    if (want.mode === 'nat' && !cidr.isPrivate(subnet)) {
        const detail = `${want.address}: VMs cannot reach the hosts that have these addresses elsewhere`
        const words = {
            summary: 'These addresses are not private',
            detail,
            fix: `Unless they are yours, use a private network. ${example}`.trim(),
        }
        findings.push({ severity: 'warning', code: 'not-private', at: 'address', ...words })
    }
    return subnet
}

function clashOf(subnet: cidr.Subnet, { networks, links }: Seen): string | undefined {
    for (const network of networks) {
        const other = network.subnets.find(one => cidr.overlaps(one, subnet))
        if (other) return `${cidr.formatCidr(other)} of the network ${network.name}`
    }
    for (const link of links) {
        const other = link.subnets.find(one => one.prefix > 0 && cidr.overlaps(one, subnet))
        if (other) return `${cidr.formatCidr(other)} of the interface ${link.name}`
    }
    return undefined
}

/** The ranges that DHCP gives; what is wrong with them goes to `error`. */
export function checkDhcp(
    want: WantedNetwork,
    subnet: cidr.Subnet,
    error: AddError,
): { first: bigint; last: bigint }[] {
    const whole = cidr.usable(subnet)
    const text = (value: bigint) => cidr.formatAddress(subnet.version, value)
    if (want.dhcpStart === '' && want.dhcpEnd === '') {
        const own = subnet.address
        const parts = [
            { first: whole.first, last: own - 1n },
            { first: own + 1n, last: whole.last },
        ].filter(part => part.first <= part.last)
        const size = (part: { first: bigint; last: bigint }) => part.last - part.first + 1n
        if (parts.reduce((sum, part) => sum + size(part), 0n) <= MOST_LEASES) return parts
        const widest = parts.reduce((a, b) => (size(b) > size(a) ? b : a))
        const last = widest.first + MOST_LEASES - 1n
        return [{ first: widest.first, last: last < widest.last ? last : widest.last }]
    }
    const bound = (at: string, given: string): bigint | undefined => {
        const address = cidr.parseAddress(given)
        if (address && cidr.contains(subnet, address) && address.value >= whole.first && address.value <= whole.last)
            return address.value
        const detail =
            given === ''
                ? 'it is missing'
                : `${shown(given)} is ${address ? `not in ${cidr.formatCidr(subnet)}` : 'no address'}`
        error(at, 'dhcp-outside', {
            summary: 'Addresses for DHCP must be in the network',
            detail,
            fix: `Give one from ${text(whole.first)} to ${text(whole.last)}.`,
        })
        return undefined
    }
    const first = bound('dhcp_start', want.dhcpStart)
    const last = bound('dhcp_end', want.dhcpEnd)
    if (first === undefined || last === undefined) return []
    if (first > last) {
        error('dhcp_start', 'dhcp-reversed', {
            summary: 'The range for DHCP is the wrong way round',
            detail: `${text(first)} to ${text(last)}`,
            fix: 'Swap them.',
        })
    } else if (last - first + 1n > MOST_LEASES) {
        error('dhcp_end', 'dhcp-long', {
            summary: 'The range for DHCP is too long',
            detail: `${last - first + 1n} addresses`,
            fix: `Take at most ${MOST_LEASES}.`,
        })
    } else if (first <= subnet.address && subnet.address <= last) {
        const fix = `Begin at ${text(subnet.address + 1n)}, or end at ${text(subnet.address - 1n)}.`
        error('dhcp_start', 'dhcp-own', {
            summary: "The range for DHCP holds the host's own address",
            detail: text(subnet.address),
            fix,
        })
    }
    return [{ first, last }]
}
