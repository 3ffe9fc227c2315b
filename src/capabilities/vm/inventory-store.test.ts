// The store of VMs: finding, ordering, and watchers that get each change once, however slow they read.
import { fromBinary, fromJsonString } from '@bufbuild/protobuf'
import { beforeEach, expect, test } from 'vitest'
import { State, VmSchema } from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { Clock } from '../../ports/ports.ts'
import type { InventoryChange, VmEntry } from './inventory.ts'
import { createStore, type Store } from './inventory-store.ts'

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const vm = (n: number, more: Partial<VmEntry> = {}): VmEntry => ({
    uuid: uuid(n),
    name: `vm${n}`,
    dom: { name: `vm${n}`, uuid: Buffer.alloc(16, n), id: -1 },
    state: State.STOPPED,
    reason: 'shutdown',
    active: false,
    persistent: true,
    autostart: false,
    memoryBytes: 1024,
    maxMemoryBytes: 2048,
    vcpus: 1,
    maxVcpus: 2,
    firmware: 'bios',
    description: '',
    tags: [],
    owner: '',
    template: false,
    startOrder: 0,
    startDelaySeconds: 0,
    ordered: false,
    networks: [],
    macs: [`52:54:00:00:00:0${n}`],
    paths: [`/images/${n}`],
    disks: [`/images/${n}`],
    revision: 'a',
    pending: false,
    agentConnected: false,
    cpu: 0,
    seed: '',
    ...more,
})

let timers: (() => void)[]
let store: Store
beforeEach(() => {
    timers = []
    const clock: Clock = {
        now: () => 0,
        ticks: () => 0,
        after: (_, call) => {
            timers.push(call)
            return () => {
                timers = timers.filter(timer => timer !== call)
            }
        },
        every: () => () => {},
    }
    store = createStore(clock)
})
const names = () => store.list().map(entry => entry.name)

test('the list is in order of names through additions, renames and removals; what was handed out stays', () => {
    for (const n of [3, 1, 2]) store.put(vm(n))
    const before = store.list()
    store.put(vm(2, { name: 'a' }))
    store.drop(uuid(3))
    store.drop(uuid(9))
    expect(names()).toEqual(['a', 'vm1'])
    expect(before.map(entry => entry.name)).toEqual(['vm1', 'vm2', 'vm3'])
    expect(store.reading.byName('vm2')).toBeUndefined()
    expect(store.resolve('a').uuid).toBe(uuid(2))
    expect(store.resolve(uuid(1).toUpperCase()).name).toBe('vm1')
})

test('a name that goes from one VM to another is found at its new owner', () => {
    store.put(vm(1))
    store.put(vm(2, { name: 'vm1' }))
    store.put(vm(1, { name: 'old' }))
    expect(store.resolve('vm1').uuid).toBe(uuid(2))
    expect(names()).toEqual(['old', 'vm1'])
})

test('what is not there, not read yet, or ambiguous', () => {
    expect(() => store.resolve('x')).toThrow('not read yet')
    store.put(vm(1))
    store.put(vm(2, { name: uuid(1) }))
    store.synced()
    expect(() => store.resolve('x')).toThrow('no such VM')
    expect(() => store.resolve(uuid(1))).toThrow('UUID of one VM and the name of another')
})

test('users of a volume, by either of its names, and MACs follow changes', () => {
    store.put(vm(1, { paths: ['/base', '/1'] }))
    store.put(vm(2, { paths: ['/base', '/2', 'pool/one'] }))
    const users = (path: string) =>
        store.reading.usersOfVolume({ path, pool: 'pool', name: path.slice(1) }).map(entry => entry.name)
    expect(users('/one')).toEqual(['vm2'])
    expect(users('/two')).toEqual([])
    expect(users('/base')).toEqual(['vm1', 'vm2'])
    store.put(vm(1, { paths: ['/1'] }))
    expect(users('/base')).toEqual(['vm2'])
    store.drop(uuid(2))
    expect(users('/base')).toEqual([])
    expect([...store.reading.macs().keys()]).toEqual(['52:54:00:00:00:01'])
})

