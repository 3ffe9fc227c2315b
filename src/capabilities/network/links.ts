// The host's own interfaces, as `ip` tells them: which are bridges, what is on them, and their addresses.
import { Fault } from '../../base/fault.ts'
import type { Probe } from '../../ports/ports.ts'
import { parseAddress, type Subnet, subnetOf } from './cidr.ts'

export interface HostLink {
    name: string
    isBridge: boolean
    up: boolean
    mtu: number
    mac: string
    /** The bridge (or bond) that it is a port of. */
    master: string
    vlanAware: boolean
    subnets: Subnet[]
}

/** All interfaces of the host. @throws Fault `unavailable` when they cannot be read */
export async function readLinks(probe: Probe): Promise<HostLink[]> {
    const { exitCode, stdout } = await probe.query({
        argv: ['ip', '-json', '-details', 'addr', 'show'],
        deadlineMs: 5000,
    })
    try {
        if (exitCode === 0) return parseLinks(stdout)
    } catch {
        // Falls through to the same words: what it said is no JSON.
    }
    throw new Fault('unavailable', {
        summary: 'The interfaces of the host cannot be read',
        detail: `ip addr show, exit code ${exitCode}`,
        fix: 'Try `ip -json -details addr show` on the node; it needs the package iproute2.',
    })
}

interface IpLink {
    ifname?: string
    flags?: string[]
    mtu?: number
    address?: string
    master?: string
    operstate?: string
    linkinfo?: { info_kind?: string; info_data?: { vlan_filtering?: number } }
    addr_info?: { local?: string; prefixlen?: number }[]
}

/** What `ip -json -details addr show` prints. */
export function parseLinks(json: string): HostLink[] {
    // Some versions print empty objects for what a filter left out.
    return (JSON.parse(json) as IpLink[])
        .filter(link => link.ifname)
        .map(link => ({
            name: link.ifname!,
            isBridge: link.linkinfo?.info_kind === 'bridge',
            up: link.flags?.includes('UP') ?? false,
            mtu: link.mtu ?? 0,
            mac: link.address ?? '',
            master: link.master ?? '',
            vlanAware: link.linkinfo?.info_data?.vlan_filtering === 1,
            subnets: (link.addr_info ?? []).flatMap(({ local = '', prefixlen = -1 }) => {
                const address = parseAddress(local)
                const subnet = address && prefixlen >= 0 ? subnetOf(address, prefixlen) : undefined
                return subnet ? [subnet] : []
            }),
        }))
}
