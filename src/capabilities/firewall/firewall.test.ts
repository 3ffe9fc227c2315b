// The firewall on simulated machines: the golden plans, applied twice, and a change that comes back by itself.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { runCases } from '../../../tests/cases.ts'
import { apply } from '../../engine/apply.ts'
import { readDocument } from '../../engine/document.ts'
import { kitOf } from '../../engine/kit.ts'
import type { Resource } from '../../engine/resource.ts'
import { type SimulatedNode, simulatedNode } from '../../engine/testing/node.ts'
import { type FakeTool, fakeClock } from '../../ports/fake.ts'
import { exposedIn, exposedKey, exposedText } from './exposed.ts'
import { firewallGuard } from './guard.ts'
import { BEFORE_FILE, type FirewallWant, planFirewall, RESTORE_UNIT, RULES_FILE } from './plan.ts'
import { reachBy } from './reach.ts'
import { firewallResources, firewallTools } from './resources.ts'
import { type Open, rulesText } from './rules.ts'
import { checkFirewall, firewallSpec } from './spec.ts'

const schema = z.strictObject({ firewall: firewallSpec.prefault({}) })
const kit = kitOf(firewallTools, [firewallGuard])
const resources = firewallResources<z.infer<typeof schema>>({
    openings: () => [
        { port: 22, protocol: 'tcp', from: 'any', why: 'SSH' },
        { port: 9090, protocol: 'tcp', from: ['10.1.0.0/16', 'fd00::/8'], why: 'Cockpit' },
    ],
    bridges: () => ['br0'],
    admits: (networks, address) => networks.some(network => address.startsWith(network.split('.')[0]!)),
})

// What is loaded, who is connected and what iptables does by itself are files of the simulated machine.
const LOADED = '/run/simulated/loaded'
const PEERS = '/run/simulated/peers'
const FORWARD = '/run/simulated/forward'

function tools(host: () => SimulatedNode): FakeTool[] {
    const text = (path: string) => host().system.readText(path)
    const set = (path: string, value: string) => void host().system.files.set(path, Buffer.from(value))
    const load = (rules = '') => {
        const mark = /comment "(debvisor .*)"/.exec(rules)?.[1]
        if (mark) set(LOADED, mark)
        else host().system.files.delete(LOADED)
    }
    return [
        {
            argv: argv => argv[0] === '/usr/sbin/nft',
            answer: async ({ argv }) => {
                const [, verb, last] = [argv[0], argv[1], argv.at(-1)!]
                const mark = await text(LOADED)
                if (verb === 'list')
                    return mark ? { stdout: `table inet debvisor {\n\tcomment "${mark}"\n}\n` } : { exitCode: 1 }
                host().onTouch(argv)
                if (verb === 'delete') host().system.files.delete(LOADED)
                if (verb === '--file') load(await text(last))
                return {}
            },
        },
        { argv: argv => argv[0] === '/usr/bin/ss', answer: async () => ({ stdout: (await text(PEERS)) ?? '' }) },
        {
            argv: argv => argv[0] === '/usr/sbin/iptables',
            answer: async ({ argv }) => {
                if (argv.includes('-P')) set(FORWARD, `-P FORWARD ${argv.at(-1)}\n`)
                return { stdout: (await text(FORWARD)) ?? '-P FORWARD ACCEPT\n' }
            },
        },
        { argv: argv => argv[0] === 'systemd-run', answer: {} },
    ]
}

/** What the restoring unit does: when the timer fires, when it is started, at boot. */
async function restore({ system }: SimulatedNode): Promise<void> {
    const before = await system.readText(BEFORE_FILE)
    if (before === undefined) return
    await system.rename(BEFORE_FILE, RULES_FILE)
    await system.run({ argv: ['/usr/sbin/nft', '--file', RULES_FILE], deadlineMs: 1 })
}

describe('the firewall of a node', () => {
    const folder = join(import.meta.dirname, 'testdata')
    runCases({ folder, schema, checks: [checkFirewall], resources, kit, tools })
})

