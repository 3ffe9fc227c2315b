// The node's facts and load from this very machine and a real libvirtd.
import { createClient, createRouterTransport } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createNode } from '../../src/capabilities/node/node.ts'
import { type LibvirtLink, stayConnected } from '../../src/drivers/libvirt/link.ts'
import { NodeService } from '../../src/gen/proto/capabilities/node/node_pb.js'
import { fakeLog } from '../../src/ports/fake.ts'
import { realClock, realSystem } from '../../src/ports/real.ts'
import { type LibvirtWorld, startLibvirt, until } from './world.ts'

let world: LibvirtWorld
let libvirt: LibvirtLink
const clock = realClock()
const log = fakeLog()

beforeAll(async () => {
    world = await startLibvirt({ name: 'node' })
    libvirt = stayConnected({ socketPath: world.socketPath, clock, log })
    await until('the link to be up', 10_000, () => libvirt.up)
})
afterAll(async () => {
    await libvirt?.close()
    await world?.stop()
})

test('facts agree with what virsh and the kernel say; load has figures after a moment', async () => {
    const checks = [{ name: 'libvirt', up: () => ({ up: libvirt.up, detail: '' }) }]
    const node = createNode({ probe: realSystem(), libvirt, clock, log, version: '0.1.0', accelerator: 'tcg', checks })
    const client = createClient(
        NodeService,
        createRouterTransport(router => node.services!(router)),
    )
    await node.start!()
    const facts = await client.getFacts({})
    const version = await world.virsh(['version'])
    expect(version).toContain(`libvirt ${facts.libvirtVersion}`)
    expect(version).toContain(`QEMU ${facts.qemuVersion}`)
    const info = await world.virsh(['nodeinfo'])
    expect(Number(/CPU\(s\):\s+(\d+)/.exec(info)![1])).toBe(facts.cpus)
    // Not compared exactly: memory may be plugged into a test machine at any moment.
    expect(Number(facts.memoryBytes)).toBeGreaterThan(256 << 20)
    expect(info).toContain(facts.architecture)
    expect(facts.machineTypes).toContain(facts.architecture === 'x86_64' ? 'q35' : 'virt')
    expect(facts.cpuModels.length).toBeGreaterThan(3)
    expect(facts.kernel).toBe((await world.enter(['uname', '-r'])).trim())
    expect(facts.services).toMatchObject([{ name: 'libvirt', up: true }])
    expect(facts.findings.map(f => f.code)).toContain('accelerator')

    const stop = new AbortController()
    for await (const { load } of client.watchLoad({}, { signal: stop.signal })) {
        expect(load!.memoryTotalBytes).toBeGreaterThan(load!.memoryUsedBytes)
        expect(load!.cpu).toBeGreaterThanOrEqual(0)
        expect(load!.cpu).toBeLessThanOrEqual(1)
        break
    }
    stop.abort()
    await world.kill()
    await until('the link to be down', 5000, () => !libvirt.up)
    const without = await client.getFacts({})
    expect(without).toMatchObject({ cpus: facts.cpus, libvirtVersion: '', services: [{ up: false }] })
    await world.restart()
    await until('the link to be up again', 15_000, () => libvirt.up)
    expect((await client.getFacts({})).libvirtVersion).toBe(facts.libvirtVersion)
    await node.close!()
})
