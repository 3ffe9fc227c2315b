// What the task journal says: its entries, what they come to, and which of them are still needed.
import type { LogLine } from './shelf.ts'
import type { Anchor, TaskRecord } from './task.ts'

/** What the journal says; a task lives in it from its begin until its file is on the shelf. */
export type Entry =
    | { op: 'begin'; task: TaskRecord }
    | { op: 'undo'; id: string; step: TaskRecord['undo'][number] }
    | { op: 'anchor'; id: string; anchor: Anchor }
    | { op: 'keep'; id: string }
    | { op: 'say'; id: string; atMs: number; text: string }
    | { op: 'end'; task: TaskRecord }

/** A task as the journal tells it. */
export interface Told {
    record: TaskRecord
    log: LogLine[]
}

/** What the journal's entries come to, by task, oldest first. */
export function fold(entries: Entry[]): Map<string, Told> {
    const found = new Map<string, Told>()
    const lines = new Map<string, LogLine[]>()
    const logOf = (id: string) => {
        const log = lines.get(id) ?? []
        lines.set(id, log)
        return log
    }
    for (const entry of entries) {
        if (entry === null || typeof entry !== 'object') continue
        if (entry.op === 'say') logOf(entry.id).push({ atMs: entry.atMs, text: entry.text })
        if (entry.op === 'begin' || entry.op === 'end') {
            found.set(entry.task.id, { record: entry.task, log: logOf(entry.task.id) })
        }
        const record = 'id' in entry ? found.get(entry.id)?.record : undefined
        if (!record || record.endedMs !== undefined) continue
        if (entry.op === 'undo') record.undo.push(entry.step)
        if (entry.op === 'anchor') record.anchor = entry.anchor
        if (entry.op === 'keep') record.undo = []
    }
    return found
}

/** The fewest entries that say the same: what the journal is rewritten with. */
export function entriesOf(told: Iterable<Told>): Entry[] {
    const out: Entry[] = []
    for (const { record, log } of told) {
        const ended = record.endedMs !== undefined
        if (!ended) out.push({ op: 'begin', task: record })
        for (const line of log) out.push({ op: 'say', id: record.id, ...line })
        if (ended) out.push({ op: 'end', task: record })
    }
    return out
}
