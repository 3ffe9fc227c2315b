// Tasks: begun durably, told to watchers, cancelled, taken back, taken up again, and what a full disk does to them.
import { describe, expect, test } from 'vitest'
import { Fault } from '../base/fault.ts'
import { fakeClock, fakeLog } from '../ports/fake.ts'
import { diskFull, type MemoryDisk, memoryDisk } from './memory.ts'
import { KEPT_ENDED, KEPT_MS } from './shelf.ts'
import type { RunningTask, TaskEvent, UndoStep } from './task.ts'
import { createTasks } from './tasks.ts'

const spec = { kind: 'vm.create', title: 'Create web1', owner: 'ann', cancellable: true }

async function world(disk: MemoryDisk = memoryDisk(), time = fakeClock()) {
    const log = fakeLog()
    const tasks = await createTasks({ system: disk.system, clock: time, log, folder: '/state/tasks' })
    const undone: UndoStep[] = []
    tasks.onUndo('made', async step => void undone.push(step))
    return { disk, time, tasks, undone }
}
const settle = () => new Promise(resolve => setImmediate(resolve))
const untilAborted = (task: RunningTask) =>
    new Promise<void>((_, reject) => task.signal.addEventListener('abort', () => reject(task.signal.reason)))

describe('a task', () => {
    test('runs, tells its progress and log, and is found again after a restart', async () => {
        const { tasks, disk } = await world()
        const { task, settled } = await tasks.begin(spec, async running => {
            running.progress(0.5, 'copying')
            running.say('copied half')
            await running.undo({ kind: 'made', name: 'a' })
            await running.keep()
        })
        expect(task).toMatchObject({ state: 'running', title: 'Create web1', owner: 'ann' })
        const ended = await settled
        expect(ended).toMatchObject({ state: 'done', progress: 1, undo: [] })
        await tasks.close()
        const again = await world(disk.cut())
        await again.tasks.recover()
        expect(again.tasks.get(task.id)).toMatchObject({ state: 'done' })
        expect((await again.tasks.log(task.id)).map(l => l.text)).toEqual(['copied half'])
        expect(again.undone).toEqual([])
    })

    test('that throws is undone in reverse, and keeps the words of the Fault', async () => {
        const { tasks, undone } = await world()
        const { settled } = await tasks.begin(spec, async running => {
            await running.undo({ kind: 'made', name: 'a' })
            await running.undo({ kind: 'made', name: 'b' })
            throw new Fault('exhausted', { summary: 'The pool is full', fix: 'Make room.' })
        })
        const ended = await settled
        expect(ended).toMatchObject({ state: 'failed', undo: [] })
        expect(ended.problem).toMatchObject({ code: 'exhausted', summary: 'The pool is full', fix: 'Make room.' })
        expect(undone.map(s => s.name)).toEqual(['b', 'a'])
    })

    test('several promises to undo in one tick share one write, and are on the disk when they return', async () => {
        const { tasks, disk } = await world()
        const { settled } = await tasks.begin(spec, async running => {
            const before = disk.appends
            await Promise.all(['a', 'b', 'c'].map(name => running.undo({ kind: 'made', name })))
            expect(disk.appends - before).toBe(1)
            const after = await world(disk.cut())
            await after.tasks.recover()
            expect(after.undone.map(s => s.name)).toEqual(['c', 'b', 'a'])
        })
        expect((await settled).problem).toBeUndefined()
    })

    test('progress never touches the disk', async () => {
        const { tasks, disk } = await world()
        const { settled } = await tasks.begin(spec, async running => {
            const before = [disk.appends, disk.writes]
            for (let i = 0; i < 10_000; i++) running.progress(i / 10_000, 'copying')
            await settle()
            expect([disk.appends, disk.writes]).toEqual(before)
        })
        expect((await settled).state).toBe('done')
    })

    test('is cancelled once, and what it had made is taken back', async () => {
        const { tasks, undone } = await world()
        const { task, settled } = await tasks.begin(spec, async running => {
            await running.undo({ kind: 'made', name: 'a' })
            await untilAborted(running)
        })
        await settle()
        expect(await tasks.cancel(task.id)).toMatchObject({ state: 'running', phase: 'stopping' })
        expect(await settled).toMatchObject({ state: 'cancelled', problem: undefined })
        expect(undone).toHaveLength(1)
        await expect(tasks.cancel(task.id)).rejects.toMatchObject({ code: 'precondition' })
        await expect(tasks.cancel('none')).rejects.toMatchObject({ code: 'not-found' })
    })

    test('that cannot be cancelled says so', async () => {
        const { tasks } = await world()
        const { task, settled } = await tasks.begin(
            { ...spec, cancellable: false },
            async () => settle() as Promise<void>,
        )
        await expect(tasks.cancel(task.id)).rejects.toMatchObject({ code: 'precondition' })
        expect((await settled).state).toBe('done')
    })
})

