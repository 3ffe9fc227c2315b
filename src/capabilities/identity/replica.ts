// This node's copy of all identity documents: in memory for every call, on disk for when the state store is away.
import { asFault, Fault } from '../../base/fault.ts'
import type { Check, Entry, Store, Write } from '../../drivers/etcd/store.ts'
import type { Clock, Log, System } from '../../ports/ports.ts'
import { createCopy } from './copy.ts'
import { type Docs, type Kind, keyOf, kindOfKey, PREFIX, readDoc, type SessionDoc } from './documents.ts'
import { createMirror, type Kept } from './mirror.ts'

export type { Kept } from './mirror.ts'

export interface Replica {
    get<K extends Kind>(kind: K, id: string): Kept<Docs[K]> | undefined
    all<K extends Kind>(kind: K): Kept<Docs[K]>[]
    /** Whether there is anything under the key, also what cannot be read as a document. */
    has(key: string): boolean
    grantsOf(user: string): Docs['grants'][]
    /** Writes to the store, then here and on disk. @throws Fault `conflict`, `unavailable`, `unknown` */
    commit(change: { checks: Check[]; writes: Write[] }): Promise<void>
    /** Reads what the store has now into the copy. @throws Fault `unavailable` */
    refresh(kind: Kind, id: string): Promise<void>
    /**
     * Ends sessions and tokens for good: here at once and durably, in the store now or when it answers again.
     * Answers whether the store has it already.
     */
    end(keys: string[]): Promise<boolean>
    /** A session made while the store is away; written to it when it is back, if its user is then still the same. */
    keepLocal(session: SessionDoc): Promise<void>
    /** Writes when a session or token was last used; lazily, and given up silently. */
    touch(kind: 'sessions' | 'tokens', id: string, usedMs: number): void
    onChange(listener: () => void): () => void
    /** Another number after every change of anything here. */
    version(): number
    /** Reads the disk, then waits (for a moment only) until the store has told all. */
    start(): Promise<void>
    close(): Promise<void>
}

/** That a session or token has ended. Kept until it would have ended anyway, as a write may reach the store late. */
interface Ending {
    key: string
    untilMs: number
    /** The store knows. */
    told: boolean
}

interface OnDisk {
    version: 1
    entries: Entry[]
    local: SessionDoc[]
    ended: Ending[]
}

const SAVE_SOON_MS = 100
const SAVE_TOUCH_MS = 60_000
const FIRST_SYNC_MS = 4_000
const RETRY_MS = 10_000
const AT_ONCE = 50
/** A token's secret is told only after the store confirmed it, so that no late write can bring one back. */
const TOKEN_ENDING_MS = 3_600_000

