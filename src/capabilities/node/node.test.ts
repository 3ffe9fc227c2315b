// The node: parsers against real text, findings, samples of the load, and the service while libvirt is away.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient, createRouterTransport } from '@connectrpc/connect'
import { describe, expect, test } from 'vitest'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import { NodeService } from '../../gen/proto/capabilities/node/node_pb.js'
import { fakeClock, fakeLog, fakeSystem } from '../../ports/fake.ts'
import { findingsOf } from './facts.ts'
import { createLoad } from './load.ts'
import { createNode } from './node.ts'
import * as parse from './parse.ts'

const real = (name: string) => readFileSync(join(import.meta.dirname, 'testdata/debian12', name), 'utf8')
const away = { up: false } as LibvirtLink

describe('parsing what a real Debian 12 said', () => {
    test('os-release', () => {
        expect(parse.parseOsRelease(real('os-release'))).toEqual({
            ...{ name: 'Debian GNU/Linux 12 (bookworm)', id: 'debian', version: '12' },
        })
        expect(parse.parseOsRelease('ID=arch\nNAME=Arch\n')).toEqual({ name: 'Arch', id: 'arch', version: '' })
    })

    test('cpuinfo', () => {
        const cpu = { cpus: 2, sockets: 1, coresPerSocket: 2, threadsPerCore: 1 }
        expect(parse.parseCpuinfo(real('cpuinfo'))).toEqual({ model: 'Intel(R) Xeon(R) Processor', ...cpu })
        const two = (id: number, socket: number) =>
            `processor\t: ${id}\nmodel name\t: X\nphysical id\t: ${socket}\ncpu cores\t: 2\n\n`
        const eight = Array.from({ length: 8 }, (_, id) => two(id, id >> 2)).join('')
        expect(parse.parseCpuinfo(eight)).toMatchObject({ cpus: 8, sockets: 2, coresPerSocket: 2, threadsPerCore: 2 })
        expect(parse.parseCpuinfo('')).toMatchObject({ cpus: 0, model: '' })
    })

    test('meminfo, stat, net/dev, diskstats', () => {
        const memory = parse.memoryUse(real('meminfo'))
        expect(memory.totalBytes).toBeGreaterThan(1e9)
        expect(memory.usedBytes).toBeGreaterThan(0)
        expect(memory.usedBytes).toBeLessThan(memory.totalBytes)
        const stat = parse.parseStat(real('stat'))
        expect(stat.busyTicks).toBeGreaterThan(0)
        expect(stat.busyTicks).toBeLessThan(stat.allTicks)
        expect(new Date(stat.bootedMs).getUTCFullYear()).toBeGreaterThan(2020)
        const eth0 = /eth0:\s*(\d+)/.exec(real('netdev'))![1]
        expect(parse.parseNetDev(real('netdev'), name => name === 'eth0').rxBytes).toBe(Number(eth0))
        expect(parse.parseNetDev(real('netdev'), () => false)).toEqual({ rxBytes: 0, txBytes: 0 })
        const vda = /vda \d+ \d+ (\d+)/.exec(real('diskstats'))![1]
        expect(parse.parseDiskstats(real('diskstats'), name => name === 'vda').readBytes).toBe(Number(vda) * 512)
    })

    test('capabilities of libvirt', () => {
        const { architecture, machineTypes } = parse.parseCapabilities(real('capabilities.xml'))
        expect(architecture).toBe('x86_64')
        expect(machineTypes).toEqual(expect.arrayContaining(['pc', 'q35', 'pc-q35-7.2', 'pc-i440fx-7.2']))
        const domain = parse.parseDomainCapabilities(real('domcapabilities.xml'))
        expect(domain).toMatchObject({ uefi: true, secureBoot: true, tpm: true })
        expect(domain.cpuModels.slice(0, 2)).toEqual(['maximum', 'host-model'])
        expect(domain.cpuModels).toContain('qemu64')
        expect(domain.cpuModels).not.toContain('host-passthrough')
        expect(parse.versionOf(9_000_000n)).toBe('9.0.0')
        expect(parse.versionOf(11_003_002n)).toBe('11.3.2')
        expect(() => parse.parseCapabilities('<a>')).toThrow(/XML cannot be read/)
    })
})