describe('after a crash', () => {
    test('a task without anchor is interrupted and undone; before recover it is not called running', async () => {
        const { tasks, disk } = await world()
        const { task } = await tasks.begin(spec, async running => {
            running.say('making a')
            await running.undo({ kind: 'made', name: 'a' })
            await new Promise(() => {})
        })
        await settle()
        const after = await world(disk.cut())
        expect(after.tasks.get(task.id)?.state).toBe('interrupted')
        await after.tasks.recover()
        expect(after.undone.map(s => s.name)).toEqual(['a'])
        expect(after.tasks.get(task.id)).toMatchObject({ state: 'interrupted', undo: [], phase: '' })
        const third = await world(after.disk.cut())
        await third.tasks.recover()
        expect(third.undone).toEqual([])
        expect(third.tasks.get(task.id)).toMatchObject({ state: 'interrupted' })
        expect((await third.tasks.log(task.id)).map(l => l.text)).toEqual(['making a'])
    })

    test('a task with an anchor is taken up again, and undone when that fails', async () => {
        const { tasks, disk } = await world()
        const { task } = await tasks.begin(spec, async running => {
            await running.undo({ kind: 'made', name: 'a' })
            await running.anchor({ kind: 'job', uuid: 'u1' })
            await new Promise(() => {})
        })
        await settle()
        for (const outcome of ['done', 'failed'] as const) {
            const after = await world(disk.cut())
            after.tasks.onAnchor('job', async (anchor, running) => {
                expect(anchor.uuid).toBe('u1')
                expect(after.tasks.get(task.id)?.state).toBe('running')
                running.progress(0.9)
                if (outcome === 'failed') throw new Fault('unavailable', { summary: 'The job is gone' })
            })
            await after.tasks.recover()
            await settle()
            expect(after.tasks.get(task.id)?.state).toBe(outcome)
            expect(after.undone).toHaveLength(outcome === 'done' ? 0 : 1)
        }
    })

    test('an undo that fails is kept, said, and tried again by itself and at the next start', async () => {
        const { tasks, time, disk } = await world()
        let broken = true
        const undone: unknown[] = []
        tasks.onUndo('volume', async step => {
            if (broken) throw new Fault('unavailable', { summary: 'libvirt is away' })
            undone.push(step.name)
        })
        const { task, settled } = await tasks.begin(spec, async running => {
            await running.undo({ kind: 'volume', name: 'a' })
            throw new Fault('internal', { summary: 'no' })
        })
        const ended = await settled
        expect(ended.undo).toHaveLength(1)
        expect(ended.problem?.findings[0]).toMatchObject({ code: 'not-taken-back', at: 'volume' })
        expect(ended.problem?.findings[0]?.detail).toContain('name=a')

        const later = await world(disk.cut())
        await later.tasks.recover()
        expect(later.tasks.get(task.id)?.problem?.findings[0]?.detail).toContain('volume')
        later.tasks.onUndo('volume', async () => {})
        await later.tasks.recover()
        expect(later.tasks.get(task.id)).toMatchObject({ undo: [], state: 'failed' })
        expect(later.tasks.get(task.id)?.problem?.findings).toEqual([])

        broken = false
        await time.advance(6000)
        await settle()
        await settle()
        expect(undone).toEqual(['a'])
        expect(tasks.get(task.id)?.undo).toEqual([])
    })

    test('a torn last line is tolerated, wherever it was cut', async () => {
        const { tasks, disk } = await world()
        const { task } = await tasks.begin(spec, async running => {
            await running.undo({ kind: 'made', name: 'a' })
            await new Promise(() => {})
        })
        await settle()
        const path = '/state/tasks/journal.jsonl'
        const whole = disk.text(path)
        const first = whole.indexOf('\n') + 1
        for (let length = 0; length <= whole.length; length += 7) {
            const cut = disk.cut()
            cut.put(path, whole.slice(0, length))
            const after = await world(cut)
            await after.tasks.recover()
            expect(after.undone.length).toBe(length >= whole.length - 1 ? 1 : 0)
            expect(after.tasks.get(task.id)?.state).toBe(length >= first - 1 ? 'interrupted' : undefined)
            const fresh = await (await after.tasks.begin(spec, async () => {})).settled
            const next = await world(after.disk.cut())
            expect(next.tasks.get(fresh.id)?.state).toBe('done')
        }
    })
})

