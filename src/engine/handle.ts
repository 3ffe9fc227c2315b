// What the work of a task holds while it runs: its progress, log, promises to undo, and signal.
import { Fault } from '../base/fault.ts'
import type { Clock } from '../ports/ports.ts'
import type { Entry } from './entries.ts'
import type { Journal } from './journal.ts'
import type { LogLine } from './shelf.ts'
import type { RunningTask, TaskRecord } from './task.ts'

/** A task of this life of the daemon. */
export interface Live {
    record: TaskRecord
    log: LogLine[]
    abort: AbortController
    cancelled: boolean
    over: boolean
    settled: Promise<TaskRecord>
    settle: (record: TaskRecord) => void
    told: { timer?: () => void; stale: boolean }
}

const LOG_LINES = 2000
const LINE_LENGTH = 4000
const TELL_MS = 200

/** A task that can be run: `settled` resolves by `settle`. */
export function hold(record: TaskRecord, lines: LogLine[] = []): Live {
    let settle: Live['settle'] = () => {}
    const settled = new Promise<TaskRecord>(resolve => {
        settle = resolve
    })
    const told = { stale: false }
    return {
        record,
        log: lines,
        abort: new AbortController(),
        cancelled: false,
        over: false,
        settled,
        settle,
        told,
    }
}

/**
 * The handle for `held`. Progress is told through `tell` at most five times a second and never written; log lines are
 * written with the next durable entry.
 */
export function handleOf(
    held: Live,
    deps: { journal: Journal; clock: Clock; tell: (id: string) => void },
): RunningTask {
    const { record, told } = held
    const { journal, clock, tell } = deps
    const { id } = record
    const stillRuns = () => {
        if (held.over) throw new Fault('internal', { summary: 'A task that has ended went on', detail: id })
    }
    const tellSoon = () => {
        told.stale = true
        if (told.timer) return
        told.stale = false
        tell(id)
        told.timer = clock.after(TELL_MS, () => {
            told.timer = undefined
            if (told.stale && !held.over) tellSoon()
        })
    }
    return {
        id,
        signal: held.abort.signal,
        progress: (fraction, phase) => {
            if (held.over) return
            record.progress = Number.isFinite(fraction) ? Math.min(fraction, 1) : -1
            if (phase !== undefined) record.phase = phase
            tellSoon()
        },
        say: text => {
            if (held.over || held.log.length >= LOG_LINES) return
            const full = held.log.length === LOG_LINES - 1
            const line = {
                atMs: clock.now(),
                text: full ? '… and more, which is not kept' : text.slice(0, LINE_LENGTH),
            }
            held.log.push(line)
            journal.ride({ op: 'say', id, ...line })
        },
        undo: async step => {
            stillRuns()
            record.undo.push(step)
            try {
                await journal.append({ op: 'undo', id, step } satisfies Entry)
            } catch (thrown) {
                record.undo = record.undo.filter(other => other !== step)
                throw thrown
            }
        },
        keep: async () => {
            stillRuns()
            await journal.append({ op: 'keep', id } satisfies Entry)
            record.undo = []
        },
        anchor: async anchor => {
            stillRuns()
            await journal.append({ op: 'anchor', id, anchor } satisfies Entry)
            record.anchor = anchor
        },
    }
}
