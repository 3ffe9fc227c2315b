// The same store in memory, for tests: several nodes can open it, and each can be cut off.
import {
    type Change,
    type Check,
    type Entry,
    lostAnswer,
    lostCheck,
    away as outOfReach,
    type Store,
    type Watcher,
    type Write,
} from './store.ts'

export interface MemoryStore extends Store {
    /** From now on calls fail with `unavailable`. */
    cut(): void
    /** Calls work again, and watchers are resynced. */
    heal(): void
    /** The next change happens, but its answer is lost: `unknown`. */
    loseNextAnswer(): void
}

export interface MemoryStores {
    /** One more node's view of the same documents. */
    open(): MemoryStore
}

export function memoryStores(): MemoryStores {
    const entries = new Map<string, Entry>()
    const nodes = new Set<(changes: Change[]) => void>()
    let revision = 1

    const holds = (check: Check): boolean => {
        if ('key' in check) return (entries.get(check.key)?.revision ?? 0) === check.revision
        return [...entries.values()].every(e => !e.key.startsWith(check.prefix) || e.revision <= check.since)
    }
    const snapshot = (prefix: string) => ({
        entries: [...entries.values()]
            .filter(e => e.key.startsWith(prefix))
            .sort((a, b) => (a.key < b.key ? -1 : 1))
            .map(e => ({ ...e })),
        revision,
    })
    function commit(checks: Check[], writes: Write[]): number {
        if (!checks.every(holds)) throw lostCheck()
        const effective = writes.filter(write => 'put' in write || entries.has(write.remove))
        if (effective.length > 0) revision++
        const changes = effective.map((write): Change => {
            if ('put' in write) {
                const entry = { key: write.put, value: write.value, revision }
                entries.set(write.put, entry)
                return { kind: 'put', entry: { ...entry } }
            }
            entries.delete(write.remove)
            return { kind: 'delete', key: write.remove, revision }
        })
        if (changes.length > 0) for (const tell of nodes) tell(changes)
        return revision
    }

    function open(): MemoryStore {
        const watchers = new Map<Watcher, string>()
        const turns = new Set<(up: boolean) => void>()
        let up = true
        let lose = false
        // Like the real one, a watcher hears of things later than the call that did them.
        let line = Promise.resolve()
        const later = (call: () => void) => {
            line = line.then(call)
        }
        const tell = (changes: Change[]) => {
            for (const [watcher, prefix] of watchers) {
                const of = changes.filter(c => (c.kind === 'put' ? c.entry.key : c.key).startsWith(prefix))
                if (of.length > 0 && up) later(() => void (up && watchers.has(watcher) && watcher.change(of)))
            }
        }
        nodes.add(tell)
        const resync = (watcher: Watcher, prefix: string) =>
            later(() => void (up && watchers.has(watcher) && watcher.resync(snapshot(prefix))))

        async function call<T>(act: () => T): Promise<T> {
            await Promise.resolve()
            if (!up) throw outOfReach('it is cut off')
            return act()
        }
        const change = (checks: Check[], writes: Write[]) =>
            call(() => {
                const at = commit(checks, writes)
                if (!lose) return at
                lose = false
                throw lostAnswer('the answer was lost')
            })
        const turn = (next: boolean) => {
            if (up === next) return
            up = next
            for (const listener of [...turns]) listener(up)
            if (up) for (const [watcher, prefix] of watchers) resync(watcher, prefix)
        }
        const expectation = (key: string, at: number | undefined): Check[] =>
            at === undefined ? [] : [{ key, revision: at }]

        return {
            get: key => call(() => (entries.has(key) ? { ...entries.get(key)! } : undefined)),
            list: prefix => call(() => snapshot(prefix)),
            put: (key, value, expected) => change(expectation(key, expected), [{ put: key, value }]),
            remove: (key, expected) => change(expectation(key, expected), [{ remove: key }]),
            commit: ({ checks, writes }) => change(checks, writes),
            watch(prefix, watcher) {
                watchers.set(watcher, prefix)
                resync(watcher, prefix)
                return () => void watchers.delete(watcher)
            },
            up: () => up,
            onTurn(listener) {
                turns.add(listener)
                return () => void turns.delete(listener)
            },
            async close() {
                nodes.delete(tell)
                watchers.clear()
                turns.clear()
            },
            cut: () => turn(false),
            heal: () => turn(true),
            loseNextAnswer: () => {
                lose = true
            },
        }
    }
    return { open }
}