describe('a full disk', () => {
    test('nothing begins, nothing runs', async () => {
        const { tasks, disk } = await world()
        disk.trouble = { fault: diskFull() }
        let ran = false
        await expect(
            tasks.begin(spec, async () => {
                ran = true
            }),
        ).rejects.toMatchObject({ code: 'exhausted' })
        expect(ran).toBe(false)
        expect(tasks.list()).toEqual([])
    })

    test('what only stops things runs all the same, and is recorded when there is room', async () => {
        const { tasks, disk } = await world()
        disk.trouble = { fault: diskFull() }
        const { task, settled } = await tasks.begin({ ...spec, stops: true }, async () => {})
        expect((await settled).state).toBe('done')
        disk.trouble = undefined
        await (await tasks.begin(spec, async () => {})).settled
        const after = await world(disk.cut())
        await after.tasks.recover()
        expect(after.tasks.get(task.id)?.state).toBe('done')
    })

    test('in the middle of a task: it fails, is undone, and its end is written when there is room again', async () => {
        const { tasks, disk, undone } = await world()
        const { task, settled } = await tasks.begin(spec, async running => {
            await running.undo({ kind: 'made', name: 'a' })
            disk.trouble = { fault: diskFull(), after: 10 }
            await running.undo({ kind: 'made', name: 'b' })
        })
        expect(await settled).toMatchObject({ state: 'failed', problem: { code: 'exhausted' } })
        expect(undone.map(s => s.name)).toEqual(['a'])
        disk.trouble = undefined
        await (await tasks.begin(spec, async () => {})).settled
        const after = await world(disk.cut())
        await after.tasks.recover()
        expect(after.tasks.get(task.id)?.state).toBe('failed')
        expect(after.undone).toEqual([])
    })

    test('is not called done when the disk does not know, as long as a restart would take it back', async () => {
        const { tasks, disk, undone } = await world()
        const { settled } = await tasks.begin(spec, async running => {
            await running.undo({ kind: 'made', name: 'a' })
            disk.trouble = { fault: diskFull() }
        })
        expect(await settled).toMatchObject({ state: 'failed', problem: { code: 'exhausted' } })
        expect(undone).toHaveLength(1)
    })
})

