// Tells many readers what changed, one pending change a key, so that a slow reader costs no memory.

export interface Feed<T> {
    /** Gives every reader the value; what it had not read yet under the same key is replaced. */
    publish(key: string, value: T): void
    /**
     * First `existing()`, taken at the moment of the first read, then every change, until the signal aborts or the feed
     * is closed. Holds at most one value a key for a reader that does not read.
     */
    watch(signal: AbortSignal, existing: () => Iterable<T>): AsyncGenerator<T>
    /** How many readers there are. */
    readers(): number
    /** Ends all readers. */
    close(): void
}

/** A feed without readers. */
export function createFeed<T>(): Feed<T> {
    const readers = new Set<{ pending: Map<string, T>; wake: () => void }>()
    let closed = false

    async function* watch(signal: AbortSignal, existing: () => Iterable<T>): AsyncGenerator<T> {
        const reader = { pending: new Map<string, T>(), wake: () => {} }
        const onAbort = () => reader.wake()
        readers.add(reader)
        signal.addEventListener('abort', onAbort)
        const over = () => signal.aborted || closed
        try {
            for (const value of [...existing()]) {
                if (over()) return
                yield value
            }
            while (!over()) {
                const first = reader.pending.entries().next()
                if (first.done) {
                    await new Promise<void>(resolve => {
                        reader.wake = resolve
                        if (over()) resolve()
                    })
                    continue
                }
                const [key, value] = first.value
                reader.pending.delete(key)
                yield value
            }
        } finally {
            readers.delete(reader)
            signal.removeEventListener('abort', onAbort)
        }
    }

    return {
        watch,
        publish: (key, value) => {
            for (const reader of readers) {
                reader.pending.set(key, value)
                reader.wake()
            }
        },
        readers: () => readers.size,
        close: () => {
            closed = true
            for (const reader of readers) reader.wake()
        },
    }
}
