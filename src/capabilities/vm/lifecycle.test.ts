// Starting in order after a boot: who, in which order, with which waits, and once.
import { expect, test } from 'vitest'
import type { RunningTask, TaskSpec } from '../../engine/task.ts'
import type { VmEntry } from './inventory.ts'
import { type BootDeps, startAfterBoot, startInOrder, startOrder } from './lifecycle.ts'

const entry = (name: string, more: Partial<VmEntry> = {}) =>
    ({ uuid: name, name, startOrder: 0, startDelaySeconds: 0, ordered: true, active: false, ...more }) as VmEntry

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
    let settled: Promise<void> | undefined
    const task = {
        signal: new AbortController().signal,
        progress: () => {},
        say: (line: string) => void said.push(line),
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
                    if (broken.includes(dom)) throw new Error('no')
                },
            }),
        },
        tasks: {
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
    return { deps, said, files, began, task, settled: () => settled }
}

test('each is started after the delay of the one before; one that fails does not stop the others', async () => {
    const entries = ['a', 'b', 'c'].map((name, i) => entry(name, { startDelaySeconds: i, dom: name as never }))
    const { deps, said, task } = world(entries, ['b'])
    await expect(startInOrder(deps, entries, task)).rejects.toMatchObject({ detail: 'b' })
    expect(said).toEqual(['started a', expect.stringContaining('b does not start'), 'started c'])
    said.length = 0
    const again = world(entries)
    await startInOrder(again.deps, entries, again.task)
    expect(again.said).toEqual(['started a', 'started b', 'wait 1000', 'started c'])
})

test('once a boot: a restart of the daemon starts nobody', async () => {
    const { deps, began, files } = world([entry('a', { dom: 'a' as never }), entry('up', { active: true })])
    await startAfterBoot(deps)
    expect(began).toMatchObject([{ kind: 'vm.start-ordered', title: 'Start 1 VMs in their order' }])
    await startAfterBoot(deps)
    expect(began.length).toBe(1)
    files.set('/proc/sys/kernel/random/boot_id', 'boot-2\n')
    await startAfterBoot(deps)
    expect(began.length).toBe(2)
})