describe('watching', () => {
    test('gives what there is, then changes; a slow reader gets the last state alone', async () => {
        const { tasks, time } = await world()
        await (await tasks.begin({ ...spec, title: 'Old' }, async () => {})).settled
        await time.advance(1000)
        const stop = new AbortController()
        const events = tasks.watch(stop.signal)[Symbol.asyncIterator]()
        const next = async () => (await events.next()).value as TaskEvent
        expect(await next()).toMatchObject({ existing: true, task: { title: 'Old', state: 'done' } })
        const { settled } = await tasks.begin({ ...spec, title: 'New' }, async running => {
            for (let i = 0; i < 1000; i++) running.progress(i / 1000)
        })
        await settled
        expect(await next()).toMatchObject({ existing: false, task: { title: 'New', state: 'done', progress: 1 } })
        const ended = events.next()
        stop.abort()
        expect((await ended).done).toBe(true)
    })

    test('progress is told at most five times a second, and the last of it is', async () => {
        const { tasks, time } = await world()
        const stop = new AbortController()
        const seen: number[] = []
        void (async () => {
            for await (const event of tasks.watch(stop.signal)) seen.push(event.task.progress)
        })()
        await settle()
        const { task } = await tasks.begin(spec, async running => {
            for (let i = 1; i <= 100; i++) {
                running.progress(i / 1000)
                await settle()
            }
            await untilAborted(running)
        })
        while (tasks.get(task.id)!.progress < 0.1) await settle()
        expect(seen.length).toBeLessThanOrEqual(3)
        await time.advance(250)
        await settle()
        expect(seen.at(-1)).toBe(0.1)
        await tasks.cancel(task.id)
        stop.abort()
    })
})

describe('what is kept', () => {
    test('the newest thousand, for thirty days; the journal does not grow without end', async () => {
        const { tasks, time, disk } = await world()
        const text = 'x'.repeat(4000)
        for (let i = 0; i < KEPT_ENDED + 20; i++) {
            const { settled } = await tasks.begin({ ...spec, title: `T${i}` }, async running => running.say(text))
            await settled
            await time.advance(1)
        }
        await tasks.close()
        const after = await world(disk.cut(), time)
        await after.tasks.recover()
        const titles = after.tasks.list().map(t => t.title)
        expect(titles).toHaveLength(KEPT_ENDED)
        expect(titles[0]).toBe(`T${KEPT_ENDED + 19}`)
        expect(after.disk.text('/state/tasks/journal.jsonl')).toBe('')
        expect(disk.text('/state/tasks/journal.jsonl').length).toBeLessThan(2 << 20)
        await time.advance(KEPT_MS)
        await (await after.tasks.begin(spec, async () => {})).settled
        await after.tasks.close()
        expect(after.tasks.list()).toHaveLength(1)
        expect((await after.disk.system.list('/state/tasks')).filter(n => n.endsWith('.json'))).toHaveLength(1)
    }, 60_000)
})

describe('closing', () => {
    test('leaves what has an anchor to be taken up, interrupts the rest, and begins nothing more', async () => {
        const { tasks, disk, undone } = await world()
        const wait = async (running: RunningTask) => {
            await running.undo({ kind: 'made', name: running.id })
            await untilAborted(running)
        }
        const anchored = await tasks.begin({ ...spec, anchor: { kind: 'job', uuid: 'u' } }, wait)
        const plain = await tasks.begin(spec, wait)
        await settle()
        await tasks.close()
        expect(undone.map(s => s.name)).toEqual([plain.task.id])
        expect((await plain.settled).state).toBe('interrupted')
        await expect(tasks.begin(spec, async () => {})).rejects.toMatchObject({ code: 'unavailable' })
        const after = await world(disk.cut())
        after.tasks.onAnchor('job', async () => {})
        await after.tasks.recover()
        await settle()
        expect(after.tasks.get(anchored.task.id)?.state).toBe('done')
        expect(after.undone).toEqual([])
    })

    test('tells the end of each task once, also of what the stop itself interrupts, and not of what goes on', async () => {
        const { tasks } = await world()
        const ends: string[] = []
        tasks.onEnd(task => ends.push(`${task.title} ${task.state}`))
        const done = await tasks.begin({ ...spec, title: 'quick' }, async () => {})
        await done.settled
        const work = async (task: RunningTask) => untilAborted(task)
        await tasks.begin({ ...spec, title: 'cut' }, work)
        await tasks.begin({ ...spec, title: 'anchored', anchor: { kind: 'job' } }, work)
        await tasks.close()
        expect(ends).toEqual(['quick done', 'cut interrupted'])
    })
})
