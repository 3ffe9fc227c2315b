// Follows the keys below a prefix: reads all, then streams changes, and begins anew whenever the stream breaks. The
// library's own watcher is not used: it throws inside the stream's events, where nobody can catch.
import type { Etcd3, IWatchResponse } from 'etcd3'
import type { Clock, Log } from '../../ports/ports.ts'
import type { Members } from './health.ts'
import { asEntry, rangeEnd } from './range.ts'
import type { Change, Snapshot, Watcher } from './store.ts'

interface Following {
    prefix: string
    list: () => Promise<Snapshot>
    watcher: Watcher
    members: Members
    clients: Etcd3[]
    clock: Clock
    log: Log
}

const CREATED_WITHIN_MS = 3_000
const PAUSE_MS = 200

/** Begins to follow; the returned function ends it. A full read after every break, so that nothing is ever missed. */
export function followPrefix({ prefix, list, watcher, members, clients, clock, log }: Following): () => void {
    let ended = false
    let breakStream = () => {}
    let wake = () => {}

    /** Resolves after the pause, when the store turns up, or at the end. */
    const pause = () =>
        new Promise<void>(resolve => {
            const cancel = clock.after(PAUSE_MS, () => wake())
            wake = () => {
                cancel()
                wake = () => {}
                resolve()
            }
        })

    /** One stream, from a revision on, until it breaks. */
    async function stream(member: number, fromRevision: number): Promise<void> {
        const duplex = await clients[member]!.watchClient.watch()
        let finish = () => {}
        const over = new Promise<void>(resolve => {
            finish = resolve
        })
        const cancelTimer = clock.after(CREATED_WITHIN_MS, () => finish())
        breakStream = finish
        duplex.on('error', () => finish())
        duplex.on('end', () => finish())
        duplex.on('data', answer => {
            if (answer.created) cancelTimer()
            if (answer.canceled) return finish()
            if (ended || answer.events.length === 0) return
            try {
                watcher.change(answer.events.map(changeOf))
            } catch (thrown) {
                log.error('A watcher of the state store failed', { prefix, message: String(thrown) })
                finish()
            }
        })
        duplex.write({
            create_request: { key: Buffer.from(prefix), range_end: rangeEnd(prefix), start_revision: fromRevision },
        })
        if (ended) finish()
        await over
        cancelTimer()
        breakStream = () => {}
        // Ended first, or the library takes the cancelling for a failure and closes its other connections.
        duplex.end()
        duplex.cancel()
        if (!ended) members.suspect()
    }

    async function follow(): Promise<void> {
        while (!ended) {
            const member = members.current()
            try {
                const snapshot = await list()
                if (ended) return
                watcher.resync(snapshot)
                await stream(member, snapshot.revision + 1)
            } catch (thrown) {
                log.debug('A watch of the state store broke', { prefix, message: String(thrown) })
            }
            if (!ended) await pause()
        }
    }

    const unlistenTurns = members.onTurn(up => (up ? wake() : breakStream()))
    const unlistenMoves = members.onMove(() => breakStream())
    void follow()
    return () => {
        ended = true
        unlistenTurns()
        unlistenMoves()
        breakStream()
        wake()
    }
}

function changeOf(event: IWatchResponse['events'][number]): Change {
    if (event.type === 'Put') return { kind: 'put', entry: asEntry(event.kv) }
    return { kind: 'delete', key: event.kv.key.toString(), revision: Number(event.kv.mod_revision) }
}
