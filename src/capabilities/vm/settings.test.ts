// An update that waited for its turn changes what was asked for, and nothing that others changed meanwhile.
import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { Fault } from '../../base/fault.ts'
import type { RunningTask } from '../../engine/task.ts'
import { UpdateRequestSchema } from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { VmEntry } from './inventory.ts'
import { checkGrantingTags, planUpdate, type SettingsDeps } from './settings.ts'
import { VM_NAMESPACE } from './xml/document.ts'
import { metadataText, noMetadata, type VmMetadata } from './xml/metadata.ts'

const domainWith = (metadata: Partial<VmMetadata>): string => {
    const ours = metadataText({ ...noMetadata(), ...metadata }).replace(/^<vm/, `<vm xmlns='${VM_NAMESPACE}'`)
    const size = `<memory unit='KiB'>1024</memory><vcpu>1</vcpu><os><type machine='q35'>hvm</type></os>`
    return `<domain><name>web1</name>${size}<metadata>${ours}</metadata></domain>`
}

const entry = { uuid: 'u', name: 'web1', persistent: true, active: false, autostart: false } as VmEntry

/** A VM that is as `before` when an update is planned, and as `later` when its turn comes. */
function world(before: Partial<VmMetadata>, later: Partial<VmMetadata>, granting: string[] = []) {
    const calls: [string, { metadata?: string | null; autostart?: number }][] = []
    const deps = {
        inventory: {
            inactiveXml: async () => ({ xml: domainWith(before), revision: 'r' }),
            byUuid: () => ({ ...entry, autostart: true }),
            edit: (_uuid: string, _revision: string, work: (xml: string) => Promise<void>) => work(domainWith(later)),
        },
        libvirt: { connection: () => ({ call: async (...call: (typeof calls)[number]) => void calls.push(call) }) },
        host: { facts: async () => ({ machines: [], cpuModels: [] }) },
        checkTags: (from: readonly string[], to: readonly string[]) => checkGrantingTags(from, to, new Set(granting)),
    } as unknown as SettingsDeps
    return { deps, calls }
}
const task = { say: () => undefined } as unknown as RunningTask

test('what others changed since the plan stays', async () => {
    const { deps, calls } = world({ tags: ['old'], owner: 'ann' }, { tags: ['new'], owner: 'bob', template: true })
    const change = await planUpdate(deps, entry, create(UpdateRequestSchema, { notes: 'mine' }))
    await change.work(task)
    expect(calls.map(([name]) => name)).toEqual(['domainSetMetadata'])
    const text = calls[0]![1].metadata!
    for (const part of ['<tag>new</tag>', '<owner>bob</owner>', '<template/>', '<notes>mine</notes>'])
        expect(text).toContain(part)
    expect(text).not.toContain('old')
})

test('autostart that others turned on is not turned off', async () => {
    const { deps, calls } = world({}, {})
    await (await planUpdate(deps, entry, create(UpdateRequestSchema, { notes: 'mine' }))).work(task)
    expect(calls.map(([name]) => name)).not.toContain('domainSetAutostart')
})

test('a tag with rights that came since the plan is not taken by who may not', async () => {
    const { deps, calls } = world({ tags: ['a'] }, { tags: ['a', 'admins'] }, ['admins'])
    const change = await planUpdate(deps, entry, create(UpdateRequestSchema, { tags: { tags: ['a', 'b'] } }))
    const refused = await change.work(task).catch((thrown: unknown) => thrown)
    expect(refused).toBeInstanceOf(Fault)
    expect(refused).toMatchObject({ code: 'denied', detail: 'admins' })
    expect(calls).toEqual([])
})

test('start order and delay have the bounds that they have for a new VM', async () => {
    const plan = (init: { startOrder?: number; startDelaySeconds?: number }) =>
        planUpdate(world({}, {}).deps, entry, create(UpdateRequestSchema, init))
    await expect(plan({ startOrder: 10_000 })).rejects.toMatchObject({ findings: [{ code: 'start-order' }] })
    await expect(plan({ startDelaySeconds: 3601 })).rejects.toMatchObject({ findings: [{ code: 'start-order' }] })
    await plan({ startOrder: 9999, startDelaySeconds: 3600 })
})
