// Whether a network can be made as asked: every finding at once, then the network and the sentences of its plan.
import { Fault, type FaultCode } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { checkName } from '../../base/ids.ts'
import { checkAddress, checkDhcp, shown } from './addresses.ts'
import * as cidr from './cidr.ts'
import type { HostLink } from './links.ts'
import type { NetworkXml, NewNetwork } from './xml.ts'

export interface WantedNetwork {
    name: string
    mode: string
    address: string
    dhcp: boolean
    dhcpStart: string
    dhcpEnd: string
    bridge: string
    domain: string
    autostart: boolean
}

/** What is there already, and could be in the way. */
export interface Seen {
    networks: readonly Pick<NetworkXml, 'name' | 'mode' | 'bridge' | 'subnets'>[]
    links: readonly HostLink[]
}

const MODES = ['nat', 'route', 'isolated', 'bridge'] as const
const LINK_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/
const DOMAIN = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i

/** The checked network (without uuid) and what is worth knowing. @throws Fault with all findings when there are errors */
export function checkNetwork(
    want: WantedNetwork,
    seen: Seen,
): { network: Omit<NewNetwork, 'uuid'>; findings: Finding[] } {
    const findings: Finding[] = []
    const error = (at: string, code: string, words: { summary: string; detail: string; fix: string }) =>
        void findings.push({ severity: 'error', code, at, ...words })
    const mode = MODES.find(one => one === want.mode)

    try {
        checkName(want.name)
    } catch (thrown) {
        const { summary, detail, fix } = thrown as Fault
        error('name', 'name-invalid', { summary, detail, fix })
    }
    if (seen.networks.some(network => network.name === want.name)) {
        const fix = 'Choose another name, or delete the old one first.'
        error('name', 'name-taken', { summary: 'There is a network of that name already', detail: want.name, fix })
    }
    if (!mode) {
        const fix = `Choose one of ${MODES.join(', ')}.`
        error('mode', 'mode-unknown', { summary: 'There is no such kind of network', detail: shown(want.mode), fix })
    }
    if (want.domain !== '' && !DOMAIN.test(want.domain)) {
        const fix = 'Give a name such as lab.example.org: letters, digits, dashes and dots.'
        error('domain', 'domain-invalid', {
            summary: 'That is not the name of a DNS domain',
            detail: shown(want.domain),
            fix,
        })
    }
    checkBridge(want, seen, error)
    const subnet = mode === 'bridge' || !mode ? undefined : checkAddress(want, seen, findings)
    const ranges = subnet && wantsDhcp(want) ? checkDhcp(want, subnet, error) : []
    if (mode === 'isolated' && want.address === '' && wantsDhcp(want)) {
        const fix = 'Give the address that the host has in it, such as 10.20.0.1/24.'
        error('address', 'address-missing', { summary: 'DHCP needs an address', detail: 'the network has none', fix })
    }
    if (findings.some(f => f.severity === 'error')) throw faultOf(findings)
    return {
        network: { name: want.name, mode: mode!, subnet, ranges, bridge: want.bridge, domain: want.domain },
        findings,
    }
}

const wantsDhcp = (want: WantedNetwork) => want.dhcp || want.dhcpStart !== '' || want.dhcpEnd !== ''

export type AddError = (at: string, code: string, words: { summary: string; detail: string; fix: string }) => void

