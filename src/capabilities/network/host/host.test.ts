// The network of a host on simulated machines: golden plans, applied twice; its section, its cards, what nmcli says.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { nodeOf, runCases } from '../../../../tests/cases.ts'
import { readDocument } from '../../../engine/document.ts'
import { kitOf } from '../../../engine/kit.ts'
import { makePlan } from '../../../engine/plan.ts'
import type { Resource } from '../../../engine/resource.ts'
import { survey } from '../../../engine/survey.ts'
import type { NodeOptions } from '../../../engine/testing/node.ts'
import { parseLinks } from '../links.ts'
import { checkNetworkSpec } from './check.ts'
import { networkGuard } from './checkpoint.ts'
import { planNames } from './names.ts'
import { parseDevices, parseProfiles } from './nmcli.ts'
import { ETC_FOLDER, type HostSeen } from './observe.ts'
import { profilesOf } from './profiles.ts'
import { primaryOf, troubles } from './resolve.ts'
import { hostNetworkResources, hostNetworkTools } from './resources.ts'
import { networkSample } from './sample.ts'
import { networkSpec } from './spec.ts'
import { simulatedManager } from './testing/networkmanager.ts'

const folder = join(import.meta.dirname, 'testdata')
const schema = z.strictObject({ network: networkSpec.optional() })
const kit = kitOf(hostNetworkTools, [networkGuard])
const resources = hostNetworkResources as readonly unknown[] as Resource[]
const checks = [checkNetworkSpec]
const seenOf = (name: string) => JSON.parse(readFileSync(join(folder, name, 'seen.json'), 'utf8')) as NodeOptions

describe('the network of a node', () => {
    runCases({
        folder,
        schema,
        checks,
        resources: hostNetworkResources,
        kit,
        tools: host => simulatedManager(host).tools,
    })
})

describe('a network section', () => {
    const codes = (text: string) =>
        readDocument(`network: ${text}`, schema, checks).findings.map(({ code, at }) => `${code} ${at}`)
    it.each([
        ['{}', []],
        ['{ bridges: [] }', []],
        ['{ bridges: [{ name: virbr1 }] }', ['name-taken network.bridges[0].name']],
        ['{ bridges: [{ name: br-lan }] }', ['name-taken network.bridges[0].name']],
        ['{ bridges: [{ name: br0 }, { name: br0, ports: [] }] }', ['name-twice network.bridges[1].name']],
        ['{ bridges: [{ name: br0 }, { name: br1 }] }', ['primary-twice network.bridges[1].ports']],
        ['{ bonds: [{ name: bond0, members: [] }] }', ['invalid-value network.bonds[0].members']],
        ['{ vlans: [{ id: 4095, on: br0 }] }', ['invalid-value network.vlans[0].id']],
        ['{ vlans: [{ id: 5, on: br0 }, { id: 5, on: br0, name: x }] }', ['vlan-twice network.vlans[1].id']],
        [
            '{ bridges: [{ name: br0, ports: [a] }], bonds: [{ name: bond0, members: [a] }] }',
            ['nic-twice network.bridges[0].ports[0]'],
        ],
        ['{ bridges: [{ name: br0, ports: [a] }], vlans: [{ id: 5, on: a }] }', ['vlan-on-port network.vlans[0].on']],
        [
            '{ bridges: [{ name: br0, ports: [a] }], nics: [{ name: a, ipv4: dhcp }] }',
            ['address-of-port network.nics[0]'],
        ],
        ['{ bridges: [{ name: br0, mtu: 100 }] }', ['invalid-value network.bridges[0].mtu']],
        ['{ bridges: [{ name: br0, mtu: 1000 }] }', ['mtu-ipv6 network.bridges[0].mtu']],
        ['{ vlans: [{ id: 5, on: br0, mtu: 9000 }] }', ['mtu-below network.vlans[0].mtu']],
        [
            '{ bridges: [{ name: br0, ipv4: { addresses: [10.0.0.5] } }] }',
            ['invalid-value network.bridges[0].ipv4.addresses[0]'],
        ],
        [
            '{ bridges: [{ name: br0, ipv4: { addresses: [10.0.0.0/24] } }] }',
            ['address-unusable network.bridges[0].ipv4.addresses[0]'],
        ],
        [
            '{ bridges: [{ name: br0, ipv4: { addresses: [127.0.0.5/8] } }] }',
            ['address-special network.bridges[0].ipv4.addresses[0]'],
        ],
        [
            '{ bridges: [{ name: br0, ipv4: { addresses: [10.0.0.5/24], gateway: 10.0.1.1 } }] }',
            ['gateway-outside network.bridges[0].ipv4.gateway'],
        ],
        [
            '{ bridges: [{ name: br0, ipv4: { addresses: [10.0.0.5/24], gateway: 10.0.0.5 } }] }',
            ['gateway-own network.bridges[0].ipv4.gateway'],
        ],
        [
            '{ bridges: [{ name: br0 }], nics: [{ name: b, ipv4: { addresses: [10.0.0.5/24] } }, { name: c, ipv4: { addresses: [10.0.0.6/24] } }] }',
            ['network-twice network.nics[1].ipv4.addresses[0]'],
        ],
        [
            '{ nics: [{ name: a, mac: "52:54:00:00:00:01" }, { name: b, mac: "52:54:00:00:00:01" }] }',
            ['card-twice network.nics[1].mac'],
        ],
        ['{ bridge: [] }', ['unknown-key network.bridge']],
    ])('%s', (text, expected) => {
        expect(codes(text)).toEqual(expected)
    })

    it('is left out, and then nothing of the network is touched', async () => {
        const { document } = readDocument('{}', schema, checks)
        const node = nodeOf(seenOf('fresh'), host => simulatedManager(host).tools)
        const plan = makePlan(resources, await survey(resources, document, node.touch), new Map())
        expect(plan.groups.map(one => one.resource)).toEqual(['network.manager'])
        expect(plan.groups[0]!.steps.map(step => step.do)).toEqual(['write', 'unit'])
    })
})

