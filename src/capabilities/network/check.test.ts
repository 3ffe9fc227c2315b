// What is refused when a network is made, all at once and with a fix; and the XML and sentences of what is not.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Fault } from '../../base/fault.ts'
import { checkNetwork, createSentences, type Seen, type WantedNetwork } from './check.ts'
import { formatCidr, parseCidr } from './cidr.ts'
import { parseLinks } from './links.ts'
import { readNetworkXml, writeNetworkXml } from './xml.ts'

const real = (name: string) => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8')
const uuid = '2b1c3f5e-1111-4222-8333-944455556666'
const seen: Seen = {
    networks: [{ name: 'default', mode: 'nat', bridge: 'virbr0', subnets: [parseCidr('192.168.122.1/24')!] }],
    links: parseLinks(real('ip-addr.json')),
}
const want = (more: Partial<WantedNetwork> = {}): WantedNetwork => ({
    ...{
        name: 'lab',
        mode: 'nat',
        address: '10.20.0.1/24',
        dhcp: true,
        dhcpStart: '',
        dhcpEnd: '',
        bridge: '',
        domain: '',
    },
    ...{ autostart: true, ...more },
})
function refused(more: Partial<WantedNetwork>): Fault {
    try {
        checkNetwork(want(more), seen)
    } catch (thrown) {
        return thrown as Fault
    }
    throw new Error('it was not refused')
}

test('the interfaces of a real host', () => {
    const links = Object.fromEntries(seen.links.map(l => [l.name, l]))
    expect(links.br0).toMatchObject({ isBridge: true, up: true, mtu: 1500, vlanAware: false, master: '' })
    expect(links.br0?.subnets.map(formatCidr).slice(0, 2)).toEqual(['10.9.8.1/24', 'fd00:9::1/64'])
    expect(links.tap0).toMatchObject({ isBridge: false, master: 'br0' })
    expect(parseLinks('[{},{"ifname":"x","flags":[]}]')).toHaveLength(1)
})

describe('refused, with what to do', () => {
    test.each<[string, Partial<WantedNetwork>, string, string]>([
        ['an empty name', { name: '' }, 'invalid', 'name'],
        ['a path as name', { name: '../etc' }, 'invalid', 'name'],
        ['markup as name', { name: "a'/><b" }, 'invalid', 'name'],
        ['a very long name', { name: 'x'.repeat(10_000) }, 'invalid', 'name'],
        ['a name that is taken', { name: 'default' }, 'exists', 'name'],
        ['an unknown mode', { mode: 'vepa' }, 'invalid', 'mode'],
        ['no address', { address: '' }, 'invalid', 'address'],
        ['an address without length', { address: '10.20.0.1' }, 'invalid', 'address'],
        ['a bad address', { address: '10.20.0.300/24' }, 'invalid', 'address'],
        ['a network address', { address: '10.20.0.0/24' }, 'invalid', 'address'],
        ['a broadcast address', { address: '10.20.0.255/24' }, 'invalid', 'address'],
        ['a length that leaves no hosts', { address: '10.20.0.1/31' }, 'invalid', 'address'],
        ['a length of zero', { address: '10.20.0.1/0' }, 'invalid', 'address'],
        ['loopback', { address: '127.1.0.1/24' }, 'invalid', 'address'],
        ['multicast', { address: '230.1.0.1/24' }, 'invalid', 'address'],
        ['link-local', { address: 'fe80::1/64' }, 'invalid', 'address'],
        ['what another network has', { address: '192.168.0.1/16' }, 'conflict', 'address'],
        ['what an interface has', { address: '10.9.8.129/25' }, 'conflict', 'address'],
        ['what an interface has in IPv6', { address: 'fd00:9::5:1/112', dhcp: false }, 'conflict', 'address'],
        ['DHCP outside', { dhcpStart: '10.20.1.5', dhcpEnd: '10.20.0.50' }, 'invalid', 'dhcp_start'],
        ['DHCP of another version', { dhcpStart: 'fd00::1', dhcpEnd: '10.20.0.50' }, 'invalid', 'dhcp_start'],
        ['DHCP without an end', { dhcpStart: '10.20.0.5' }, 'invalid', 'dhcp_end'],
        ['DHCP with the broadcast address', { dhcpStart: '10.20.0.5', dhcpEnd: '10.20.0.255' }, 'invalid', 'dhcp_end'],
        ['DHCP the wrong way round', { dhcpStart: '10.20.0.9', dhcpEnd: '10.20.0.5' }, 'invalid', 'dhcp_start'],
        ['DHCP over the host', { dhcpStart: '10.20.0.1', dhcpEnd: '10.20.0.5' }, 'invalid', 'dhcp_start'],
        ['DHCP without an address', { mode: 'isolated', address: '' }, 'invalid', 'address'],
        [
            'DHCP that is too long',
            { address: '10.64.0.1/12', dhcpStart: '10.64.0.2', dhcpEnd: '10.66.0.9' },
            'invalid',
            'dhcp_end',
        ],
        ['a domain with markup', { domain: '<lab>' }, 'invalid', 'domain'],
        ['a bridge name that is too long', { bridge: 'a-very-long-bridge' }, 'invalid', 'bridge'],
        ['a bridge name that is taken', { bridge: 'br0' }, 'conflict', 'bridge'],
        ['no bridge', { mode: 'bridge', address: '', dhcp: false }, 'precondition', 'bridge'],
        [
            'a bridge that is missing',
            { mode: 'bridge', address: '', dhcp: false, bridge: 'br7' },
            'precondition',
            'bridge',
        ],
        [
            'a bridge that is none',
            { mode: 'bridge', address: '', dhcp: false, bridge: 'tap0' },
            'precondition',
            'bridge',
        ],
        ['a bridge of libvirt', { mode: 'bridge', address: '', dhcp: false, bridge: 'virbr0' }, 'conflict', 'bridge'],
        ['a bridge with DHCP', { mode: 'bridge', address: '', bridge: 'br0' }, 'invalid', 'dhcp'],
        ['a bridge with an address', { mode: 'bridge', dhcp: false, bridge: 'br0' }, 'invalid', 'address'],
    ])('%s', (_, more, code, at) => {
        const fault = refused(more)
        expect({ code: fault.code, at: fault.at }).toEqual({ code, at })
        expect(fault.fix).not.toBe('')
        expect(fault.message.length).toBeLessThan(500)
    })

    test('an overlap names what it overlaps with, and a network that is free', () => {
        const fault = refused({ address: '192.168.122.77/25' })
        expect(fault.detail).toBe('192.168.122.77/25 overlaps with 192.168.122.1/24 of the network default')
        expect(fault.fix).toBe('Use another network: 10.20.0.1/24 is free.')
        expect(refused({ mode: 'bridge', address: '', dhcp: false, bridge: 'br7' }).fix).toBe('Choose one of br0.')
    })

    test('everything wrong is said at once', () => {
        const fault = refused({ name: '', domain: '-', address: 'x', bridge: 'br0' })
        expect(fault.findings.map(f => f.at)).toEqual(['name', 'domain', 'bridge', 'address'])
    })
})

