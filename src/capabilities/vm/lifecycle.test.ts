// Starting in order after a boot: who, in which order, with which waits, and once.
import { expect, test } from 'vitest'
import { Fault } from '../../base/fault.ts'
import type { Anchor, RunningTask, TaskRecord, TaskSpec } from '../../engine/task.ts'
import type { VmEntry } from './inventory.ts'
import { type BootDeps, registerLifecycle, startAfterBoot, startInOrder, startOrder } from './lifecycle.ts'

const entry = (name: string, more: Partial<VmEntry> = {}) =>
    ({
        uuid: name,
        name,
        disks: [],
        startOrder: 0,
        startDelaySeconds: 0,
        ordered: true,
        active: false,
        ...more,
    }) as VmEntry

test('numbers first, then names; templates and those that libvirt starts are left out', () => {
    const entries = [
        entry('z', { startOrder: 1 }),
        entry('b'),
        entry('a', { startDelaySeconds: 5 }),
        entry('y', { startOrder: 10 }),
        entry('t', { template: true }),
        entry('l', { ordered: false, autostart: true }),
    ]
    expect(startOrder(entries).map(vm => vm.name)).toEqual(['z', 'y', 'a', 'b'])
})

function world(entries: VmEntry[], broken: string[] = []) {
    const said: string[] = []
    const files = new Map([['/proc/sys/kernel/random/boot_id', 'boot-1\n']])
    const began: TaskSpec[] = []
    const anchors: Anchor[] = []
    const resumers = new Map<string, (anchor: Anchor, task: RunningTask) => Promise<void>>()
    const started: string[] = []
    let settled: Promise<void> | undefined
    const task = {
        signal: new AbortController().signal,
        progress: () => {},
        say: (line: string) => void said.push(line),
        anchor: async (anchor: Anchor) => void anchors.push(anchor),
    } as unknown as RunningTask
    const deps = {
        clock: {
            after: (delayMs: number, call: () => void) => {
                said.push(`wait ${delayMs}`)
                queueMicrotask(call)
                return () => {}
            },
        },
        inventory: {
            ready: async () => {},
            list: () => entries,
            resolve: (uuid: string) => entries.find(vm => vm.uuid === uuid)!,
            refresh: async () => undefined,
        },
        libvirt: {
            connection: () => ({
                callAlone: async (_: string, { dom }: { dom: string }) => {
                    if (broken.includes(dom)) throw new Fault('exhausted', { summary: 'no memory' })
                    started.push(dom)
                },
            }),
        },
        tasks: {
            list: () => began as unknown as TaskRecord[],
            onAnchor: (kind: string, resume: (anchor: Anchor, task: RunningTask) => Promise<void>) =>
                void resumers.set(kind, resume),
            begin: async (spec: TaskSpec, work: (task: RunningTask) => Promise<void>) => {
                began.push(spec)
                settled = work(task)
                await settled.catch(() => undefined)
            },
        },
        system: {
            readText: async (path: string) => files.get(path),
            writeFile: async (path: string, text: string) => void files.set(path, text),
        },
        stateFile: '/boot',
    } as unknown as BootDeps
    return { deps, said, files, began, anchors, resumers, started, task, settled: () => settled }
}

test('each is started after the delay of the one before; one that fails does not stop the others', async () => {
    const entries = ['a', 'b', 'c'].map((name, i) => entry(name, { startDelaySeconds: i, dom: name as never }))
    const { deps, said, task } = world(entries, ['b'])
    await expect(startInOrder(deps, entries, { task, bootId: 'boot-1' })).rejects.toMatchObject({
        code: 'exhausted',
        detail: 'b',
    })
    expect(said).toEqual(['started a', expect.stringContaining('b does not start'), 'started c'])
    said.length = 0
    const again = world(entries)
    await startInOrder(again.deps, entries, { task: again.task, bootId: 'boot-1' })
    expect(again.anchors.map(anchor => anchor.next)).toEqual(['a', 'b', 'c'])
    expect(again.said).toEqual(['started a', 'started b', 'wait 1000', 'started c'])
})

test('once a boot: a restart of the daemon starts nobody', async () => {
    const { deps, began, files } = world([entry('a', { dom: 'a' as never }), entry('up', { active: true })])
    await startAfterBoot(deps)
    expect(began).toMatchObject([{ kind: 'vm.start-ordered', title: 'Start one VM', anchor: { bootId: 'boot-1' } }])
    await startAfterBoot(deps)
    expect(began.length).toBe(1)
    files.set('/proc/sys/kernel/random/boot_id', 'boot-2\n')
    await startAfterBoot(deps)
    expect(began.length).toBe(2)
})

test('a crash before the boot counts as served neither forgets anybody nor starts them twice', async () => {
    const { deps, began, files } = world([entry('a', { dom: 'a' as never })])
    const { writeFile } = deps.system
    deps.system.writeFile = async () => {
        throw new Error('the power is gone')
    }
    await expect(startAfterBoot(deps)).rejects.toThrow('power')
    expect(began.length).toBe(1)
    deps.system.writeFile = writeFile
    await startAfterBoot(deps)
    expect(began.length).toBe(1)
    expect(files.get('/boot')).toBe('boot-1\n')
})

test('starts in order go on after a restart with those whose turn it is, and not after another boot', async () => {
    const entries = ['a', 'b', 'c', 'd'].map(name => entry(name, { dom: name as never, active: name === 'c' }))
    const { deps, started, resumers, said, task } = world(entries)
    registerLifecycle({ ...deps, boot: deps })
    const resume = resumers.get('vm.start-ordered')!
    await resume({ kind: 'vm.start-ordered', bootId: 'boot-1', next: 'b' }, task)
    expect(started).toEqual(['b', 'd'])
    await resume({ kind: 'vm.start-ordered', bootId: 'boot-0', next: 'b' }, task)
    expect(started).toEqual(['b', 'd'])
    expect(said.at(-1)).toContain('booted again')
})

test('a shutdown of all goes on after a restart, and leaves what was started after it was asked for', async () => {
    const entries = ['old', 'new'].map(name =>
        entry(name, { active: true, dom: name as never, startedMs: name === 'new' ? 200 : undefined }),
    )
    const { deps, started: asked, resumers, task } = world(entries)
    Object.assign(deps.inventory, { byUuid: () => undefined, until: async () => undefined })
    registerLifecycle(deps)
    await resumers.get('vm.shutdown-all')!({ kind: 'vm.shutdown-all', beganMs: 100, deadlineMs: 5, force: false }, task)
    expect(asked).toEqual(['old'])
})
