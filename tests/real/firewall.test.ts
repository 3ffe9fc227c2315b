// The rules of the firewall in a kernel: a node in a network namespace of its own, with a bridge, two VMs, a host outside
// and a container behind a published port, and who reaches whom over TCP.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Open, rulesText } from '../../src/capabilities/firewall/rules.ts'
import { reach } from './reach.ts'

// A prefix per run, so that two runs can live side by side.
const id = randomBytes(2).toString('hex')
const space = (name: string) => `dvfw-${id}-${name}`
const node = space('node')
const NODE = '10.231.0.1'
const NODE_SIX = 'fd00:231::1'
const CONTAINER = '172.30.7.2'
const listeners: ChildProcess[] = []

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' })
const inside = (name: string, ...args: string[]) =>
    execFileSync('ip', ['netns', 'exec', name, ...args], { stdio: 'pipe' })
const nft = (text: string) => execFileSync('ip', ['netns', 'exec', node, 'nft', '-f', '-'], { input: text })

/** A namespace that is a port of a bridge of the node. */
function neighbour(name: string, bridge: string, address: string, gateway?: string): string {
    const ns = space(name)
    ip('netns', 'add', ns)
    ip('-n', node, 'link', 'add', `v-${name}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', ns)
    ip('-n', node, 'link', 'set', `v-${name}`, 'master', bridge, 'up')
    ip('-n', ns, 'link', 'set', 'lo', 'up')
    ip('-n', ns, 'link', 'set', 'eth0', 'up')
    ip('-n', ns, 'address', 'add', address, 'dev', 'eth0')
    if (gateway) ip('-n', ns, 'route', 'add', 'default', 'via', gateway)
    return ns
}

/** Answers on these TCP ports until the end of the tests. */
async function listen(ns: string, ...ports: number[]): Promise<void> {
    const script = `const net = require('node:net'); let left = ${ports.length}
        for (const port of ${JSON.stringify(ports)})
            net.createServer(s => s.end()).listen(port, '::', () => --left || console.log('ready'))`
    const child = spawn('ip', ['netns', 'exec', ns, process.execPath, '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
    })
    listeners.push(child)
    await new Promise<void>((resolve, reject) => {
        child.stdout!.once('data', () => resolve())
        child.once('exit', () => reject(new Error('the listener has ended')))
    })
}

const any = (port: number | string, why = 'test'): Open => ({ port, protocol: 'tcp', from: 'any', why })
const load = (...open: Open[]) =>
    nft(
        rulesText(
            { cluster: ['10.231.0.3/32'], open, stacks: ['10.231.0.3/32'], bridges: ['br0'] },
            `mark ${open.length}`,
        ),
    )

let outside = ''
let vm = ''
let container = ''

beforeAll(async () => {
    ip('netns', 'add', node)
    ip('-n', node, 'link', 'set', 'lo', 'up')
    for (const [bridge, address] of [
        ['br0', `${NODE}/24`],
        ['docker0', '172.30.7.1/24'],
    ] as const) {
        ip('-n', node, 'link', 'add', bridge, 'type', 'bridge', 'forward_delay', '0')
        ip('-n', node, 'address', 'add', address, 'dev', bridge)
        ip('-n', node, 'link', 'set', bridge, 'up')
    }
    ip('-n', node, 'address', 'add', `${NODE_SIX}/64`, 'dev', 'br0', 'nodad')
    inside(node, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.bridge.bridge-nf-call-iptables=1')
    outside = neighbour('out', 'br0', '10.231.0.2/24')
    ip('-n', outside, 'address', 'add', 'fd00:231::2/64', 'dev', 'eth0', 'nodad')
    vm = neighbour('vm', 'br0', '10.231.0.3/24')
    container = neighbour('ct', 'docker0', `${CONTAINER}/24`, '172.30.7.1')
    // As Docker publishes 8080 → 80, and what it drops where it turned forwarding on itself.
    nft(`table ip dockerlike {
        chain prerouting { type nat hook prerouting priority dstnat; fib daddr type local tcp dport 8080 dnat to ${CONTAINER}:80; }
        chain postrouting { type nat hook postrouting priority srcnat; ip saddr 172.30.7.0/24 oifname != "docker0" masquerade; }
        chain forward { type filter hook forward priority filter; policy accept; }
    }`)
    await listen(node, 22, 9443, 5555, 80)
    await listen(container, 80)
    await listen(vm, 7000)
    await listen(outside, 7001)
})
afterAll(() => {
    for (const child of listeners) child.kill('SIGKILL')
    for (const name of ['node', 'out', 'vm', 'ct'])
        try {
            ip('netns', 'del', space(name))
        } catch {
            // It was never made.
        }
})

describe('the firewall in a kernel', () => {
    test('without it everything is open: the world is as it should be', async () => {
        expect(await reach(outside, NODE, 22)).toBe('open')
        expect(await reach(outside, NODE, 5555)).toBe('open')
        expect(await reach(outside, NODE, 8080)).toBe('open')
        expect(await reach(outside, NODE, 5556)).toBe('refused')
    })

    test('what is open is open, the rest is dropped, over IPv4 and IPv6', async () => {
        load(any(22), { ...any(9443), from: 'cluster' }, { ...any(5555), from: ['10.231.0.3/32', 'fd00::/8'] })
        expect(await reach(outside, NODE, 22)).toBe('open')
        expect(await reach(outside, NODE, 5555)).toBe('dropped')
        expect(await reach(vm, NODE, 5555)).toBe('open')
        expect(await reach(outside, NODE, 9443)).toBe('dropped')
        expect(await reach(vm, NODE, 9443)).toBe('open')
        // IPv6 needs neighbours to be found by ICMPv6 first.
        expect(await reach(outside, NODE_SIX, 22)).toBe('open')
        expect(await reach(outside, NODE_SIX, 9443)).toBe('dropped')
        expect(await reach(node, '127.0.0.1', 5555)).toBe('open')
    })

    test('the published port of a container is closed, until the document opens it as others see it', async () => {
        load(any(22), any(80))
        // 80 is the port of the container, and of the node itself: opening that does not open 8080.
        expect(await reach(outside, NODE, 8080)).toBe('dropped')
        expect(await reach(outside, NODE, 80)).toBe('open')
        load(any(22), any('8080-8090'))
        expect(await reach(outside, NODE, 8080)).toBe('open')
        expect(await reach(outside, NODE, 80)).toBe('dropped')
    })

    test('what a stack publishes for others is reached by those whom the document lets, behind its own bridges alone', async () => {
        load(any(22))
        expect(await reach(vm, NODE, 8080)).toBe('dropped')
        // Docker's own bridge, with the name that the network of a stack has.
        ip('-n', node, 'link', 'set', 'docker0', 'down')
        ip('-n', node, 'link', 'set', 'docker0', 'name', 'br-dv0123456789')
        ip('-n', node, 'link', 'set', 'br-dv0123456789', 'up')
        try {
            expect(await reach(vm, NODE, 8080)).toBe('open')
            expect(await reach(outside, NODE, 8080)).toBe('dropped')
            expect(await reach(container, '10.231.0.2', 7001)).toBe('open')
        } finally {
            ip('-n', node, 'link', 'set', 'br-dv0123456789', 'down')
            ip('-n', node, 'link', 'set', 'br-dv0123456789', 'name', 'docker0')
            ip('-n', node, 'link', 'set', 'docker0', 'up')
        }
    })

    test('nobody gets to a container by a route past the published port', async () => {
        load(any(80), any(8080))
        ip('-n', outside, 'route', 'replace', '172.30.7.0/24', 'via', NODE)
        expect(await reach(outside, CONTAINER, 80)).toBe('dropped')
    })

    test('TCP between ports of the bridge passes, and containers reach the world', async () => {
        load(any(22))
        expect(await reach(outside, '10.231.0.3', 7000)).toBe('open')
        expect(await reach(vm, '10.231.0.2', 7001)).toBe('open')
        expect(await reach(container, '10.231.0.2', 7001)).toBe('open')
        expect(await reach(node, '10.231.0.2', 7001)).toBe('open')
        expect(await reach(node, CONTAINER, 80)).toBe('open')
        // The kernel does ask the firewall about what only crosses the bridge.
        nft(rulesText({ cluster: [], open: [any(22)], stacks: 'any', bridges: [] }, 'no bridge'))
        expect(await reach(outside, '10.231.0.3', 7000)).toBe('dropped')
    })

    test('it survives that others load and flush their own, and drops what they would accept', async () => {
        load(any(22))
        nft('flush chain ip dockerlike forward')
        nft(
            'table ip dockerlike { chain input { type filter hook input priority filter; policy accept; tcp dport 5555 accept; }; }',
        )
        expect(await reach(outside, NODE, 5555)).toBe('dropped')
        expect(inside(node, 'nft', 'list', 'table', 'inet', 'debvisor').toString()).toContain('comment "mark 1"')
    })

    test('rules that cannot be read leave those of before in place', async () => {
        load(any(22))
        expect(() =>
            nft(rulesText({ cluster: [], open: [any('99999')], stacks: 'any', bridges: [] }, 'broken')),
        ).toThrow()
        expect(await reach(outside, NODE, 22)).toBe('open')
        expect(await reach(outside, NODE, 5555)).toBe('dropped')
    })
})
