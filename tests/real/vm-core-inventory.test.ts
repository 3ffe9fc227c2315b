// The inventory of VMs against a real libvirtd: what virsh does appears, nothing is lost or doubled by a kill.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Inventory } from '../../src/capabilities/vm/inventory.ts'
import { createInventory } from '../../src/capabilities/vm/inventory-live.ts'
import { type LibvirtLink, stayConnected } from '../../src/drivers/libvirt/link.ts'
import { State } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { realClock } from '../../src/ports/real.ts'
import { bareDomain, quietLog, writeDomain } from './vm-core-world.ts'
import { type LibvirtWorld, startLibvirt, until } from './world.ts'

let world: LibvirtWorld
let link: LibvirtLink
let inventory: Inventory

beforeAll(async () => {
    world = await startLibvirt({ name: 'vmcore' })
    link = stayConnected({ socketPath: world.socketPath, clock: realClock(), log: quietLog })
    inventory = createInventory({ libvirt: link, clock: realClock(), log: quietLog })
    await inventory.ready()
})
afterAll(async () => {
    await inventory?.close()
    await link?.close()
    await world?.stop()
})

const names = () => inventory.list().map(entry => entry.name)

test('a domain made by virsh appears by itself, changes, and goes', async () => {
    await world.virsh(['define', await writeDomain(world, bareDomain('beta'))])
    await world.virsh(['define', await writeDomain(world, bareDomain('alpha'))])
    await until('both to appear', 5000, () => names().join() === 'alpha,beta')
    const alpha = inventory.resolve('alpha')
    expect(alpha).toMatchObject({ state: State.STOPPED, active: false, persistent: true, maxVcpus: 2, vcpus: 1 })
    expect(alpha.memoryBytes).toBe(64 << 20)
    expect(inventory.macs().get(alpha.macs[0]!)?.name).toBe('alpha')

    await world.virsh(['desc', 'alpha', 'a <b>note</b> & more'])
    await until('the description', 5000, () => inventory.resolve('alpha').description === 'a <b>note</b> & more')
    expect(inventory.resolve('alpha').revision).not.toBe(alpha.revision)
    await world.virsh(['domrename', 'alpha', 'gamma'])
    await until('the new name', 5000, () => names().join() === 'beta,gamma')
    expect(inventory.resolve(alpha.uuid).name).toBe('gamma')
    await world.virsh(['undefine', 'gamma'])
    await until('it to go', 5000, () => names().join() === 'beta')
    expect(() => inventory.resolve('gamma')).toThrow('There is no such VM')
})

test('a start by virsh reaches a watcher within 100 ms of the event, in the median', async () => {
    const ending = new AbortController()
    const seen: State[] = []
    const watching = (async () => {
        for await (const change of inventory.watch(ending.signal)) {
            for (const entry of change.changed) if (entry.name === 'beta') seen.push(entry.state)
        }
    })()
    const lags: number[] = []
    for (let i = 0; i < 5; i++) {
        const began = new Promise<number>(resolve => {
            const stop = link.onEvent(({ kind, event }) => {
                if (kind !== 'lifecycle' || (event as { event: number }).event !== 2) return
                stop()
                resolve(performance.now())
            })
        })
        const from = seen.length
        await world.virsh(['start', 'beta', '--paused'])
        await until('the watcher to hear of it', 5000, () => seen.slice(from).includes(State.PAUSED))
        const entry = inventory.resolve('beta')
        expect(entry.active && entry.startedMs !== undefined).toBe(true)
        lags.push(performance.now() - (await began))
        await world.virsh(['destroy', 'beta'])
        await until('it to stop', 5000, () => seen.at(-1) === State.STOPPED)
    }
    lags.sort((a, b) => a - b)
    expect(lags[2]).toBeLessThan(100)
    ending.abort()
    await watching
})

test('what differs from the next start is seen as pending, and is gone after a restart', async () => {
    await world.virsh(['start', 'beta', '--paused'])
    await until('it to run', 5000, () => inventory.resolve('beta').active)
    expect(inventory.resolve('beta').pending).toBe(false)
    await world.virsh(['setvcpus', 'beta', '2', '--config'])
    // libvirt tells nobody of a change of the next start alone: reading it again finds it.
    expect((await inventory.refresh(inventory.resolve('beta').uuid))?.pending).toBe(true)
    await world.virsh(['destroy', 'beta'])
    await until('it to stop', 5000, () => !inventory.resolve('beta').active && !inventory.resolve('beta').pending)
})

test('libvirtd killed and started again: stale meanwhile, then nothing lost or doubled', async () => {
    await world.virsh(['define', await writeDomain(world, bareDomain('delta'))])
    await world.virsh(['start', 'beta', '--paused'])
    await until('both', 5000, () => names().join() === 'beta,delta' && inventory.resolve('beta').active)
    const ending = new AbortController()
    const told: { synced: boolean; stale: boolean; removed: string[] }[] = []
    const watching = (async () => {
        for await (const change of inventory.watch(ending.signal)) told.push(change)
    })()
    await world.kill()
    await until('it to be stale', 5000, () => inventory.stale)
    expect(names().join()).toBe('beta,delta')
    await world.restart()
    await until('it to heal', 20_000, () => !inventory.stale)
    expect(names().join()).toBe('beta,delta')
    expect(inventory.resolve('beta').active).toBe(true)
    await world.virsh(['undefine', 'delta'])
    await until('events to flow again', 5000, () => names().join() === 'beta')
    await until('the watcher to hear all', 5000, () => told.at(-1)!.removed.length === 1)
    expect(told.some(change => change.stale)).toBe(true)
    expect(told.filter(change => change.synced).length).toBe(2)
    ending.abort()
    await watching
})

test('an edit with an old revision is refused, and two at once wait for each other', async () => {
    const { uuid } = inventory.resolve('beta')
    const { revision } = await inventory.inactiveXml(uuid)
    const order: string[] = []
    const first = inventory.edit(uuid, revision, async () => {
        order.push('first in')
        await world.virsh(['desc', 'beta', 'changed', '--config'])
        order.push('first out')
    })
    const second = inventory.edit(uuid, revision, async () => order.push('second in'))
    await first
    await expect(second).rejects.toMatchObject({ code: 'conflict' })
    expect(order).toEqual(['first in', 'first out'])
})