describe('made', () => {
    const made = (more: Partial<WantedNetwork>) => {
        const { network, findings } = checkNetwork(want(more), seen)
        const xml = writeNetworkXml({ ...network, uuid })
        return { xml, read: readNetworkXml(xml), findings, sentences: createSentences(network, true) }
    }

    test('NAT with DHCP for all but the host', () => {
        const { xml, read, sentences } = made({ domain: 'lab.test' })
        expect(xml).toBe(`<network>
  <name>lab</name>
  <uuid>${uuid}</uuid>
  <forward mode='nat'/>
  <bridge stp='on' delay='0'/>
  <domain name='lab.test' localOnly='yes'/>
  <ip address='10.20.0.1' prefix='24'>
    <dhcp>
      <range start='10.20.0.2' end='10.20.0.254'/>
    </dhcp>
  </ip>
</network>
`)
        expect(read).toMatchObject({ name: 'lab', mode: 'nat', ranges: [{ start: '10.20.0.2', end: '10.20.0.254' }] })
        expect(sentences).toEqual([
            'Define the network lab, behind the address of the host (NAT), with 10.20.0.1/24.',
            'Give addresses by DHCP: 10.20.0.2 to 10.20.0.254.',
            'Start it with the host from now on.',
            'Start it.',
        ])
    })

    test('the host in the middle of its network', () => {
        const { read } = made({ address: '10.20.0.100/24' })
        expect(read.ranges).toEqual([
            { start: '10.20.0.1', end: '10.20.0.99' },
            { start: '10.20.0.101', end: '10.20.0.254' },
        ])
    })

    test('a network so big that DHCP gives a part of it', () => {
        expect(made({ address: '10.64.0.1/10' }).read.ranges).toEqual([{ start: '10.64.0.2', end: '10.64.255.255' }])
    })

    test('IPv6, isolated without address, a bridge of the host, and public addresses with a warning', () => {
        expect(made({ address: 'fd77::1/64', dhcp: false }).read).toMatchObject({ mode: 'nat', ranges: [] })
        expect(made({ address: 'fd77::1/64', dhcp: false }).xml).toContain("<nat ipv6='yes'/>")
        expect(made({ mode: 'isolated', address: '', dhcp: false }).read).toMatchObject({
            mode: 'isolated',
            subnets: [],
        })
        expect(made({ mode: 'bridge', address: '', dhcp: false, bridge: 'br0' }).read).toMatchObject({
            mode: 'bridge',
            bridge: 'br0',
        })
        expect(made({ address: '8.8.8.1/24' }).findings.map(f => f.code)).toEqual(['not-private'])
    })
})

test('what libvirt wrote is read', () => {
    const read = readNetworkXml(real('default-active.xml'))
    expect(read).toMatchObject({ name: 'default', mode: 'nat', bridge: 'virbr0', domain: '' })
    expect(read.subnets.map(formatCidr)).toEqual(['192.168.122.1/24'])
    expect(readNetworkXml("<network><name>a</name><forward/><ip address='172.16.0.1'/></network>")).toMatchObject({
        ...{ mode: 'nat', bridge: '', subnets: [{ prefix: 16 }] },
    })
    expect(() => readNetworkXml('<network>')).toThrow(/XML cannot be read/)
})