test('findings say what is wrong and what to do', () => {
    const fine = {
        ...{ hostname: 'n1', version: '1', os: { name: 'Debian 13', id: 'debian', version: '13' }, kernel: '6.12' },
        ...{ cpuModel: '', cpus: 1, sockets: 1, coresPerSocket: 1, threadsPerCore: 1, memoryBytes: 1, bootedMs: 0 },
        ...{ accelerator: 'kvm' as const, libvirtUp: true, architecture: 'x86_64', libvirtVersion: '11.3.0' },
        ...{ qemuVersion: '10.0.0', machineTypes: [], cpuModels: [], uefi: true, secureBoot: true, tpm: true },
        services: [{ name: 'etcd', up: true, detail: '' }],
    }
    expect(findingsOf(fine)).toEqual([])
    const missing = { severity: 'warning' as const, fix: 'Install it.' }
    expect(findingsOf({ ...fine, services: [{ name: 'docker', up: false, detail: 'none', missing }] })).toMatchObject([
        { severity: 'warning', code: 'service-down', at: 'docker', fix: 'Install it.' },
    ])
    const bad = {
        ...{ ...fine, accelerator: 'tcg' as const, uefi: false, tpm: false, qemuVersion: '' },
        ...{ os: { name: 'Debian 12', id: 'debian', version: '12' } },
        services: [{ name: 'etcd', up: false, detail: 'connection refused' }],
    }
    const found = findingsOf(bad)
    expect(found.map(f => f.code)).toEqual(['service-down', 'accelerator', 'qemu', 'uefi', 'tpm', 'os'])
    expect(found.every(f => f.fix && f.detail)).toBe(true)
    expect(found[1]?.fix).toContain('Enable virtualization')
})

function machine() {
    const files: Record<string, string> = {
        '/etc/os-release': real('os-release'),
        '/proc/sys/kernel/osrelease': '6.1.0-1-amd64\n',
        '/proc/cpuinfo': real('cpuinfo'),
        '/proc/meminfo': real('meminfo'),
        '/proc/loadavg': '1.50 1.00 0.50 1/100 1\n',
        '/sys/class/net/eth0/device': '',
        '/sys/class/net/vnet0/mtu': '1500',
        '/sys/block/vda/device': '',
        '/sys/block/loop0/size': '0',
    }
    const probe = fakeSystem({ files, hostname: 'n1' })
    const set = (path: string, text: string) => void probe.files.set(path, Buffer.from(text))
    /** The counters after so many seconds of 25 % CPU, 1000 B/s in, 500 B/s out, 512 B/s read, 1024 B/s written. */
    const at = (seconds: number) => {
        set('/proc/stat', `cpu  ${seconds * 50} 0 0 ${seconds * 150} 0 0 0 0 0 0\nbtime 1700000000\n`)
        const row = (name: string, rx: number, tx: number) => ` ${name}: ${rx} 0 0 0 0 0 0 0 ${tx} 0 0 0 0 0 0 0\n`
        set('/proc/net/dev', row('eth0', seconds * 1000, seconds * 500) + row('vnet0', seconds * 9999, 1))
        const disk = (name: string) => `254 0 ${name} 1 1 ${seconds} 1 1 1 ${seconds * 2} 1 0 1 1\n`
        set('/proc/diskstats', disk('vda') + disk('vda1') + disk('loop0'))
    }
    return { probe, at }
}

test('load: rates between samples, an hour of them, and a stream', async () => {
    const { probe, at } = machine()
    const clock = fakeClock()
    const load = createLoad({ probe, clock, log: fakeLog() })
    at(0)
    await load.start()
    expect(load.history()).toEqual([])
    at(1)
    await clock.advance(1000)
    expect(load.history()[0]).toMatchObject({
        ...{ cpu: 0.25, load1: 1.5, rxBytesPerSecond: 1000, txBytesPerSecond: 500 },
        ...{ readBytesPerSecond: 512, writtenBytesPerSecond: 1024 },
    })
    const stop = new AbortController()
    const seen: number[] = []
    const reading = (async () => {
        for await (const sample of load.watch(stop.signal)) seen.push(sample.cpu)
    })()
    at(10)
    await clock.advance(9000)
    expect(seen).toEqual([0.25, 0.25])
    stop.abort()
    await reading
    // A counter that starts anew is no negative traffic.
    at(0)
    await clock.advance(10_000)
    expect(load.history().at(-1)).toMatchObject({ cpu: 0, rxBytesPerSecond: 0 })
    await clock.advance(2 * 3600_000)
    expect(load.history()).toHaveLength(360)
    load.stop()
})

test('while libvirt is away, the facts of the machine are there, and the finding says what is not', async () => {
    const { probe, at } = machine()
    at(0)
    const log = fakeLog()
    const checks = [
        { name: 'libvirt', up: () => ({ up: false, detail: 'connection refused' }) },
        { name: 'etcd', up: () => Promise.reject(new Error('no')) },
    ]
    const node = createNode({
        probe,
        libvirt: away,
        clock: fakeClock(),
        log,
        version: '0.1.0',
        accelerator: 'tcg',
        checks,
    })
    const client = createClient(
        NodeService,
        createRouterTransport(router => node.services!(router)),
    )
    const facts = await client.getFacts({})
    expect(facts).toMatchObject({
        hostname: 'n1',
        debvisorVersion: '0.1.0',
        kernel: '6.1.0-1-amd64',
        cpus: 2,
        accelerator: 'tcg',
    })
    expect(facts.services.map(s => [s.name, s.up])).toEqual([
        ['libvirt', false],
        ['etcd', false],
    ])
    expect(facts.findings.map(f => f.code)).toEqual(['service-down', 'service-down', 'accelerator', 'os'])
    expect((await client.getLoad({})).history).toEqual([])
})