describe('a plan of the firewall', () => {
    const want = (from: FirewallWant['open'][number]['from']): FirewallWant => ({
        ...{ enabled: true, rules: 'rules', mark: 'debvisor 1', cluster: ['10.7.0.0/16'] },
        open: [{ port: 22, protocol: 'tcp', from, why: 'SSH' }],
    })
    const seen = { offline: false, peers: ['10.1.0.9', '192.0.2.7'], ufw: false, forwardDrops: false }
    const admits = (networks: readonly string[], address: string) =>
        networks.some(network => network.split('.')[0] === address.split('.')[0])
    const shut = (from: Parameters<typeof want>[0]) =>
        planFirewall(want(from), seen, admits).findings?.map(({ severity, code, detail }) => [severity, code, detail])

    it('is refused where somebody who is connected could not connect again', () => {
        expect(shut('any')).toEqual([])
        expect(shut(['10.0.0.0/8', '192.0.2.0/24'])).toEqual([])
        expect(shut('cluster')).toEqual([['error', 'ssh-shut', '192.0.2.7']])
        expect(shut([])).toEqual([['error', 'ssh-shut', '10.1.0.9, 192.0.2.7']])
    })

    it('loads again what is written and not loaded, and only writes where nothing runs', () => {
        const steps = (more: object) =>
            planFirewall(want('any'), { ...seen, ...more }, admits).steps.map(step =>
                step.do === 'guard' ? step.steps.map(inner => inner.do) : step.do,
            )
        expect(steps({ content: 'rules' })).toEqual([['run', 'run']])
        expect(steps({ content: 'rules', loaded: 'debvisor 0' })).toEqual([['run', 'run']])
        expect(steps({ content: 'rules', loaded: 'debvisor 1' })).toEqual([])
        expect(steps({ content: 'old', loaded: 'debvisor 1' })).toEqual([['run', 'write', 'run']])
        expect(steps({ offline: true })).toEqual(['write'])
    })
})

describe('a change of the firewall', () => {
    function machine(break_: (argv: readonly string[]) => { exitCode: number } | undefined = () => undefined) {
        const node: SimulatedNode = simulatedNode({
            packages: ['nftables'],
            files: { '/proc/1/stat': `1 (x) ${'0 '.repeat(30)}` },
            tools: [
                { argv: argv => break_(argv) !== undefined, answer: ({ argv }) => break_(argv)! },
                ...tools(() => node),
            ],
        })
        return node
    }
    const set = (node: SimulatedNode, open: string, retry = false) => {
        const text = `firewall: { open: ${open} }`
        const { document } = readDocument(text, schema, [checkFirewall])
        const deps = {
            resources: resources as readonly unknown[] as Resource[],
            kit,
            touch: node.touch,
            clock: fakeClock(),
            pid: 1,
        }
        return apply(deps, { document, text, by: 'test', retry, signal: new AbortController().signal })
    }
    const web = '[{ port: 80, why: web }]'

    it('is confirmed once its rules are loaded: nothing comes back any more', async () => {
        const node = machine()
        expect((await set(node, web)).failed).toEqual([])
        expect(await node.system.readText(BEFORE_FILE)).toBeUndefined()
        const timer = RESTORE_UNIT.replace('service', 'timer')
        expect(node.system.ran.filter(argv => argv[0] === 'systemd-run')).toEqual([
            ['systemd-run', '--on-active=60s', '--timer-property=AccuracySec=1s', `--unit=${RESTORE_UNIT}`],
        ])
        expect(node.system.ran.at(-1)).not.toContain('systemd-run')
        expect(node.system.ran).toContainEqual(['systemctl', 'stop', '--', timer])
        const rules = await node.system.readText(RULES_FILE)
        await restore(node)
        expect(await node.system.readText(RULES_FILE)).toBe(rules)
    })

    it('comes back when its rules are not loaded in the end, and is not tried again unasked', async () => {
        let broken = false
        const node = machine(argv =>
            broken && argv[0] === '/usr/sbin/nft' && argv[1] === '--file' ? { exitCode: 1 } : undefined,
        )
        await set(node, '[]')
        const rules = await node.system.readText(RULES_FILE)
        broken = true
        const { failed } = await set(node, web)
        expect(failed).toMatchObject([{ resource: 'firewall.rules' }])
        expect(node.system.ran).toContainEqual(['systemctl', 'start', '--', RESTORE_UNIT])
        broken = false
        await restore(node)
        expect(await node.system.readText(RULES_FILE)).toBe(rules)
        expect((await set(node, web)).failed[0]?.problem.summary).toMatch(/tried before/)
        expect((await set(node, web, true)).failed).toEqual([])
    })

    it('comes back when the process or the power is gone before it was confirmed', async () => {
        const node = machine()
        await set(node, '[]')
        const rules = await node.system.readText(RULES_FILE)
        const loaded = await node.system.readText(LOADED)
        node.onTouch = argv => {
            if (argv[0] === '/usr/sbin/nft' && argv[1] === '--file') throw new Error('the power is gone')
        }
        await set(node, web)
        expect(await node.system.readText(RULES_FILE)).not.toBe(rules)
        node.onTouch = () => {}
        await restore(node)
        expect(await node.system.readText(RULES_FILE)).toBe(rules)
        expect(await node.system.readText(LOADED)).toBe(loaded)
    })

    it('keeps what was there before the first of two changes that were cut off', async () => {
        const node = machine()
        await node.system.writeFile(RULES_FILE, 'good')
        await firewallGuard.open(node.system, 60_000)
        await node.system.writeFile(RULES_FILE, 'bad')
        await firewallGuard.open(node.system, 60_000)
        expect(await node.system.readText(BEFORE_FILE)).toBe('good')
    })
})

