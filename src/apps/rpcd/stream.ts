// The messages of a server stream, as long as the caller has the right to them; what goes wrong among them is told.
import { Fault } from '../../base/fault.ts'
import type { Clock } from '../../ports/ports.ts'

/** So long a stream that has nothing to say outlives the right to it. */
const RIGHT_EVERY_MS = 15_000

export interface StreamGuard {
    clock: Clock
    /** Asked before each message and every 15 s. */
    may(): boolean | Promise<boolean>
    /** What is thrown to the caller instead of what the handler threw, or of the Fault that `may` has come to no. */
    failed(thrown: unknown): unknown
}

/** The same messages until `may` says no. @throws what `failed` makes of any trouble, `denied` included */
export async function* guardStream<T>(messages: AsyncIterable<T>, { clock, may, failed }: StreamGuard) {
    const reader = messages[Symbol.asyncIterator]()
    let giveUp = (_why: unknown) => {}
    const ask = async () => {
        if (!(await may())) throw noMore()
    }
    const stopTimer = clock.every(RIGHT_EVERY_MS, () => void ask().catch(thrown => giveUp(thrown)))
    let ended = false
    try {
        while (true) {
            const got = await new Promise<IteratorResult<T>>((resolve, reject) => {
                giveUp = reject
                reader.next().then(resolve, reject)
            })
            ended = got.done === true
            if (got.done) return
            await ask()
            yield got.value
        }
    } catch (thrown) {
        throw failed(thrown)
    } finally {
        stopTimer()
        // Not waited for: a handler that waits for news hears of the end by its signal, and only after this.
        if (!ended) reader.return?.().catch(() => undefined)
    }
}

const noMore = () =>
    new Fault('denied', {
        summary: 'You may not see this any more',
        detail: 'the right to it was taken away while it was open',
        fix: 'Ask an administrator.',
    })