describe('the primary NIC', () => {
    const spec = networkSpec.parse({})
    const link = (name: string, more: object = {}) =>
        parseLinks(JSON.stringify([{ ifname: name, flags: ['LOWER_UP'], ...more }]))[0]!
    const seen = (more: Partial<HostSeen>): HostSeen => ({
        ...{ offline: false, openChange: false, etc: {}, run: {}, pins: {}, paths: {}, ifupdown: [], routes: [] },
        ...{ cards: ['ens3', 'ens4'], links: [link('ens3'), link('ens4', { master: 'br9' }), link('br9')] },
        ...more,
    })
    const written = { 'debvisor-ens4.nmconnection': { content: 'controller=br0\n', closed: true } }

    it.each([
        ['the first with a cable', {}, 'ens3'],
        ['that of the default route', { routes: [{ device: 'ens4' }] }, 'ens4'],
        ['the port of the bridge of the default route', { routes: [{ device: 'br9' }] }, 'ens4'],
        ['the one that it was before', { routes: [{ device: 'ens3' }], etc: written }, 'ens4'],
        ['none without a card', { cards: [] }, undefined],
    ])('is %s', (_, more, expected) => {
        expect(primaryOf(spec, seen(more))).toBe(expected)
    })

    it('is none that the document puts elsewhere', () => {
        const bond = networkSpec.parse({ bonds: [{ name: 'bond0', members: ['ens3'] }] })
        expect(primaryOf(bond, seen({ routes: [{ device: 'ens3' }] }))).toBe('ens4')
    })

    it('cannot be used where others look after it, or it has its name only after the next boot', () => {
        const problems = (text: string, more: Partial<HostSeen>) => {
            const { document } = readDocument(`network: ${text}`, schema, checks)
            const network = document!.network!
            const all = seen(more)
            const primary = primaryOf(network, all)
            const profiles = profilesOf(network, {
                primary,
                macOf: () => undefined,
                uuidOf: name => name,
                hashOf: () => '',
            })
            return troubles(network, primary, all, profiles).map(({ code, at, detail }) => `${code} ${at}: ${detail}`)
        }
        const manager = (devices: Record<string, string>) => ({
            manager: { profiles: [], devices: Object.entries(devices).map(([name, state]) => ({ name, state })) },
        })
        expect(problems('{}', { ...manager({ ens3: 'unmanaged' }), ifupdown: ['ens3'] })).toEqual([
            'not-managed network.bridges[0].ports: ens3 stands in /etc/network/interfaces',
        ])
        expect(problems('{ bridges: [{ name: br9, ports: [] }] }', manager({ br9: 'connected (externally)' }))).toEqual(
            ['name-in-use network.bridges[0]: br9 is a card'],
        )
        const bridge = link('lab', { linkinfo: { info_kind: 'bridge' } })
        expect(
            problems('{ bridges: [{ name: lab, ports: [] }] }', {
                links: [bridge],
                ...manager({ lab: 'connected (externally)' }),
            }),
        ).toEqual([expect.stringMatching(/^made-by-others network\.bridges\[0\]: lab /)])
        const cards = { links: [link('ens3', { address: '52:54:00:00:00:01', max_mtu: 1500 }), link('ens4')] }
        expect(
            problems(
                '{ bridges: [{ name: br0, ports: [lan0] }], nics: [{ name: lan0, mac: "52:54:00:00:00:01" }] }',
                cards,
            ),
        ).toEqual(['nic-renamed network.bridges[0].ports[0]: lan0 is called ens3 now'])
        expect(problems('{ bridges: [{ name: br0, mtu: 9000 }] }', cards)).toEqual([
            'mtu-card network.bridges[0].ports: ens3 takes 1500, and 9000 is asked for',
        ])
        expect(problems('{}', { cards: [] })).toEqual([
            expect.stringMatching(/^no-primary network\.bridges\[0\]\.ports: /),
        ])
    })
})