describe('ports of single containers', () => {
    const web = { protocol: 'tcp', port: 8080, address: '172.17.0.2' }
    const dns = { protocol: 'udp', port: 53, address: '172.17.0.3' }

    it('are written whole each time, and read back as they were', () => {
        expect(exposedText([])).not.toContain('add element')
        expect(exposedIn(exposedText([web, dns, web]))).toEqual(new Set([web, dns].map(exposedKey)))
        expect(exposedIn(undefined).size).toBe(0)
    })

    it('are numbers and addresses, and nothing that nft would obey', () => {
        const wrong = [
            ...[{ protocol: 'sctp' }, { port: 0 }, { port: 65536 }, { port: 80.5 }, { address: '' }],
            ...[{ address: '1.2.3.256' }, { address: 'fd00::1' }, { address: '1.2.3.4 }; flush ruleset; {' }],
        ]
        for (const change of wrong) expect(() => exposedText([{ ...web, ...change }])).toThrow(/cannot be opened/)
    })

    it('are told with whom they are open to, and by what', () => {
        const rules = (stacks: Open['from']) =>
            rulesText(
                {
                    cluster: [],
                    open: [{ port: 8080, protocol: 'tcp', from: ['fd00::/8', '10.2.0.0/16'], why: 'x' }],
                    stacks,
                    bridges: [],
                },
                'm',
            )
        const about = (on: { stacks?: Open['from']; exposed?: string }, change: object = {}) =>
            reachBy({ rules: rules(on.stacks ?? ['10.1.0.0/16']), exposed: on.exposed })({
                ...{ host: 8081, protocol: 'tcp', address: '0.0.0.0', addresses: ['172.17.0.2'], bridges: [''] },
                ...change,
            })
        const exposed = exposedText([{ ...web, port: 8081 }])
        expect(about({}, { address: '127.0.0.1' })).toEqual({ words: 'this node only', open: false })
        expect(about({})).toEqual({ words: 'nobody outside: closed by the firewall', open: false })
        expect(about({ exposed }).words).toBe('10.1.0.0/16: exposed, as firewall.stacks says')
        expect(about({ exposed }, { addresses: ['172.17.0.9'] }).open).toBe(false)
        expect(about({ exposed }, { address: '::' }).open).toBe(false)
        expect(about({ exposed, stacks: [] }).words).toBe('nobody outside: firewall.stacks names nobody')
        expect(about({ stacks: 'any' }, { bridges: ['br-dv0123456789'] }).words).toMatch(/^everybody: exposed/)
        expect(about({}, { host: 8080 }).words).toBe('10.2.0.0/16, fd00::/8: the document opens it')
        const bare = reachBy({ rules: undefined, exposed: undefined })
        const port = { host: 1, protocol: 'tcp', address: '0.0.0.0', addresses: [], bridges: [] }
        expect(bare(port).words).toMatch(/^everybody: this node has no firewall/)
    })
})
