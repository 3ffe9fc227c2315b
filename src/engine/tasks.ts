// Long operations that survive a crash: begun durably, taken back or taken up again, never falsely running.
import { randomBytes } from 'node:crypto'
import { asFault, Fault, problemOf } from '../base/fault.ts'
import type { Clock, Log, System } from '../ports/ports.ts'
import { type Entry, entriesOf, fold } from './entries.ts'
import { createFeed } from './feed.ts'
import { handleOf, hold, type Live } from './handle.ts'
import { openJournal } from './journal.ts'
import { createShelf, type LogLine, tooOld } from './shelf.ts'
import {
    type Anchor,
    DAEMON_STOPS,
    type RunningTask,
    type TaskEvent,
    type TaskProblem,
    type TaskRecord,
    type TaskSpec,
    type TaskState,
    type Tasks,
} from './task.ts'
import { takeBack, type Undoers, withLeft } from './undo.ts'

/** So long `close` waits for what is being taken back; the rest is taken back at the next start. */
export const TASKS_END_MS = 6_000

type Work = (task: RunningTask) => Promise<void>
type Resume = (anchor: Anchor, task: RunningTask) => Promise<void>

const COMPACT_BYTES = 1 << 20
const RETRY_MS = { first: 1000, most: 60_000 }

/**
 * The tasks of a folder; the daemon's lock keeps others out. What an earlier life left running is shown as interrupted
 * until `recover` has taken it up again or taken it back. @throws Fault `unavailable` when the folder cannot be used.
 */
