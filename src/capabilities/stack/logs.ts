// What the containers of a stack wrote, together: each at its own pace, new ones from the moment they are there.
import { asFault } from '../../base/fault.ts'
import type { Containers, KnownContainer } from './seen.ts'

export interface Line {
    container: string
    at?: { seconds: bigint; nanos: number }
    error: boolean
    text: string
}

export interface Asked {
    stack: string
    services: readonly string[]
    follow: boolean
    signal: AbortSignal
}

/** From the moment `sinceMs` on, else as many lines from the end as were asked for; until it ends. */
type Read = (
    container: KnownContainer,
    how: { signal: AbortSignal; sinceMs?: number },
) => AsyncIterable<Omit<Line, 'container'>[]>

/** So many lines wait for their reader; what writes more waits itself. */
const WAITING = 2_000

/** The lines, some at a time; without `follow` in the order of their times. */
export async function* readStackLogs(
    { containers, read }: { containers: Containers; read: Read },
    { stack, services, follow, signal }: Asked,
): AsyncGenerator<Line[]> {
    const fits = (one: KnownContainer) =>
        one.line.stack === stack && (services.length === 0 || services.includes(one.line.service))
    const now = containers.list().filter(fits)
    if (!follow) {
        const all: Line[] = []
        for (const one of now)
            for await (const lines of read(one, { signal })) {
                all.push(...lines.map(line => ({ ...line, container: one.name })))
            }
        yield all.sort(byTime)
        return
    }
    const stop = new AbortController()
    const end = () => stop.abort()
    signal.addEventListener('abort', end)
    let waiting: Line[] = []
    let wake = () => {}
    let room = () => {}
    let trouble: unknown
    const reading = new Set<string>()
    /** Of one that has ended: what it writes after its next start, and nothing twice. */
    const until = new Map<string, number>()
    const begin = (one: KnownContainer) => {
        if (reading.has(one.id) || !one.running) return
        reading.add(one.id)
        void (async () => {
            for await (const lines of read(one, { signal: stop.signal, sinceMs: until.get(one.id) })) {
                const last = lines.at(-1)?.at
                if (last) until.set(one.id, Number(last.seconds) * 1000 + last.nanos / 1e6 + 0.001)
                waiting.push(...lines.map(line => ({ ...line, container: one.name })))
                wake()
                while (waiting.length > WAITING && !stop.signal.aborted)
                    await new Promise<void>(resolve => {
                        room = resolve
                    })
            }
        })()
            // Removed meanwhile: the others go on.
            .catch(thrown => {
                if (asFault(thrown).code !== 'not-found') trouble ??= thrown
            })
            .finally(() => {
                reading.delete(one.id)
                wake()
            })
    }
    void (async () => {
        for await (const { changed } of containers.watch(stop.signal)) changed.filter(fits).forEach(begin)
    })().catch(thrown => {
        trouble ??= thrown
        wake()
    })
    try {
        while (!signal.aborted) {
            if (waiting.length > 0) {
                const lines = waiting
                waiting = []
                room()
                yield lines
                continue
            }
            if (trouble !== undefined) throw trouble
            await new Promise<void>(resolve => {
                wake = resolve
                if (signal.aborted) resolve()
                stop.signal.addEventListener('abort', () => resolve(), { once: true })
            })
        }
    } finally {
        signal.removeEventListener('abort', end)
        end()
        room()
    }
}

const moment = ({ at }: Line) => (at ? Number(at.seconds) * 1e9 + at.nanos : 0)
const byTime = (a: Line, b: Line) => moment(a) - moment(b)
