// Live figures of running containers: one sample of each every ten seconds, an hour of each kept in memory.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Figures, FiguresSchema } from '../../gen/proto/capabilities/container/container_pb.js'
import { type ContainerDeps, pathOf } from './begin.ts'
import type { EngineStats } from './engine-types.ts'

export const PERIOD_MS = 10_000
/** An hour. */
const KEPT = 360
const FIELDS = 8
const AT_ONCE = 4

/** What is only counted becomes a rate by the next sample. */
interface Counters {
    ticksMs: number
    cpuNs: number
    memoryBytes: number
    limitBytes: number
    rxBytes: number
    txBytes: number
    readBytes: number
    writeBytes: number
    processes: number
}

interface Series {
    /** FIELDS numbers a sample, KEPT samples, the oldest overwritten. */
    ring: Float64Array
    at: Float64Array
    count: number
    last: Counters
}

export interface Load {
    cpu: number
    memoryBytes: number
}

export interface FigureStore {
    /** The last hour, oldest first. */
    history(id: string): Figures[]
    /** The last figures, then each as it is taken, until the signal aborts. */
    watch(id: string, signal: AbortSignal): AsyncGenerator<Figures>
    /** The load at the last sample; undefined for one that does not run or was not looked at yet. */
    load(id: string): Load | undefined
    /** Takes one round now. */
    sample(): Promise<void>
    start(): void
    close(): void
}

export function createFigures({ docker, inventory, clock, log }: ContainerDeps): FigureStore {
    const series = new Map<string, Series>()
    const listeners = new Set<(ids: ReadonlySet<string>) => void>()
    let stopTimer = () => {}
    let busy = false

    async function sample(): Promise<void> {
        if (busy || !docker.up) return
        busy = true
        try {
            const running = inventory.list().filter(entry => entry.running)
            const ids = new Set(running.map(({ id }) => id))
            for (const id of series.keys()) if (!inventory.byId(id)) series.delete(id)
            const taken = new Set<string>()
            const queue = [...ids]
            const lane = async () => {
                for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
                    // Without the sample before it, which the Engine would take a second for.
                    const query = { stream: false, 'one-shot': true }
                    const stats = await docker
                        .json<EngineStats>({ path: pathOf({ id }, 'stats'), query })
                        // It has ended meanwhile, or Docker is away: the next round tells.
                        .catch(() => undefined)
                    const counters = stats && readCounters(stats, clock.ticks())
                    if (counters && take(id, counters)) taken.add(id)
                }
            }
            await Promise.all(Array.from({ length: AT_ONCE }, lane))
            if (taken.size === 0) return
            inventory.note(taken)
            for (const listener of [...listeners]) listener(taken)
        } finally {
            busy = false
        }
    }

    function take(id: string, now: Counters): boolean {
        const kept = series.get(id)
        // A counter that went back: it was started anew.
        if (!kept || now.cpuNs < kept.last.cpuNs) {
            const empty = { ring: new Float64Array(FIELDS * KEPT), at: new Float64Array(KEPT), count: 0 }
            series.set(id, { ...(kept ?? empty), last: now })
            return false
        }
        const before = kept.last
        kept.last = now
        const seconds = (now.ticksMs - before.ticksMs) / 1000
        if (seconds <= 0) return false
        const rate = (key: 'rxBytes' | 'txBytes' | 'readBytes' | 'writeBytes') =>
            Math.max(0, (now[key] - before[key]) / seconds)
        const place = kept.count++ % KEPT
        kept.ring.set(
            [
                (now.cpuNs - before.cpuNs) / 1e9 / seconds,
                ...[now.memoryBytes, now.limitBytes, rate('rxBytes'), rate('txBytes')],
                ...[rate('readBytes'), rate('writeBytes'), now.processes],
            ],
            place * FIELDS,
        )
        kept.at[place] = clock.now()
        return true
    }

    const figuresAt = (kept: Series, index: number): Figures => {
        const place = index % KEPT
        const [cpu, memory, limit, rx, tx, read, write, processes] = kept.ring.subarray(
            place * FIELDS,
            (place + 1) * FIELDS,
        )
        const whole = (value: number | undefined) => BigInt(Math.round(value ?? 0))
        return create(FiguresSchema, {
            at: timestampFromMs(kept.at[place]!),
            ...{ cpu, memoryBytes: whole(memory), memoryLimitBytes: whole(limit), processes },
            ...{ netRxBytesPerSecond: whole(rx), netTxBytesPerSecond: whole(tx) },
            ...{ diskReadBytesPerSecond: whole(read), diskWriteBytesPerSecond: whole(write) },
        })
    }

    return {
        sample,
        history(id) {
            const kept = series.get(id)
            if (!kept) return []
            const first = Math.max(0, kept.count - KEPT)
            return Array.from({ length: kept.count - first }, (_, i) => figuresAt(kept, first + i))
        },
        load(id) {
            const kept = series.get(id)
            if (!kept || !inventory.byId(id)?.running) return undefined
            const place = ((kept.count - 1) % KEPT) * FIELDS
            return { cpu: kept.count > 0 ? kept.ring[place]! : 0, memoryBytes: kept.last.memoryBytes }
        },
        async *watch(id, signal) {
            let wake = () => {}
            let told = -1
            const listener = (ids: ReadonlySet<string>) => ids.has(id) && wake()
            const aborted = () => wake()
            listeners.add(listener)
            signal.addEventListener('abort', aborted)
            try {
                while (!signal.aborted) {
                    const kept = series.get(id)
                    if (kept && kept.count > 0 && kept.count !== told) {
                        told = kept.count
                        yield figuresAt(kept, kept.count - 1)
                    } else
                        await new Promise<void>(resolve => {
                            wake = resolve
                            if (signal.aborted) resolve()
                        })
                }
            } finally {
                listeners.delete(listener)
                signal.removeEventListener('abort', aborted)
            }
        },
        start() {
            stopTimer = clock.every(PERIOD_MS, () => {
                sample().catch(thrown => log.debug('no figures of containers', { err: thrown }))
            })
        },
        close() {
            stopTimer()
            series.clear()
        },
    }
}

/** Of one sample; undefined for a container that does not run. */
export function readCounters(stats: EngineStats, ticksMs: number): Counters | undefined {
    const cpuNs = stats.cpu_stats?.cpu_usage?.total_usage
    const { usage, limit = 0, stats: kinds = {} } = stats.memory_stats ?? {}
    if (cpuNs === undefined || usage === undefined) return undefined
    // Files that were read and can be forgotten are no use of memory (as in docker stats): v1 and v2 of control groups.
    const inactive = kinds.total_inactive_file ?? kinds.inactive_file ?? 0
    const sums = { rxBytes: 0, txBytes: 0, readBytes: 0, writeBytes: 0 }
    for (const { rx_bytes, tx_bytes } of Object.values(stats.networks ?? {})) {
        sums.rxBytes += rx_bytes
        sums.txBytes += tx_bytes
    }
    for (const { op, value } of stats.blkio_stats?.io_service_bytes_recursive ?? []) {
        if (/^read$/i.test(op)) sums.readBytes += value
        if (/^write$/i.test(op)) sums.writeBytes += value
    }
    return {
        ...{ ticksMs, cpuNs, limitBytes: limit, ...sums, processes: stats.pids_stats?.current ?? 0 },
        memoryBytes: usage > inactive ? usage - inactive : usage,
    }
}
