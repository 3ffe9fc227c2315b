// The host's own interfaces, as `ip` tells them: which are bridges, what is on them, and their addresses.
import { Fault } from '../../base/fault.ts'
import type { Probe } from '../../ports/ports.ts'
import { parseAddress, type Subnet, subnetOf } from './cidr.ts'

export interface HostLink {
    name: string
    /** `bridge`, `bond`, `vlan`, `tun`, …; empty for a card. */
    kind: string
    isBridge: boolean
    up: boolean
    /** A cable with something at its other end. */
    carrier: boolean
    mtu: number
    mac: string
    /** The address that a card came with, whatever it has now. */
    cardMac: string
    /** The largest that it can have; 0 where it does not say. */
    maxMtu: number
    index: number
    /** The bridge (or bond) that it is a port of. */
    master: string
    vlanAware: boolean
    subnets: Subnet[]
    /** Those that others reach it by; `leased` ones came from DHCP or a router. */
    global: { address: string; leased: boolean }[]
}

/** All interfaces of the host. @throws Fault `unavailable` when they cannot be read */
export async function readLinks(probe: Probe): Promise<HostLink[]> {
    const { exitCode, stdout } = await probe.query({
        argv: ['ip', '-json', '-details', 'addr', 'show'],
        deadlineMs: 30_000,
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
    ifindex?: number
    permaddr?: string
    max_mtu?: number
    linkinfo?: { info_kind?: string; info_data?: { vlan_filtering?: number } }
    addr_info?: { local?: string; prefixlen?: number; scope?: string; dynamic?: boolean }[]
}

/** What `ip -json -details addr show` prints. */
export function parseLinks(json: string): HostLink[] {
    // Some versions print empty objects for what a filter left out.
    return (JSON.parse(json) as IpLink[])
        .filter(link => link.ifname)
        .map(link => ({
            name: link.ifname!,
            kind: link.linkinfo?.info_kind ?? '',
            isBridge: link.linkinfo?.info_kind === 'bridge',
            up: link.flags?.includes('UP') ?? false,
            carrier: link.flags?.includes('LOWER_UP') ?? false,
            mtu: link.mtu ?? 0,
            mac: link.address ?? '',
            cardMac: link.permaddr ?? link.address ?? '',
            maxMtu: link.max_mtu ?? 0,
            index: link.ifindex ?? 0,
            master: link.master ?? '',
            vlanAware: link.linkinfo?.info_data?.vlan_filtering === 1,
            subnets: (link.addr_info ?? []).flatMap(({ local = '', prefixlen = -1 }) => {
                const address = parseAddress(local)
                const subnet = address && prefixlen >= 0 ? subnetOf(address, prefixlen) : undefined
                return subnet ? [subnet] : []
            }),
            global: (link.addr_info ?? [])
                .filter(({ scope }) => scope === 'global')
                .map(one => ({ address: `${one.local}/${one.prefixlen}`, leased: one.dynamic === true })),
        }))
}
