// What DebVisor itself made in pools, kept on disk: a guest can write a qcow2 header into its raw disk, and is not believed.

import { openJournal } from '../../engine/journal.ts'
import type { Clock, System } from '../../ports/ports.ts'

export interface Declared {
    pool: string
    name: string
    format: string
    backingPath?: string
    /** When it was about to be made, ms since 1970. */
    atMs: number
    /** libvirt has said that it is made. */
    made: boolean
    /** Id of an upload that made it; empty for others. */
    by: string
}

export interface Declarations {
    /** From memory: await `ready` first. */
    get(pool: string, name: string): Declared | undefined
    ready(): Promise<void>
    /** Durable when it returns: call it before the volume is made. */
    intend(what: Omit<Declared, 'atMs' | 'made'>): Promise<void>
    /** It is made. Written within a second. */
    made(pool: string, name: string): Promise<void>
    /** Only when DebVisor itself has removed it: one that is out of sight may come back. */
    forget(pool: string, name: string): Promise<void>
    close(): Promise<void>
}

const COMPACT_BYTES = 512 * 1024

/** The record in `folder`, opened at once. A torn last line is left out. */
export function createDeclarations(deps: { system: System; clock: Clock; folder: string }): Declarations {
    const { clock, system } = deps
    const known = new Map<string, Declared>()
    const keyOf = (pool: string, name: string) => `${pool}/${name}`
    const open = async () => {
        await system.makeDirectory(deps.folder, 0o700)
        const { entries, journal } = await openJournal({ system, clock, path: `${deps.folder}/volumes.jsonl` })
        for (const entry of entries as (Declared & { gone?: boolean })[]) {
            if (entry.gone) known.delete(keyOf(entry.pool, entry.name))
            else known.set(keyOf(entry.pool, entry.name), entry)
        }
        return journal
    }
    const opened = open()
    // Whoever needs it hears of the trouble.
    opened.catch(() => {})
    const compact = async () => {
        const journal = await opened
        if (journal.sizeBytes() > COMPACT_BYTES + known.size * 400) await journal.rewrite(() => [...known.values()])
    }

    return {
        get: (pool, name) => known.get(keyOf(pool, name)),
        ready: async () => void (await opened),
        intend: async what => {
            const journal = await opened
            const entry: Declared = { ...what, atMs: clock.now(), made: false }
            await journal.append(entry)
            known.set(keyOf(what.pool, what.name), entry)
            await compact()
        },
        made: async (pool, name) => {
            const journal = await opened
            const entry = known.get(keyOf(pool, name))
            if (!entry) return
            entry.made = true
            journal.ride(entry)
        },
        forget: async (pool, name) => {
            const journal = await opened
            if (known.delete(keyOf(pool, name))) await journal.append({ pool, name, gone: true })
        },
        close: async () => (await opened).close(),
    }
}
