// Lists that the server keeps fresh: a Watch stream feeds a keyed store, in batches, through every reconnect.
import { Code, ConnectError } from '@connectrpc/connect'
import { useSyncExternalStore } from 'react'
import { session, type Trouble, troubleOf } from './client.panel.tsx'

export interface Snapshot<T> {
    items: ReadonlyMap<string, T>
    list: readonly T[]
    /** connecting: it is not known yet what there is; `trouble` says why it goes on trying. lost: the server is away. stale: the server says that this may be old. */
    state: 'connecting' | 'live' | 'stale' | 'lost' | 'denied'
    trouble?: Trouble
}

/** What a message of the stream does to the store. */
export interface Draft<T> {
    put(key: string, item: T): void
    remove(key: string): void
    get(key: string): T | undefined
    /** All that existed has been said: what was not said is gone. */
    synced(): void
    stale(yes: boolean): void
}

export interface LiveSource<M, T> {
    open(signal: AbortSignal): AsyncIterable<M>
    apply(draft: Draft<T>, message: M): void
    /** The stream never says `synced`: what it said before a reconnect stays. */
    keeps?: boolean
}

export interface Live<T> {
    subscribe(listener: () => void): () => void
    get(): Snapshot<T>
}

const BATCH_MS = 80
const LINGER_MS = 15_000
const FIRST_WAIT_MS = 500
const LAST_WAIT_MS = 10_000

/** A store that is connected while somebody looks at it, and a little longer. */
export function live<M, T>(source: LiveSource<M, T>): Live<T> {
    let snapshot: Snapshot<T> = { items: new Map(), list: [], state: 'connecting' }
    let items = new Map<string, T>()
    let fresh: Map<string, T> | undefined
    let state: Snapshot<T>['state'] = 'connecting'
    let trouble: Trouble | undefined
    /** What there is has been said once. */
    let known = false
    let timer: ReturnType<typeof setTimeout> | undefined
    let linger: ReturnType<typeof setTimeout> | undefined
    let running: AbortController | undefined
    const listeners = new Set<() => void>()

    const flush = (): void => {
        timer = undefined
        const shown = new Map(items)
        snapshot = { items: shown, list: [...shown.values()], state, trouble }
        for (const listener of [...listeners]) listener()
    }
    const changed = (): void => {
        if (timer === undefined) timer = setTimeout(flush, BATCH_MS)
    }
    const draft: Draft<T> = {
        put(key, item) {
            ;(fresh ?? items).set(key, item)
            if (!fresh) changed()
        },
        remove(key) {
            ;(fresh ?? items).delete(key)
            if (!fresh) changed()
        },
        get: key => (fresh ?? items).get(key),
        synced() {
            if (fresh) items = fresh
            fresh = undefined
            known = true
            state = 'live'
            changed()
        },
        stale(yes) {
            if (!known || (state !== 'stale' && !yes)) return
            state = yes ? 'stale' : 'live'
            changed()
        },
    }

    const follow = (signal: AbortSignal): Promise<void> =>
        keepOn(signal, {
            async run(alive) {
                fresh = source.keeps ? undefined : new Map()
                for await (const message of source.open(signal)) {
                    alive()
                    trouble = undefined
                    if (source.keeps && state !== 'live') {
                        known = true
                        state = 'live'
                        changed()
                    }
                    source.apply(draft, message)
                }
            },
            broken(why, denied) {
                if (why) trouble = why
                // A list that never came is not an empty one.
                state = denied ? 'denied' : known ? 'lost' : 'connecting'
                if (denied) flush()
                else changed()
            },
        })

    return {
        get: () => snapshot,
        subscribe(listener) {
            listeners.add(listener)
            clearTimeout(linger)
            if (!running) {
                running = new AbortController()
                void follow(running.signal)
            }
            return () => {
                listeners.delete(listener)
                if (listeners.size > 0) return
                linger = setTimeout(() => {
                    running?.abort()
                    running = undefined
                    if (state === 'denied') state = 'connecting'
                }, LINGER_MS)
            }
        },
    }
}

/** What a live store holds now; the component is drawn again with each batch. */
export const useLive = <T,>(store: Live<T>): Snapshot<T> => useSyncExternalStore(store.subscribe, store.get)

export interface Lasting {
    /** One life of the stream; `alive` is to be called whenever something came. */
    run(alive: () => void): Promise<void>
    /** Told when it ended or failed; with `denied` it is not tried again. */
    broken(why: Trouble | undefined, denied: boolean): void
}

/** Runs a stream again and again, with growing pauses and through logins, until the signal aborts or it is refused. */
export async function keepOn(signal: AbortSignal, stream: Lasting): Promise<void> {
    let waitMs = FIRST_WAIT_MS
    while (!signal.aborted) {
        let why: Trouble | undefined
        try {
            await stream.run(() => {
                waitMs = FIRST_WAIT_MS
            })
        } catch (thrown) {
            if (signal.aborted) return
            const { code } = ConnectError.from(thrown)
            if (code === Code.Unauthenticated) {
                if (session.get() === 'in') session.set('expired')
                await session.renewed(signal).catch(() => undefined)
                continue
            }
            why = troubleOf(thrown)
            if (code === Code.PermissionDenied) return stream.broken(why, true)
        }
        if (signal.aborted) return
        stream.broken(why, false)
        await pause(waitMs, signal)
        waitMs = Math.min(waitMs * 2, LAST_WAIT_MS)
    }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
        const end = (): void => {
            clearTimeout(timer)
            signal.removeEventListener('abort', end)
            resolve()
        }
        const timer = setTimeout(end, ms)
        signal.addEventListener('abort', end)
    })
}