export function createReplica(deps: {
    store: Store
    system: System
    clock: Clock
    log: Log
    stateFolder: string
}): Replica {
    const { store, system, clock, log, stateFolder } = deps
    const mirror = createMirror(deps)
    const local = new Map<string, SessionDoc>()
    const ended = new Map<string, Ending>()
    const listeners = new Set<() => void>()
    let grants: Map<string, Docs['grants'][]> | undefined
    let version = 0
    let synced = false
    let whenSynced = () => {}
    let stopWatch = () => {}
    let stopRetry = () => {}

    const disk = createCopy({
        path: `${stateFolder}/identity.json`,
        system,
        clock,
        log,
        text: () => {
            const content: OnDisk = {
                version: 1,
                entries: mirror.entries(),
                local: [...local.values()],
                ended: [...ended.values()],
            }
            return JSON.stringify(content)
        },
    })

    async function load(): Promise<void> {
        await system.makeDirectory(stateFolder, 0o700)
        const text = await disk.read()
        if (text === undefined) return
        try {
            const content = JSON.parse(text) as OnDisk
            if (content.version !== 1) throw new Error(`version ${content.version}`)
            for (const ending of content.ended) ended.set(ending.key, ending)
            for (const session of content.local) {
                const doc = readDoc('sessions', JSON.stringify(session))
                if (doc) local.set(doc.id, doc)
            }
            mirror.load(content.entries)
        } catch (thrown) {
            local.clear()
            log.error('The copy of identity cannot be read; nobody can log in until the state store answers', {
                message: String(thrown),
            })
        }
    }

    function changed(saveWithinMs = SAVE_SOON_MS): void {
        version++
        grants = undefined
        for (const id of local.keys()) if (mirror.has(keyOf('sessions', id))) local.delete(id)
        for (const ending of ended.values()) if (ending.told && mirror.has(ending.key)) ending.told = false
        disk.saveSoon(saveWithinMs)
        for (const listener of [...listeners]) listener()
    }

    async function commit({ checks, writes }: { checks: Check[]; writes: Write[] }): Promise<void> {
        mirror.wrote(writes, await store.commit({ checks, writes }))
        changed()
        await disk.trySave()
    }
    async function refresh(kind: Kind, id: string): Promise<void> {
        const [key, since] = [keyOf(kind, id), mirror.mark()]
        mirror.learn(key, await store.get(key), since)
        changed()
    }

    // What happened while the store was away, carried over to it: what was ended, then the sessions that were made.

    let pushing = false
    async function pushPending(): Promise<void> {
        if (pushing || !synced || !store.up()) return
        pushing = true
        try {
            await pushEndings([...ended.values()].filter(ending => !ending.told))
            for (const session of [...local.values()]) await pushSession(session)
        } catch (thrown) {
            // Tried again at the next resync, and every few seconds while the store is up.
            log.warn('Sessions could not be carried over to the state store yet', { message: asFault(thrown).message })
        } finally {
            pushing = false
        }
    }
    async function pushEndings(endings: Ending[]): Promise<void> {
        for (let i = 0; i < endings.length; i += AT_ONCE) {
            const part = endings.slice(i, i + AT_ONCE)
            await commit({ checks: [], writes: part.map(({ key }) => ({ remove: key })) })
            for (const ending of part) ending.told = true
            disk.saveSoon(SAVE_SOON_MS)
        }
    }
    async function pushSession(session: SessionDoc): Promise<void> {
        const user = mirror.get('users', session.user)
        const same = user?.doc.uid === session.uid && user.doc.generation === session.generation && !user.doc.locked
        const key = keyOf('sessions', session.id)
        if (!same || session.expiresMs <= clock.now() || ended.has(key)) {
            local.delete(session.id)
            return changed()
        }
        try {
            const checks: Check[] = [
                { key: keyOf('users', session.user), revision: user.revision },
                { key, revision: 0 },
            ]
            await commit({ checks, writes: [{ put: key, value: JSON.stringify(session) }] })
        } catch (thrown) {
            if (asFault(thrown).code !== 'conflict') throw thrown
            // Either it is there already, as only the answer was lost, or the user changed this moment.
            await refresh('users', session.user)
            await refresh('sessions', session.id)
        }
    }
    const retry = () => {
        const now = clock.now()
        for (const [key, ending] of ended) if (ending.told && ending.untilMs < now) ended.delete(key)
        if (local.size > 0 || [...ended.values()].some(ending => !ending.told)) void pushPending()
    }

    const touching = new Set<string>()
    async function touch(kind: 'sessions' | 'tokens', id: string, usedMs: number): Promise<void> {
        const key = keyOf(kind, id)
        const mine = local.get(id)
        if (mine) mine.usedMs = usedMs
        const kept = mirror.get(kind, id)
        if (!kept || touching.has(key) || !store.up()) return
        touching.add(key)
        try {
            // Compared, so that what was ended meanwhile is not brought back to life.
            const value = JSON.stringify({ ...kept.doc, usedMs })
            mirror.wrote([{ put: key, value }], await store.put(key, value, kept.revision))
            changed(SAVE_TOUCH_MS)
        } catch (thrown) {
            log.debug('The last use was not written', { key, code: asFault(thrown).code })
        } finally {
            touching.delete(key)
        }
    }

    return {
        get<K extends Kind>(kind: K, id: string) {
            if (ended.has(keyOf(kind, id))) return undefined
            const mine = kind === 'sessions' ? local.get(id) : undefined
            return mirror.get(kind, id) ?? (mine && { doc: mine as Docs[K], revision: 0 })
        },
        all<K extends Kind>(kind: K) {
            const mine = kind === 'sessions' ? [...local] : []
            return [
                ...mirror.all(kind),
                ...mine.map(([id, doc]): [string, Kept<Docs[K]>] => [id, { doc: doc as Docs[K], revision: 0 }]),
            ].flatMap(([id, kept]) => (ended.has(keyOf(kind, id)) ? [] : [kept]))
        },
        has: mirror.has,
        grantsOf(user) {
            if (!grants) {
                grants = new Map()
                for (const [, { doc }] of mirror.all('grants')) {
                    grants.set(doc.user, [...(grants.get(doc.user) ?? []), doc])
                }
            }
            return grants.get(user) ?? []
        },
        commit,
        refresh,
        async end(keys) {
            const endings = keys.map((key): Ending => {
                const at = kindOfKey(key)
                const session =
                    at?.kind === 'sessions' ? (mirror.get('sessions', at.id)?.doc ?? local.get(at.id)) : undefined
                return { key, untilMs: session?.expiresMs ?? clock.now() + TOKEN_ENDING_MS, told: false }
            })
            for (const ending of endings) {
                ended.set(ending.key, ending)
                local.delete(kindOfKey(ending.key)?.id ?? '')
            }
            changed()
            const there = await pushEndings(endings).then(
                () => true,
                thrown => thrown as unknown,
            )
            // Must be on disk before it is answered, whatever the answer: a restart must not bring them back.
            await disk.save()
            if (there === true) return true
            if (!['unavailable', 'unknown'].includes(asFault(there).code)) throw there
            return false
        },
        async keepLocal(session) {
            local.set(session.id, session)
            changed()
            await disk.trySave()
            void pushPending()
        },
        touch: (kind, id, usedMs) => void touch(kind, id, usedMs),
        onChange(listener) {
            listeners.add(listener)
            return () => void listeners.delete(listener)
        },
        version: () => version,
        async start() {
            await load()
            version++
            const told = new Promise<void>(resolve => {
                const cancelWait = clock.after(FIRST_SYNC_MS, resolve)
                const stopTurns = store.onTurn(up => void (up || whenSynced()))
                whenSynced = () => {
                    cancelWait()
                    stopTurns()
                    resolve()
                }
            })
            stopWatch = store.watch(PREFIX, {
                resync(snapshot) {
                    mirror.resync(snapshot)
                    synced = true
                    whenSynced()
                    changed()
                    retry()
                },
                change(changes) {
                    changed(mirror.hear(changes) ? SAVE_SOON_MS : SAVE_TOUCH_MS)
                },
            })
            stopRetry = clock.every(RETRY_MS, retry)
            if (!store.up()) whenSynced()
            await told
            if (!synced) log.warn('The state store is away; logins go by the copy on this node')
        },
        async close() {
            stopWatch()
            stopRetry()
            await disk.trySave()
            listeners.clear()
        },
    }
}

/** For what cannot be done while the store is away. */
export const needsStore = (thrown: unknown): Fault => {
    const fault = asFault(thrown)
    if (fault.code !== 'unavailable') return fault
    return new Fault('unavailable', {
        summary: 'Users and rights cannot be changed while the state store is away',
        detail: fault.detail,
        fix: fault.fix,
        cause: thrown,
    })
}
