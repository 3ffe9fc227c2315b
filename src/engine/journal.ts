// An append-only file of JSON lines whose entries are on the disk when `append` returns, many sharing one fsync.
import { asFault, Fault } from '../base/fault.ts'
import type { Clock, LineFile, System } from '../ports/ports.ts'

export interface Journal {
    /** Durable when it returns. @throws Fault `exhausted` when the disk is full, `unavailable` for other troubles. */
    append(entry: object): Promise<void>
    /** The same, but an entry that could not be written stays in line, and goes ahead of the next that can be. */
    insist(entry: object): Promise<void>
    /** Written along with the next one, or within a second; lost by a crash in between. */
    ride(entry: object): void
    /** Replaces the whole file, at once or not at all, by what `entries` says when its turn comes. */
    rewrite(entries: () => object[]): Promise<void>
    /** Bytes written to the file, about. */
    sizeBytes(): number
    close(): Promise<void>
}

interface Waiting {
    text: string
    insist: boolean
    done?: () => void
    failed?: (fault: Fault) => void
}

const RIDE_MS = 1000

/**
 * The entries that the file holds, oldest first, and the open journal. A line that is no JSON (torn by a power cut or a
 * full disk) is left out and counted in `torn`.
 */
export async function openJournal(deps: { system: System; clock: Clock; path: string }) {
    const { system, path } = deps
    const text = (await system.readText(path)) ?? ''
    const { entries, torn } = parseLines(text)
    return { entries, torn, journal: createJournal({ ...deps, sizeBytes: text.length, whole: /^$|\n$/.test(text) }) }
}

/** What a file of JSON lines says; blank lines mean nothing, broken ones are counted. */
export function parseLines(text: string): { entries: unknown[]; torn: number } {
    const entries: unknown[] = []
    let torn = 0
    for (const line of text.split('\n')) {
        if (line === '') continue
        try {
            entries.push(JSON.parse(line))
        } catch {
            torn++
        }
    }
    return { entries, torn }
}

function createJournal(deps: {
    system: System
    clock: Clock
    path: string
    sizeBytes: number
    whole: boolean
}): Journal {
    const { system, clock, path } = deps
    let file: LineFile | undefined
    let queue: Waiting[] = []
    let turn: Promise<unknown> = Promise.resolve()
    let scheduled = false
    let sizeBytes = deps.sizeBytes
    // After a torn line the next one must not be glued to it.
    let whole = deps.whole
    let unride: (() => void) | undefined

    const release = async () => {
        const old = file
        file = undefined
        await old?.close().catch(() => undefined)
    }

    const flush = async () => {
        scheduled = false
        unride?.()
        unride = undefined
        const batch = queue
        queue = []
        if (batch.length === 0) return
        const text = (whole ? '' : '\n') + batch.map(w => w.text).join('\n')
        try {
            file ??= await system.openLines(path, 0o600)
            await file.append(text)
            whole = true
            sizeBytes += text.length + 1
            for (const waiting of batch) waiting.done?.()
        } catch (thrown) {
            whole = false
            await release()
            const fault = cannotWrite(thrown, path)
            const kept = batch.filter(w => w.insist).map(w => ({ text: w.text, insist: true }))
            queue = [...kept, ...queue]
            for (const waiting of batch) waiting.failed?.(fault)
        }
    }
    const schedule = () => {
        if (scheduled) return
        scheduled = true
        turn = turn.then(flush)
    }
    const add = (entry: object, insist: boolean) =>
        new Promise<void>((done, failed) => {
            queue.push({ text: JSON.stringify(entry), insist, done, failed })
            schedule()
        })

    return {
        append: entry => add(entry, false),
        insist: entry => add(entry, true),
        ride: entry => {
            queue.push({ text: JSON.stringify(entry), insist: false })
            unride ??= clock.after(RIDE_MS, schedule)
        },
        rewrite: entries => {
            const mine = turn.then(async () => {
                await release()
                const text = entries()
                    .map(entry => `${JSON.stringify(entry)}\n`)
                    .join('')
                await system.writeFile(path, text, 0o600)
                whole = true
                sizeBytes = text.length
            })
            turn = mine.catch(() => undefined)
            return mine
        },
        sizeBytes: () => sizeBytes,
        close: async () => {
            if (queue.length > 0) schedule()
            await turn
            await release()
        },
    }
}

/** The Fault for a durable file that could not be written: `exhausted` for a full disk, else `unavailable`. */
export function cannotWrite(thrown: unknown, path: string): Fault {
    const fault = asFault(thrown)
    const full = fault.code === 'exhausted' || isFull(thrown) || isFull(fault.cause)
    return new Fault(full ? 'exhausted' : 'unavailable', {
        summary: full ? 'The disk of the state folder is full' : 'The state folder cannot be written',
        detail: path,
        fix: full
            ? 'Make room on that file system, then try again; nothing was changed.'
            : 'Look at the file system and the log of debvisor-rpcd; nothing was changed.',
        cause: thrown,
    })
}

const isFull = (thrown: unknown): boolean => {
    const code = (thrown as { code?: unknown } | undefined)?.code
    return code === 'ENOSPC' || code === 'EDQUOT'
}
