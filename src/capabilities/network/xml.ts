// A libvirt network's XML: what it says, and the XML of a new one.
import { all, attr, escapeXml, first, parseXml, textAt } from '../../engine/xml.ts'
import { formatAddress, parseAddress, prefixOfNetmask, type Subnet, subnetOf } from './cidr.ts'

export interface NetworkXml {
    uuid: string
    name: string
    /** nat, route, open, isolated, bridge, or another of libvirt's forward modes. */
    mode: string
    bridge: string
    subnets: Subnet[]
    ranges: { start: string; end: string }[]
    domain: string
}

/** What a network's XML says. @throws Fault `internal` when it cannot be read */
export function readNetworkXml(xml: string): NetworkXml {
    const root = parseXml(xml, 'a network of libvirt')
    const forward = first(root, 'forward')
    return {
        uuid: textAt(root, 'uuid'),
        name: textAt(root, 'name'),
        mode: forward ? forward.getAttribute('mode') || 'nat' : 'isolated',
        bridge: attr(root, 'bridge', 'name'),
        subnets: all(root, 'ip').flatMap(ip => {
            const address = parseAddress(ip.getAttribute('address') ?? '')
            const mask = ip.getAttribute('netmask')
            const prefix = ip.getAttribute('prefix') || (mask && prefixOfNetmask(mask))
            // Without either, libvirt takes the class of old, or 64 for IPv6.
            const subnet = address && subnetOf(address, prefix ? Number(prefix) : classOf(address))
            return subnet ? [subnet] : []
        }),
        ranges: all(root, 'ip/dhcp/range').map(range => ({
            start: range.getAttribute('start') ?? '',
            end: range.getAttribute('end') ?? '',
        })),
        domain: attr(root, 'domain', 'name'),
    }
}

function classOf({ version, value }: { version: 4 | 6; value: bigint }): number {
    if (version === 6) return 64
    const head = Number(value >> 24n)
    return head < 128 ? 8 : head < 192 ? 16 : 24
}

/** A network that is to be made; everything in it has been checked. */
export interface NewNetwork {
    uuid: string
    name: string
    mode: 'nat' | 'route' | 'isolated' | 'bridge'
    /** The host's own address in it. */
    subnet?: Subnet
    ranges: { first: bigint; last: bigint }[]
    /** Empty: libvirt chooses one (not for mode bridge). */
    bridge: string
    domain: string
}

export function writeNetworkXml(network: NewNetwork): string {
    const { uuid, name, mode, subnet, ranges, bridge, domain } = network
    const lines = [`<name>${escapeXml(name)}</name>`, `<uuid>${uuid}</uuid>`]
    if (mode === 'nat' && subnet?.version === 6) lines.push("<forward mode='nat'><nat ipv6='yes'/></forward>")
    else if (mode !== 'isolated') lines.push(`<forward mode='${mode}'/>`)
    const named = bridge === '' ? '' : ` name='${escapeXml(bridge)}'`
    lines.push(mode === 'bridge' ? `<bridge${named}/>` : `<bridge${named} stp='on' delay='0'/>`)
    if (domain !== '') lines.push(`<domain name='${escapeXml(domain)}' localOnly='yes'/>`)
    if (subnet) {
        const { version, prefix } = subnet
        const family = version === 6 ? " family='ipv6'" : ''
        lines.push(`<ip${family} address='${formatAddress(version, subnet.address)}' prefix='${prefix}'>`)
        if (ranges.length > 0) {
            const text = (value: bigint) => formatAddress(version, value)
            const rows = ranges.map(r => `      <range start='${text(r.first)}' end='${text(r.last)}'/>`)
            lines.push('  <dhcp>', ...rows.map(row => row.slice(2)), '  </dhcp>')
        }
        lines.push('</ip>')
    }
    return `<network>\n${lines.map(line => `  ${line}\n`).join('')}</network>\n`
}
