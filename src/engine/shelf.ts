// Ended tasks on disk: one JSON file each with its record and log, and how many of them are kept.
import type { Log, System } from '../ports/ports.ts'
import type { TaskRecord } from './task.ts'

export interface LogLine {
    atMs: number
    text: string
}

export interface Shelved {
    task: TaskRecord
    log: LogLine[]
}

/** The shelf of a folder. Files that cannot be read as a task are left alone and said in the log. */
export function createShelf({ system, log, folder }: { system: System; log: Log; folder: string }) {
    const pathOf = (id: string) => `${folder}/${id}.json`
    const read = async (id: string): Promise<Shelved | undefined> => {
        try {
            const found = JSON.parse((await system.readText(pathOf(id))) ?? 'null') as Shelved | null
            if (found?.task?.id === id && Array.isArray(found.log)) return found
        } catch (thrown) {
            log.warn('A task file cannot be read', { path: pathOf(id), why: String(thrown) })
        }
        return undefined
    }
    return {
        read,
        /** Records of all tasks on the shelf, in no order. */
        async readAll(): Promise<TaskRecord[]> {
            const ids = (await system.list(folder)).filter(n => n.endsWith('.json')).map(n => n.slice(0, -5))
            const found: TaskRecord[] = []
            // A few at a time: a thousand files at once would need a thousand file descriptors.
            for (let at = 0; at < ids.length; at += 32) {
                const some = await Promise.all(ids.slice(at, at + 32).map(read))
                for (const one of some) if (one) found.push(one.task)
            }
            return found
        },
        write: (shelved: Shelved) => system.writeFile(pathOf(shelved.task.id), `${JSON.stringify(shelved)}\n`, 0o600),
        remove: (id: string) => system.remove(pathOf(id)),
    }
}

export const KEPT_ENDED = 1000
export const KEPT_MS = 30 * 24 * 3600_000

/** Which ended tasks have to go: beyond the newest 1,000, or older than 30 days; never one with something to undo. */
export function tooOld(tasks: Iterable<TaskRecord>, nowMs: number): string[] {
    const ended = [...tasks].filter(t => t.endedMs !== undefined)
    ended.sort((a, b) => b.endedMs! - a.endedMs!)
    return ended
        .filter((t, rank) => t.undo.length === 0 && (rank >= KEPT_ENDED || nowMs - t.endedMs! > KEPT_MS))
        .map(t => t.id)
}
