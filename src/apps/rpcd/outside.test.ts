// Changes from outside: recorded when no task explains them, once a minute, and never for what the daemon does itself.
import { describe, expect, it } from 'vitest'
import type { LibvirtEvent } from '../../drivers/libvirt/events.ts'
import type { TaskRecord } from '../../engine/task.ts'
import { fakeClock, fakeLog } from '../../ports/fake.ts'
import { watchOutside } from './outside.ts'
import { containerChanges } from './outside-docker.ts'

const UUID = '11111111-2222-3333-4444-555555555555'
const bytes = (uuid: string) => Buffer.from(uuid.replaceAll('-', ''), 'hex')
const [DEFINED, STARTED, SUSPENDED, RESUMED, STOPPED] = [0, 2, 3, 4, 5]

function world() {
    const clock = fakeClock()
    const tasks: TaskRecord[] = []
    const records: { what: string; onName?: string; detail?: unknown }[] = []
    let tell: (event: LibvirtEvent) => void = () => {}
    const outside = watchOutside({
        ...{ clock, log: fakeLog(), tasks: { some: (holds: (task: TaskRecord) => boolean) => tasks.some(holds) } },
        libvirt: {
            onEvent(listener) {
                tell = listener
                return () => {
                    tell = () => {}
                }
            },
        },
        audit: {
            async event({ who, what, onName, detail, result }) {
                expect([who, result]).toEqual(['outside', 'done'])
                records.push({ what, onName, detail })
                return records.length
            },
        },
    })
    const event = (noun: string, about: object) => tell({ noun, kind: 'lifecycle', event: about } as LibvirtEvent)
    const vm = (event_: number, detail = 0, uuid = UUID) =>
        event('domain', { dom: { id: 1, uuid: bytes(uuid), name: 'web1' }, event: event_, detail })
    const thing = (noun: 'network' | 'storagePool', name: string, event_: number) =>
        event(noun, { [noun === 'network' ? 'net' : 'pool']: { uuid: bytes(UUID), name }, event: event_, detail: 0 })
    const begin = (kind: string, on?: TaskRecord['on']) => {
        const task = { kind, on, undo: [], endedMs: undefined } as unknown as TaskRecord
        tasks.push(task)
        return {
            end: () => {
                task.endedMs = clock.now()
            },
        }
    }
    return { clock, records, outside, vm, thing, begin, whats: () => records.map(record => record.what) }
}

describe('what Docker tells', () => {
    const event = (Action: string, words: object = {}) => ({
        ...{ Type: 'container', Action },
        Actor: { ID: 'a', Attributes: { name: 'web', image: 'nginx', ...words } },
    })
    it('is a change where somebody made it, and none where a container ends and is started again', async () => {
        const clock = fakeClock()
        const changeOf = containerChanges(clock)
        const whats = (...events: ReturnType<typeof event>[]) => events.map(one => changeOf(one)?.what)
        expect(whats(event('create'), event('start'))).toEqual(['created', 'started'])
        expect(whats(event('die'), event('start'))).toEqual([undefined, undefined])
        expect(whats(event('kill', { signal: '15' }), event('die'), event('stop'), event('start'))).toEqual([
            ...[undefined, undefined, 'stopped', 'started'],
        ])
        await clock.advance(150_000)
        expect(whats(event('kill', { signal: '9' }), event('die'), event('destroy'))).toEqual([
            ...['killed', undefined, 'removed'],
        ])
        expect(whats(event('exec_create: sh'), { ...event('create'), Type: 'volume' })).toEqual([undefined, undefined])
    })
})

describe('what nobody here did', () => {
    it("is recorded with libvirt's reason, a start once", () => {
        const { vm, thing, records } = world()
        vm(DEFINED, 1)
        vm(STARTED)
        vm(RESUMED)
        vm(STOPPED, 1)
        thing('network', 'lab', 3)
        thing('storagePool', 'tank', 1)
        expect(records).toEqual([
            { what: 'vm.defined', onName: 'web1', detail: { why: 'changed' } },
            { what: 'vm.started', onName: 'web1', detail: {} },
            { what: 'vm.stopped', onName: 'web1', detail: { why: 'by force' } },
            { what: 'network.stopped', onName: 'lab', detail: {} },
            { what: 'pool.undefined', onName: 'tank', detail: {} },
        ])
    })

    it('is not what a disk or a watchdog did', () => {
        const { vm, records } = world()
        vm(SUSPENDED, 2)
        vm(SUSPENDED, 3)
        vm(8)
        expect(records).toEqual([])
    })

    it('in a loop is recorded once a minute, with how often it came', async () => {
        const { vm, clock, records } = world()
        for (let i = 0; i < 10; i++) vm(SUSPENDED, 0)
        await clock.advance(60_000)
        vm(SUSPENDED, 0)
        expect(records.map(record => record.detail)).toEqual([{}, { since: '9 more before' }])
    })

    it('by thousands leaves one record that says how many were left out', async () => {
        const { vm, clock, whats, records } = world()
        for (let i = 0; i < 2000; i++) vm(STOPPED, 2, `00000000-0000-0000-0000-${String(i).padStart(12, '0')}`)
        expect(whats()).toHaveLength(300)
        await clock.advance(60_000)
        expect(records.at(-1)).toMatchObject({ what: 'outside.more', detail: { unrecorded: 1700 } })
    })
})

describe('what a task did', () => {
    it('is no change from outside, while it runs and for a moment after it', async () => {
        const { vm, begin, clock, whats } = world()
        const task = begin('vm.stop', { kind: 'vm', id: UUID, name: 'web1' })
        vm(STOPPED, 1)
        task.end()
        await clock.advance(4_000)
        vm(STOPPED, 1)
        expect(whats()).toEqual([])
        await clock.advance(2_000)
        vm(STOPPED, 1)
        expect(whats()).toEqual(['vm.stopped'])
    })

    it('explains nothing of another VM', () => {
        const { vm, begin, whats } = world()
        begin('vm.stop', { kind: 'vm', id: UUID.replace('1', '2'), name: 'db1' })
        vm(STOPPED, 1)
        expect(whats()).toEqual(['vm.stopped'])
    })

    it('explains the network that a VM needs, many VMs where it names none, and a slow shutdown', async () => {
        const { vm, thing, begin, clock, whats } = world()
        begin('vm.start', { kind: 'vm', id: UUID.replace('1', '2'), name: 'db1' }).end()
        thing('network', 'default', 2)
        const all = begin('vm.shutdown-all')
        all.end()
        await clock.advance(5 * 60_000)
        vm(STOPPED, 0)
        expect(whats()).toEqual([])
        thing('network', 'default', 2)
        expect(whats()).toEqual(['network.started'])
    })

    it('without a task is said to be ours', async () => {
        const { outside, thing, whats } = world()
        let end = () => {}
        const work = outside.ours({ kind: 'pool', name: 'default' }, new Promise<void>(resolve => (end = resolve)))
        thing('storagePool', 'default', 0)
        end()
        await work
        thing('storagePool', 'default', 2)
        expect(whats()).toEqual([])
    })
})
