// A store of small documents under keys, with revisions: what etcd gives, without its words.
import { Fault } from '../../base/fault.ts'

export interface Entry {
    key: string
    value: string
    /** Of the last change of this key. Revisions only grow, over all keys. */
    revision: number
}

export interface Snapshot {
    /** Sorted by key. */
    entries: Entry[]
    /** The store's revision at which these were all there was. */
    revision: number
}

export type Change = { kind: 'put'; entry: Entry } | { kind: 'delete'; key: string; revision: number }

/** What must hold at the moment of a change: a key is as it was at `revision` (0: there is none), or… */
export type Check =
    | { key: string; revision: number }
    /** …nothing below the prefix was written after `since` (deletions do not count). */
    | { prefix: string; since: number }

export type Write = { put: string; value: string } | { remove: string }

export interface Watcher {
    /** All there is: at the start, and again whenever the thread was lost. What is not in it is gone. */
    resync(snapshot: Snapshot): void
    /** What changed since, in order; all changes of one revision come in one call. */
    change(changes: Change[]): void
}

/**
 * Every call answers or throws within its deadline. Faults of all of them: `unavailable` (nothing happened), and of
 * those that change something also `conflict` (a check did not hold; nothing happened) and `unknown` (the answer was
 * lost: it may have happened, or may still happen).
 */
export interface Store {
    get(key: string): Promise<Entry | undefined>
    list(prefix: string): Promise<Snapshot>
    /** With `expected`, only where the key is at that revision (0: does not exist). Answers the new revision. */
    put(key: string, value: string, expected?: number): Promise<number>
    /** With `expected`, only where the key is at that revision. A key that is not there is fine without it. */
    remove(key: string, expected?: number): Promise<number>
    /** All writes at once, if all checks hold; at most 100 of both. Answers the new revision. */
    commit(change: { checks: Check[]; writes: Write[] }): Promise<number>
    /** Follows all keys below a prefix until the returned function is called; goes on by itself after troubles. */
    watch(prefix: string, watcher: Watcher): () => void
    /** False while the store is known not to answer; calls then fail at once. */
    up(): boolean
    /** Called when `up` changes, until the returned function is called. */
    onTurn(listener: (up: boolean) => void): () => void
    close(): Promise<void>
}

export const away = (detail: string, cause?: unknown): Fault =>
    new Fault('unavailable', {
        summary: 'The state store does not answer',
        detail,
        fix: 'Look whether etcd runs (systemctl status etcd) and is reachable, then try again. Nothing was changed.',
        cause,
    })

export const lostAnswer = (detail: string, cause?: unknown): Fault =>
    new Fault('unknown', {
        summary: 'The state store did not confirm the change',
        detail,
        fix: 'The change may or may not have happened: look before you try again.',
        cause,
    })

export const lostCheck = (): Fault =>
    new Fault('conflict', {
        summary: 'Someone else changed the same thing at the same time',
        fix: 'Look at what it is now, and try again.',
    })
