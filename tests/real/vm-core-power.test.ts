// Power over the API against a real libvirtd: a guest that obeys, one that does not, and states that do not allow it.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { State, Then } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { bareDomain, startVmWorld, type VmWorld } from './vm-core-world.ts'
import { tinyGuest, until } from './world.ts'

let own: VmWorld
beforeAll(async () => {
    own = await startVmWorld({ name: 'vmpower' })
})
afterAll(() => own?.stop())

const stateOf = (vm: string) => own.vm.inventory.resolve(vm).state

test('a guest boots, is paused and goes on, reboots, and shuts down when asked', async () => {
    const { kernelPath, initrdPath, commandLine, marker } = await tinyGuest()
    const log = join(own.world.folder, 'serial.log')
    await own.define(
        bareDomain('tiny', {
            memoryMib: 256,
            os: `<kernel>${kernelPath}</kernel><initrd>${initrdPath}</initrd><cmdline>${commandLine}</cmdline>`,
            devices: `<serial type='file'><source path='${log}' append='on'/></serial>`,
        }),
    )
    const boots = async () => (await readFile(log, 'utf8').catch(() => '')).split(marker).length - 1
    const plan = await own.client.start({ vm: 'tiny', dryRun: true })
    expect(plan).toMatchObject({ task: '', plan: [{ sentence: 'Start tiny' }] })
    await own.done(await own.client.start({ vm: 'tiny' }))
    expect(stateOf('tiny')).toBe(State.RUNNING)
    await expect(own.client.start({ vm: 'tiny' })).rejects.toThrow('The VM runs already')
    await until('the guest to be up', 90_000, async () => (await boots()) === 1)

    await own.done(await own.client.suspend({ vm: 'tiny' }))
    expect(stateOf('tiny')).toBe(State.PAUSED)
    await expect(own.client.shutdown({ vm: 'tiny' })).rejects.toThrow('The VM is paused')
    await expect(own.client.suspend({ vm: 'tiny' })).rejects.toThrow('The VM is paused')
    await own.done(await own.client.resume({ vm: 'tiny' }))
    expect(stateOf('tiny')).toBe(State.RUNNING)
    await expect(own.client.resume({ vm: 'tiny' })).rejects.toThrow('The VM is not paused')

    await own.vm.figures.sample()
    await own.vm.figures.sample()
    const { history } = await own.client.getFigures({ vm: 'tiny' })
    expect(history.length).toBeGreaterThanOrEqual(1)
    expect(history[0]!.memoryBytes).toBe(256n << 20n)
    expect(history[0]!.cpu).toBeGreaterThanOrEqual(0)

    await own.done(await own.client.reboot({ vm: 'tiny' }))
    await until('the guest to be up again', 90_000, async () => (await boots()) === 2)
    await own.done(await own.client.reset({ vm: 'tiny' }))
    await until('the guest to be up after the reset', 90_000, async () => (await boots()) === 3)

    const begun = await own.client.shutdown({ vm: 'tiny', deadlineSeconds: 60 })
    expect(begun.plan.map(step => step.sentence).join()).toContain('Ask tiny to shut down')
    await own.done(begun)
    expect(own.vm.inventory.resolve('tiny')).toMatchObject({ state: State.STOPPED, reason: 'shutdown' })
    await expect(own.client.stop({ vm: 'tiny' })).rejects.toThrow('The VM does not run')
})

test('a guest that does not listen: the task fails at the deadline, or the plug is pulled', async () => {
    await own.define(bareDomain('deaf'))
    await own.done(await own.client.start({ vm: 'deaf' }))
    const failed = await own.ended(await own.client.shutdown({ vm: 'deaf', deadlineSeconds: 2 }))
    expect(failed).toMatchObject({ state: 'failed', problem: { code: 'deadline' } })
    expect(failed.problem?.fix).toContain('stop it by force')
    expect(stateOf('deaf')).toBe(State.RUNNING)
    const begun = await own.client.shutdown({ vm: 'deaf', deadlineSeconds: 60 })
    await until('it to wait', 5000, () => own.tasks.get(begun.task)?.phase === 'waiting for the guest')
    await own.tasks.cancel(begun.task)
    expect(await own.ended(begun)).toMatchObject({ state: 'cancelled' })
    expect(stateOf('deaf')).toBe(State.RUNNING)
    await own.done(await own.client.shutdown({ vm: 'deaf', deadlineSeconds: 1, onDeadline: Then.FORCE }))
    expect(own.vm.inventory.resolve('deaf')).toMatchObject({ state: State.STOPPED, reason: 'destroyed' })
})

test('a shutdown that a restart of the daemon interrupts is taken up again and kept', async () => {
    await own.done(await own.client.start({ vm: 'deaf' }))
    const begun = await own.client.shutdown({ vm: 'deaf', deadlineSeconds: 8, onDeadline: Then.FORCE })
    await until('it to wait', 5000, () => own.tasks.get(begun.task)?.phase === 'waiting for the guest')
    await own.restart()
    expect(own.tasks.get(begun.task)?.state).toBe('running')
    expect(stateOf('deaf')).toBe(State.RUNNING)
    await own.done(begun)
    expect(stateOf('deaf')).toBe(State.STOPPED)
})

test('a template is not started, and becomes a VM again', async () => {
    await own.done(await own.client.setTemplate({ vm: 'deaf', template: true }))
    expect(own.vm.inventory.resolve('deaf').template).toBe(true)
    await expect(own.client.start({ vm: 'deaf' })).rejects.toThrow('A template cannot be started')
    await own.done(await own.client.setTemplate({ vm: 'deaf', template: false }))
    await own.done(await own.client.start({ vm: 'deaf', paused: true }))
    expect(stateOf('deaf')).toBe(State.PAUSED)
    await expect(own.client.setTemplate({ vm: 'deaf', template: true })).rejects.toThrow('running VM')
    await own.done(await own.client.stop({ vm: 'deaf' }))
})

test('all guests are shut down in reverse order, and who does not go is told', async () => {
    for (const [name, order] of [
        ['first', 1],
        ['second', 2],
    ] as const) {
        await own.define(bareDomain(name))
        await own.done(await own.client.update({ vm: name, startOrder: order, autostart: true }))
        expect(own.vm.inventory.resolve(name)).toMatchObject({ ordered: true, autostart: false, startOrder: order })
        await own.done(await own.client.start({ vm: name }))
    }
    const said: string[] = []
    const options = { deadlineMs: 300, signal: new AbortController().signal, say: (line: string) => said.push(line) }
    const left = await own.vm.shutdownAll({ ...options, force: false })
    expect(left.map(entry => entry.name).sort()).toEqual(['first', 'second'])
    expect(await own.vm.shutdownAll({ ...options, force: true })).toEqual([])
    const pulled = said.filter(line => line.includes('pulling')).map(line => line.split(':')[0])
    expect(pulled).toEqual(['second', 'first'])
})
