// What is refused before a VM is started or shut down.
import { describe, expect, test } from 'vitest'
import { State } from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { VmEntry } from './inventory.ts'
import { beginShutdownAll } from './lifecycle.ts'
import { type PowerDeps, planShutdown, startVm } from './power.ts'

const entry = { uuid: 'u', name: 'web1', networks: ['lan'], disks: [], persistent: true } as unknown as VmEntry

function world() {
    const calls: string[] = []
    const call = async (name: string) => {
        calls.push(name)
        return name === 'networkLookupByName' ? { net: {} } : { active: 0 }
    }
    const deps = {
        clock: { now: () => 0 },
        inventory: { resolve: () => entry, refresh: async () => undefined, list: () => [] },
        libvirt: { connection: () => ({ call, callAlone: call }) },
    } as unknown as PowerDeps
    return { deps, calls }
}

describe('a VM on a network that sleeps', () => {
    test('is refused to who may not know of networks, and nothing is started', async () => {
        const { deps, calls } = world()
        await expect(startVm(deps, 'u')).rejects.toMatchObject({ code: 'precondition', detail: 'lan' })
        expect(calls).not.toContain('networkCreate')
        expect(calls).not.toContain('domainCreateWithFlags')
    })

    test('is started with it for others', async () => {
        const { deps, calls } = world()
        await startVm(deps, 'u', { wakesNetworks: true })
        expect(calls.slice(-2)).toEqual(['networkCreate', 'domainCreateWithFlags'])
    })
})

describe('the deadline of a shutdown', () => {
    const running = { ...entry, active: true, state: State.RUNNING } as VmEntry
    const plan = (seconds: number) => planShutdown(world().deps, running, { deadlineMs: seconds * 1000, force: true })
    const all = (seconds: number) =>
        beginShutdownAll(world().deps, { deadlineSeconds: seconds, force: true, dryRun: true, owner: 'ann' })

    test('is at most a day', async () => {
        expect(plan(86_400).kind).toBe('vm.shutdown')
        expect((await all(86_400)).plan).toEqual([])
    })

    test.each([86_401, 4_294_967_295])('%i s are refused: a timer that long fires at once', async seconds => {
        const refusal = { code: 'invalid', at: 'deadline_seconds' }
        expect(() => plan(seconds)).toThrow(expect.objectContaining(refusal))
        await expect(all(seconds)).rejects.toMatchObject(refusal)
    })
})
