// All identity documents in memory, as the store told them; kept right when answers and news cross on their way.
import type { Change, Entry, Snapshot, Write } from '../../drivers/etcd/store.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import { type Docs, KINDS, type Kind, kindOfKey, readDoc } from './documents.ts'

export interface Kept<T> {
    doc: T
    /** 0 for a session that only this node knows, as it was made while the store was away. */
    revision: number
}

type Maps = { [K in Kind]: Map<string, Kept<Docs[K]>> }

export interface Mirror {
    get<K extends Kind>(kind: K, id: string): Kept<Docs[K]> | undefined
    all<K extends Kind>(kind: K): [string, Kept<Docs[K]>][]
    has(key: string): boolean
    /** As they came, for the disk. */
    entries(): Entry[]
    load(entries: Entry[]): void
    resync(snapshot: Snapshot): void
    /** Takes in news; answers whether any of them is more than a new time of last use. */
    hear(changes: Change[]): boolean
    /** What this node wrote, and the store confirmed. */
    wrote(writes: Write[], revision: number): void
    /** What a read of one key gave; `readSince` was taken before it. */
    learn(key: string, entry: Entry | undefined, readSince: number): void
    /** A mark in time for `learn`. */
    mark(): number
}

/** How long news may lag behind what this node wrote itself. */
const RECENT_MS = 30_000

export function createMirror({ clock, log }: { clock: Clock; log: Log }): Mirror {
    const maps = Object.fromEntries(KINDS.map(kind => [kind, new Map()])) as unknown as Maps
    const raw = new Map<string, Entry>()
    /** What this node wrote lately: slower news or an older full read must not take it back. */
    const recent = new Map<string, { revision: number; entry: Entry | undefined; atTicks: number; mark: number }>()
    let marks = 0

    function place(entry: Entry): void {
        raw.set(entry.key, entry)
        const at = kindOfKey(entry.key)
        if (!at) return
        const doc = readDoc(at.kind, entry.value)
        if (doc) {
            ;(maps[at.kind] as Map<string, Kept<typeof doc>>).set(at.id, { doc, revision: entry.revision })
        } else {
            log.error('A document of identity cannot be read and gives no access', { key: entry.key })
            maps[at.kind].delete(at.id)
        }
    }
    function drop(key: string): void {
        raw.delete(key)
        const at = kindOfKey(key)
        if (at) maps[at.kind].delete(at.id)
    }
    function clear(): void {
        raw.clear()
        for (const kind of KINDS) maps[kind].clear()
    }
    function forgetOld(): void {
        for (const [key, { atTicks }] of recent) {
            if (clock.ticks() - atTicks <= RECENT_MS) return
            recent.delete(key)
        }
    }
    const isNews = (key: string, revision: number): boolean => revision >= (recent.get(key)?.revision ?? 0)

    return {
        get: <K extends Kind>(kind: K, id: string) => maps[kind].get(id) as Kept<Docs[K]> | undefined,
        all: <K extends Kind>(kind: K) => [...maps[kind]] as [string, Kept<Docs[K]>][],
        has: key => raw.has(key),
        entries: () => [...raw.values()],
        load(entries) {
            clear()
            try {
                for (const entry of entries) place(entry)
            } catch (thrown) {
                clear()
                throw thrown
            }
        },
        resync({ entries, revision }) {
            forgetOld()
            clear()
            for (const entry of entries) place(entry)
            for (const [key, mine] of recent) {
                if (mine.revision > revision) mine.entry ? place(mine.entry) : drop(key)
            }
        },
        hear(changes) {
            forgetOld()
            let lasting = false
            for (const change of changes) {
                if (change.kind === 'put') {
                    const { entry } = change
                    if (!isNews(entry.key, entry.revision)) continue
                    if (withoutUse(raw.get(entry.key)?.value) !== withoutUse(entry.value)) lasting = true
                    place(entry)
                } else if (isNews(change.key, change.revision)) {
                    drop(change.key)
                    lasting = true
                }
            }
            return lasting
        },
        wrote(writes, revision) {
            const atTicks = clock.ticks()
            for (const one of writes) {
                const key = 'put' in one ? one.put : one.remove
                if (!isNews(key, revision)) continue
                const entry = 'put' in one ? { key, value: one.value, revision } : undefined
                recent.delete(key)
                recent.set(key, { revision, entry, atTicks, mark: ++marks })
                entry ? place(entry) : drop(key)
            }
        },
        learn(key, entry, readSince) {
            if ((recent.get(key)?.mark ?? 0) > readSince) return
            if (!entry) drop(key)
            else if (entry.revision >= (raw.get(key)?.revision ?? 0)) place(entry)
        },
        mark: () => marks,
    }
}

/** The document apart from when it was last used, which is not worth a write to disk. */
const withoutUse = (text: string | undefined): string | undefined => text?.replace(/"usedMs":\d+/, '')