export async function createTasks(deps: { system: System; clock: Clock; log: Log; folder: string }): Promise<Tasks> {
    const { system, clock, log, folder } = deps
    await system.makeDirectory(folder, 0o700)
    const shelf = createShelf(deps)
    const records = new Map<string, TaskRecord>()
    const live = new Map<string, Live>()
    // Ended, but not on the shelf yet: the journal still holds them, log and all.
    const unshelved = new Map<string, LogLine[]>()
    const undoers: Undoers = new Map()
    const resumers = new Map<string, Resume>()
    const feed = createFeed<TaskEvent>()
    const endListeners: ((task: TaskRecord) => void)[] = []
    let closing = false
    let shelving: Promise<unknown> = Promise.resolve()
    let unretry: (() => void) | undefined
    let retryMs = RETRY_MS.first

    const copy = (record: TaskRecord): TaskRecord => ({ ...record, undo: [...record.undo] })
    for (const task of await shelf.readAll()) records.set(task.id, task)
    const opened = await openJournal({ system, clock, path: `${folder}/journal.jsonl` })
    const { journal } = opened
    if (opened.torn > 0) log.warn('Lines of the task journal were torn and are left out', { lines: opened.torn })
    const earlier = fold(opened.entries as Entry[])
    for (const { record, log: lines } of earlier.values()) {
        if (record.endedMs !== undefined) unshelved.set(record.id, lines)
        else Object.assign(record, { state: 'interrupted', phase: 'waiting to be taken up or taken back' })
        records.set(record.id, record)
    }
    const left = [...earlier.values()].filter(held => held.record.endedMs === undefined)

    const worthKeeping = () =>
        entriesOf([
            ...left,
            ...live.values(),
            ...[...unshelved].map(([id, log]) => ({ record: records.get(id)!, log })),
        ])
    function tell(id: string) {
        const task = records.get(id)
        if (task) feed.publish(id, { task: copy(task), existing: false })
    }
    function change(id: string, to: Partial<TaskRecord>) {
        const record = records.get(id)
        if (!record) return
        Object.assign(record, to)
        tell(id)
    }

    /** Puts what has ended on the shelf, takes off what is too old, and shortens the journal. Never rejects. */
    function tidy(): Promise<unknown> {
        const tidyOnce = async () => {
            for (const [id, lines] of [...unshelved]) {
                await shelf.write({ task: records.get(id)!, log: lines })
                unshelved.delete(id)
            }
            for (const id of tooOld(records.values(), clock.now())) {
                records.delete(id)
                await shelf.remove(id)
            }
            if (journal.sizeBytes() > COMPACT_BYTES) await journal.rewrite(() => worthKeeping())
        }
        shelving = shelving.then(tidyOnce).catch(thrown => {
            log.warn('Ended tasks could not be put away; it is tried again with the next', { why: String(thrown) })
        })
        return shelving
    }

    const unwritten = (record: TaskRecord, thrown: unknown) =>
        log.warn('What a task says is not on the disk yet', { task: record.id, why: String(thrown) })

    async function end(held: Live, state: TaskState, words: { problem?: TaskProblem; undo?: TaskRecord['undo'] } = {}) {
        const { record } = held
        const progress = state === 'done' ? 1 : record.progress
        const { undo = [], problem } = words
        const final: TaskRecord = { ...record, state, progress, phase: '', endedMs: clock.now(), undo, problem }
        const entry: Entry = { op: 'end', task: final }
        // Done means that nothing will be taken back, so it is not said before the disk knows it. Whatever else has
        // ended is told even when the disk does not know: a restart would only take back again what is gone.
        if (state === 'done' && record.undo.length > 0) await journal.append(entry)
        else
            await journal
                .insist(entry)
                .catch(thrown => log.warn('The end of a task is not on the disk yet', { thrown }))
        held.told.timer?.()
        live.delete(record.id)
        unshelved.set(record.id, held.log)
        change(record.id, final)
        for (const tellEnd of endListeners) tellEnd(copy(record))
        if (undo.length > 0) retryLater()
        void tidy()
        held.settle(copy(record))
    }

    /** Takes back what the task had made and ends it; `state` says how. */
    async function endBadly(held: Live, state: TaskState, problem: TaskProblem | undefined) {
        const { record } = held
        if (record.undo.length > 0) change(record.id, { phase: 'taking back what was made' })
        const { left: undo, why } = await takeBack(record.undo, undoers)
        if (why) log.error('A task could not take back all it had made', { task: record.id, why: why.message })
        const cancelled: TaskProblem = {
            ...problemOf(new Fault('cancelled', { summary: 'It was cancelled' })),
            detail: why ? 'not all that it had made is taken back yet' : '',
        }
        await end(held, state, {
            undo,
            problem: problem || why ? withLeft(problem ?? cancelled, undo, why) : undefined,
        })
    }

    async function run(held: Live, work: Work) {
        const { record } = held
        let thrown: { fault: Fault } | undefined
        await work(handleOf(held, { journal, clock, tell })).catch(error => {
            thrown = { fault: asFault(error) }
        })
        held.over = true
        if (!thrown) {
            try {
                return await end(held, 'done')
            } catch (error) {
                thrown = { fault: asFault(error) }
            }
        } else if (closing && held.abort.signal.aborted && !held.cancelled) {
            // With an anchor it is left as it is: the next life of the daemon takes it up again.
            if (record.anchor) return held.settle(copy(record))
            return endBadly(held, 'interrupted', problemOf(interrupted(record)))
        }
        if (held.cancelled) return endBadly(held, 'cancelled', undefined)
        if (thrown.fault.code === 'internal') log.error('A task failed', { task: record.id, why: thrown.fault.cause })
        return endBadly(held, 'failed', problemOf(thrown.fault))
    }

    function retryLater() {
        if (unretry || closing) return
        unretry = clock.after(retryMs, () => {
            unretry = undefined
            retryMs = Math.min(retryMs * 2, RETRY_MS.most)
            void retry()
        })
    }
    /** Tries again to take back what ended tasks could not. */
    async function retry() {
        for (const record of [...records.values()].filter(r => r.endedMs !== undefined && r.undo.length > 0)) {
            const before = record.undo.length
            const { left: undo, why } = await takeBack(record.undo, undoers)
            if (undo.length > 0) retryLater()
            if (undo.length === before) continue
            const lines = unshelved.get(record.id) ?? (await shelf.read(record.id))?.log ?? []
            lines.push({
                atMs: clock.now(),
                text: `taken back later: ${before - undo.length} of ${before} left-over steps`,
            })
            unshelved.set(record.id, lines)
            change(record.id, { undo, problem: record.problem && withLeft(record.problem, undo, why) })
            await journal.insist({ op: 'end', task: copy(record) } satisfies Entry).catch(() => undefined)
            if (undo.length === 0) retryMs = RETRY_MS.first
        }
        void tidy()
    }

    function newId(): string {
        const id = `${clock.now().toString(36)}-${randomBytes(3).toString('hex')}`
        return records.has(id) ? newId() : id
    }

    async function begin(spec: TaskSpec, work: Work) {
        if (closing) throw new Fault('unavailable', { summary: 'DebVisor is stopping', fix: 'Try again in a moment.' })
        const record: TaskRecord = {
            ...{ id: newId(), kind: spec.kind, title: spec.title, state: 'running', progress: -1, phase: '' },
            ...{ owner: spec.owner, on: spec.on, startedMs: clock.now(), cancellable: spec.cancellable ?? false },
            ...{ anchor: spec.anchor, undo: [] },
        }
        const held = hold(record)
        // Live before it is durable: a journal that is rewritten meanwhile must not lose it.
        live.set(record.id, held)
        const entry: Entry = { op: 'begin', task: record }
        try {
            // What stops things must be possible on a full disk too; its record follows when there is room.
            await (spec.stops
                ? journal.insist(entry).catch(thrown => unwritten(record, thrown))
                : journal.append(entry))
        } catch (thrown) {
            live.delete(record.id)
            held.settle(record)
            throw thrown
        }
        records.set(record.id, record)
        tell(record.id)
        const task = copy(record)
        void run(held, async handle => work(handle))
        return { task, settled: held.settled }
    }

    async function recover() {
        for (const { record, log: lines } of left.splice(0).reverse()) {
            const held = hold(record, lines)
            live.set(record.id, held)
            const resume = record.anchor && resumers.get(record.anchor.kind)
            if (resume) {
                change(record.id, { state: 'running', progress: -1, phase: 'taken up again' })
                void run(held, async handle => resume(record.anchor!, handle))
            } else {
                held.over = true
                await endBadly(held, 'interrupted', problemOf(interrupted(record)))
            }
        }
        await retry()
        await shelving
        if (journal.sizeBytes() > 0) await journal.rewrite(() => worthKeeping()).catch(() => undefined)
    }

    async function close() {
        closing = true
        unretry?.()
        const running = [...live.values()]
        for (const held of running) held.abort.abort(new Fault('cancelled', { summary: DAEMON_STOPS }))
        let untimer = () => {}
        const late = new Promise<void>(resolve => {
            untimer = clock.after(TASKS_END_MS, resolve)
        })
        await Promise.race([Promise.all(running.map(held => held.settled)), late])
        untimer()
        feed.close()
        await shelving
        await journal.close()
    }

    return {
        begin,
        get: id => {
            const record = records.get(id)
            return record && copy(record)
        },
        // Begun in the same millisecond: the one that was added later is the newer.
        list: () =>
            [...records.values()]
                .map(copy)
                .reverse()
                .sort((a, b) => b.startedMs - a.startedMs),
        some: holds => {
            for (const record of records.values()) if (holds(record)) return true
            return false
        },
        log: async id => {
            const lines = [...left, ...live.values()].find(held => held.record.id === id)?.log ?? unshelved.get(id)
            return [...(lines ?? (records.has(id) ? (await shelf.read(id))?.log : undefined) ?? [])]
        },
        cancel: async id => {
            const record = records.get(id)
            if (!record) throw new Fault('not-found', { summary: 'There is no such task', detail: id, at: 'id' })
            const held = live.get(id)
            if (!held || held.over) {
                throw new Fault('precondition', {
                    summary: 'That task has ended already',
                    detail: record.title,
                    at: 'id',
                })
            }
            if (!record.cancellable) {
                throw new Fault('precondition', {
                    summary: 'That task cannot be cancelled',
                    detail: record.title,
                    fix: 'Wait until it has ended.',
                    at: 'id',
                })
            }
            if (!held.cancelled) {
                held.cancelled = true
                change(id, { phase: 'stopping' })
                held.abort.abort(new Fault('cancelled', { summary: 'It was cancelled' }))
            }
            return copy(record)
        },
        watch: signal =>
            feed.watch(signal, () =>
                [...records.values()]
                    .sort((a, b) => a.startedMs - b.startedMs)
                    .map(task => ({ task: copy(task), existing: true })),
            ),
        onEnd: listener => void endListeners.push(listener),
        onUndo: (kind, undo) => void undoers.set(kind, undo),
        onAnchor: (kind, resume) => void resumers.set(kind, resume),
        recover,
        close,
    }
}

/** Why a task that did not run to its end counts as interrupted. */
function interrupted(record: TaskRecord): Fault {
    const undone = record.undo.length > 0
    return new Fault(undone ? 'unavailable' : 'unknown', {
        summary: 'DebVisor ended while this ran',
        detail: undone ? 'what it had made so far is taken back' : 'it may or may not have taken effect',
        fix: undone ? 'Begin it again.' : 'Look at the object, then begin it again where it is needed.',
    })
}