function checkBridge(want: WantedNetwork, { networks, links }: Seen, error: AddError) {
    const link = links.find(one => one.name === want.bridge)
    const makers = networks.filter(network => network.mode !== 'bridge' && network.bridge !== '')
    const owner = makers.find(network => network.bridge === want.bridge)
    const ofHost = links.filter(one => one.isBridge && !makers.some(n => n.bridge === one.name)).map(one => one.name)
    if (want.mode !== 'bridge') {
        if (want.bridge === '') return
        const fix = 'Leave it out, so that one is chosen, or give 1 to 15 letters, digits, dots, dashes or underscores.'
        if (!LINK_NAME.test(want.bridge)) {
            error('bridge', 'bridge-invalid', {
                summary: 'A bridge cannot have that name',
                detail: shown(want.bridge),
                fix,
            })
        } else if (link || owner) {
            const detail = `${want.bridge} ${owner ? `belongs to the network ${owner.name}` : 'is an interface of the host'}`
            const other = "Leave it out, so that one is chosen; or use mode 'bridge' to join a bridge of the host."
            error('bridge', 'bridge-taken', {
                summary: 'There is an interface of that name already',
                detail,
                fix: other,
            })
        }
        return
    }
    const choice =
        ofHost.length > 0
            ? `Choose one of ${ofHost.join(', ')}.`
            : 'This host has none: make one in node.yaml, or use mode nat.'
    if (want.bridge === '') {
        error('bridge', 'bridge-missing', {
            summary: 'A bridge must be named',
            detail: "mode 'bridge' joins a bridge of the host",
            fix: choice,
        })
    } else if (!link?.isBridge) {
        const detail = `${shown(want.bridge)} ${link ? 'is an interface, but no bridge' : 'does not exist'}`
        error('bridge', 'bridge-missing', { summary: 'There is no such bridge on the host', detail, fix: choice })
    } else if (owner) {
        const detail = `${want.bridge} was made by the network ${owner.name}`
        error('bridge', 'bridge-taken', {
            summary: 'That bridge belongs to a network of libvirt',
            detail,
            fix: `Use the network ${owner.name} itself. ${choice}`,
        })
    }
    for (const [at, value] of Object.entries({
        address: want.address,
        dhcp_start: want.dhcpStart,
        dhcp_end: want.dhcpEnd,
        domain: want.domain,
    })) {
        if (value === '') continue
        const fix = 'Leave it out: addresses come from whoever serves the network behind the bridge.'
        error(at, 'not-for-bridge', { summary: "Mode 'bridge' has no addresses of its own", detail: shown(value), fix })
    }
    if (want.dhcp) {
        const fix = 'Leave DHCP out: addresses come from whoever serves the network behind the bridge.'
        error('dhcp', 'not-for-bridge', { summary: "Mode 'bridge' has no addresses of its own", detail: 'dhcp', fix })
    }
}

const CODES: Record<string, FaultCode> = {
    'name-taken': 'exists',
    overlap: 'conflict',
    'bridge-taken': 'conflict',
    'bridge-missing': 'precondition',
}

function faultOf(findings: Finding[]): Fault {
    const errors = findings.filter(f => f.severity === 'error')
    const [one] = errors
    if (errors.length === 1 && one) {
        const { summary, detail, fix, at, code } = one
        return new Fault(CODES[code] ?? 'invalid', { summary, detail, fix, at, findings })
    }
    return new Fault('invalid', {
        summary: 'The network cannot be made like that',
        detail: errors.map(f => `${f.at}: ${f.summary} (${f.detail})`).join('; '),
        fix: 'Correct each of the findings.',
        findings,
    })
}

/** What making it does, in sentences. */
export function createSentences(network: Omit<NewNetwork, 'uuid'>, autostart: boolean): string[] {
    const { name, mode, subnet, ranges, bridge } = network
    const kind = {
        nat: 'behind the address of the host (NAT)',
        route: 'routed through the host',
        isolated: 'without a way out',
        bridge: `on the bridge ${bridge} of the host`,
    }[mode]
    const sentences = [`Define the network ${name}, ${kind}${subnet ? `, with ${cidr.formatCidr(subnet)}` : ''}.`]
    if (subnet && ranges.length > 0) {
        const text = (value: bigint) => cidr.formatAddress(subnet.version, value)
        sentences.push(`Give addresses by DHCP: ${ranges.map(r => `${text(r.first)} to ${text(r.last)}`).join(', ')}.`)
    }
    if (autostart) sentences.push('Start it with the host from now on.')
    sentences.push('Start it.')
    return sentences
}