test('a watcher gets what there is, then changes; several of one VM as the last; nothing for no change', async () => {
    store.put(vm(1))
    store.synced()
    const ending = new AbortController()
    const changes = store.reading.watch(ending.signal)[Symbol.asyncIterator]()
    const next = async (): Promise<InventoryChange> => (await changes.next()).value
    expect(await next()).toMatchObject({ changed: [{ name: 'vm1' }], removed: [], synced: true, stale: false })
    store.put(vm(1, { description: 'b' }))
    store.put(vm(1, { description: 'c' }))
    store.put(vm(1, { description: 'c' }))
    store.put(vm(2))
    store.drop(uuid(2))
    const got = await next()
    expect(got.changed.map(entry => entry.description)).toEqual(['c'])
    expect(got.removed).toEqual([uuid(2)])
    store.away()
    expect(await next()).toMatchObject({ changed: [], stale: true, synced: false })
    store.synced()
    expect(await next()).toMatchObject({ stale: false, synced: true })
    const waiting = changes.next()
    store.put(vm(1, { description: 'c' }))
    ending.abort()
    expect((await waiting).done).toBe(true)
})

test('load alone is no change; what the line does not show is one, also together with load', () => {
    const changes = () => store.reading.line(store.resolve('vm1')).changes
    const load = (cpu: number, vcpus?: number) => store.reading.note(new Map([[uuid(1), { cpu, vcpus }]]))
    store.put(vm(1, { active: true }))
    const first = changes()
    load(0.5)
    store.put({ ...store.resolve('vm1') })
    expect(changes()).toBe(first)
    store.put({ ...store.resolve('vm1'), revision: 'other' })
    load(0.7)
    expect(changes()).toBe(first + 1)
    load(0.7, 4)
    expect(changes()).toBe(first + 2)
})

test('waiting for a state ends when it holds, at the deadline, or when it is cancelled', async () => {
    store.put(vm(1, { active: true }))
    const stopped = (entry: VmEntry | undefined) => !entry?.active
    const held = store.reading.until(uuid(1), stopped, { deadlineMs: 1000 })
    store.put(vm(1))
    expect(await held).toMatchObject({ name: 'vm1' })
    expect(timers).toEqual([])
    store.put(vm(1, { active: true }))
    const late = store.reading.until(uuid(1), stopped, { deadlineMs: 1000 })
    timers[0]!()
    await expect(late).rejects.toMatchObject({ code: 'deadline' })
    const ending = new AbortController()
    const given = store.reading.until(uuid(1), stopped, { deadlineMs: 1000, signal: ending.signal })
    ending.abort()
    await expect(given).rejects.toMatchObject({ code: 'cancelled' })
    expect(await store.reading.until(uuid(7), stopped, { deadlineMs: 1 })).toBeUndefined()
})

test('the bytes of a line are the line, and figures only reach those that run', () => {
    store.put(vm(1, { active: true, tags: ['t'], startedMs: 1500 }))
    store.put(vm(2))
    const samples = { cpu: 0.1234, vcpus: 2, memoryBytes: 512 }
    store.reading.note(
        new Map([
            [uuid(1), samples],
            [uuid(2), samples],
        ]),
    )
    const entry = store.resolve('vm1')
    expect(entry).toMatchObject({ cpu: 0.12, vcpus: 2, memoryBytes: 512 })
    expect(store.resolve('vm2').cpu).toBe(0)
    expect(fromBinary(VmSchema, store.reading.encoded(entry))).toEqual(store.reading.line(entry))
    expect(fromJsonString(VmSchema, Buffer.from(store.reading.json(entry)).toString())).toEqual(
        store.reading.line(entry),
    )
    expect(store.reading.line(entry)).toMatchObject({ cpu: 0.12, tags: ['t'], started: { seconds: 1n } })
})