describe('names of cards', () => {
    it('stay with the card that had them, also where another is in its place now', () => {
        const text = '[Match]\nType=ether\nPermanentMACAddress=52:54:00:00:00:01\n\n[Link]\nName=ens3\n'
        const one = parseLinks('[{"ifname":"ens3","flags":[],"address":"52:54:00:00:00:02"}]')
        const plan = (more: object, spec: object = {}) =>
            planNames(networkSpec.parse(spec), ['ens3'], {
                ...{ links: one, cards: ['ens3'], pins: {} },
                ...more,
            } as unknown as HostSeen).steps
        expect(plan({})).toMatchObject([{ do: 'write', path: '/etc/systemd/network/10-debvisor-ens3.link' }])
        const [step] = plan({ pins: { ens3: text } })
        expect(step).toMatchObject({ content: expect.stringContaining('PermanentMACAddress=52:54:00:00:00:01') })
        // A card that gets another name loses the old one.
        const moved = plan({ pins: { ens9: text } }, { nics: [{ name: 'lan0', mac: '52:54:00:00:00:01' }] })
        expect(moved.map(({ do: kind, say }) => `${kind} ${say}`)).toEqual([
            'remove Remove /etc/systemd/network/10-debvisor-ens9.link (the card is lan0 from now on)',
            expect.stringMatching(/^write .*lan0/),
            expect.stringMatching(/^write .*ens3/),
        ])
    })
})

describe('what nmcli says', () => {
    const real = (name: string) => readFileSync(join(folder, name), 'utf8')

    it('is read as 1.52 says it', () => {
        const profiles = parseProfiles(real('nmcli-connections.txt'))
        expect(profiles).toHaveLength(5)
        expect(profiles[1]).toEqual({
            ...{
                uuid: 'f8ce720f-7702-8b53-aabc-f3b8dfd64c48',
                id: 'debvisor-br0 a1b349da',
                device: 'br0',
                state: 'activated',
            },
            path: `${ETC_FOLDER}/debvisor-br0 a1b349da-f8ce720f-7702-8b53-aabc-f3b8dfd64c48.nmconnection`,
        })
        expect(profiles[4]).toMatchObject({ id: 'Wired connection 1', device: '', state: '' })
        expect(parseDevices(real('nmcli-devices.txt'))[3]).toEqual({ name: 'docker0', state: 'connected (externally)' })
    })

    it('is read with its colons and backslashes', () => {
        expect(parseProfiles('u1:a\\:b\\\\c:/run/x y.nmconnection:ens3:activated\nu2:b:/etc/z::\n')).toEqual([
            { uuid: 'u1', id: 'a:b\\c', path: '/run/x y.nmconnection', device: 'ens3', state: 'activated' },
            { uuid: 'u2', id: 'b', path: '/etc/z', device: '', state: '' },
        ])
        expect(parseDevices('ens3:connected (externally)\n')).toEqual([
            { name: 'ens3', state: 'connected (externally)' },
        ])
    })
})

describe('what init writes', () => {
    const sampleOf = (name: string) => networkSample(nodeOf(seenOf(name), host => simulatedManager(host).tools).system)

    it('is br0 over the NIC of the default route, with all names pinned', async () => {
        expect(await sampleOf('fresh')).toEqual({
            bridges: [{ name: 'br0', ports: ['ens3'], ipv4: 'dhcp', ipv6: 'auto' }],
            nics: [
                { name: 'ens3', mac: '52:54:00:12:34:56' },
                { name: 'ens4', mac: '52:54:00:12:34:57' },
            ],
        })
    })
})
