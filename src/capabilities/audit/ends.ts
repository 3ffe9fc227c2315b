// How tasks ended, as records: each closes the intent of the call that began it, also when it ends before that is said.
import type { TaskRecord } from '../../engine/task.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import type { AuditWords } from './audit.ts'
import type { AuditResult } from './chain.ts'

interface Link {
    /** Of the intent. */
    number: number
    words: AuditWords
}

export interface Ends {
    /** Records that a call began the task. Resolves when the record is on the disk. */
    begun(task: string, link: Link): Promise<void>
    /** Records the end of a task; of one that no call of this life began, by what the task itself says. Never throws. */
    ended(task: TaskRecord): void
    /** Resolves when what ended so far is recorded. */
    close(): Promise<void>
}

/** A task can end before the call that began it has said so: the end waits this long for it. */
const WAIT_MS = 2_000
/** Tasks that run; what is beyond it closes nothing any more, but is recorded. */
const LINKS = 10_000

export function createEnds(deps: {
    write(words: AuditWords, more: { result: AuditResult; closes?: number }): Promise<number>
    clock: Clock
    log: Log
}): Ends {
    const { write, clock, log } = deps
    const links = new Map<string, Link>()
    const waiting = new Map<string, { task: TaskRecord; cancel: () => void }>()
    const writing = new Set<Promise<unknown>>()

    function record(task: TaskRecord, link: Link | undefined): void {
        const { state, problem } = task
        const words = link?.words ?? {
            ...{ who: task.owner, from: '', what: task.kind, task: task.id },
            ...{ onId: task.on?.id, onName: task.on?.name },
        }
        const detail = state === 'done' ? undefined : { state, ...(problem && wordsOf(problem)) }
        const result = state === 'done' ? 'done' : 'failed'
        const written = write({ ...words, detail }, { result, closes: link?.number ?? 0 }).catch(thrown =>
            log.error('The end of a task could not be recorded', { task: task.id, why: String(thrown) }),
        )
        writing.add(written)
        void written.finally(() => writing.delete(written))
    }
    function recordWaiting(id: string, link: Link | undefined): void {
        const early = waiting.get(id)
        if (!early) return
        early.cancel()
        waiting.delete(id)
        record(early.task, link)
    }

    return {
        async begun(task, link) {
            const written = write(link.words, { result: 'begun', closes: link.number })
            if (waiting.has(task)) recordWaiting(task, link)
            else links.set(task, link)
            if (links.size > LINKS) links.delete(links.keys().next().value!)
            await written
        },
        ended(task) {
            const link = links.get(task.id)
            links.delete(task.id)
            if (link) return record(task, link)
            const cancel = clock.after(WAIT_MS, () => recordWaiting(task.id, undefined))
            waiting.set(task.id, { task, cancel })
        },
        async close() {
            for (const id of [...waiting.keys()]) recordWaiting(id, undefined)
            while (writing.size > 0) await Promise.all(writing)
        },
    }
}

const wordsOf = ({ code, summary, detail, at, findings }: NonNullable<TaskRecord['problem']>) => ({
    ...{ code, summary, detail, at },
    ...(findings.length > 0 ? { findings: findings.map(f => [f.summary, f.detail].filter(Boolean).join(': ')) } : {}),
})
