// Live figures of running containers: one sample of each every ten seconds, an hour of each kept in memory.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Figures, FiguresSchema } from '../../gen/proto/capabilities/container/container_pb.js'
import { createHour, PERIOD_MS, whole } from '../hour.ts'
import { type ContainerDeps, pathOf } from './begin.ts'
import type { EngineStats } from './engine-types.ts'

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
    const hour = createHour<Counters>({
        ...{ fields: FIELDS, clock, figuresOf: ratesOf },
        // A counter that went back: it was started anew.
        isNew: (before, now) => now.cpuNs < before.cpuNs,
    })
    let stopTimer = () => {}
    let busy = false

    async function sample(): Promise<void> {
        if (busy || !docker.up) return
        busy = true
        try {
            const running = inventory.list().filter(entry => entry.running)
            const ids = new Set(running.map(({ id }) => id))
            hour.keepOnly(id => inventory.byId(id) !== undefined)
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
                    if (counters && hour.take(id, counters)) taken.add(id)
                }
            }
            await Promise.all(Array.from({ length: AT_ONCE }, lane))
            if (taken.size > 0) inventory.note(taken)
        } finally {
            busy = false
        }
    }

    return {
        sample,
        history: id => hour.history(id, asFigures),
        watch: (id, signal) => hour.watch(id, signal, asFigures),
        load(id) {
            const last = inventory.byId(id)?.running ? hour.last(id) : undefined
            return last && { cpu: last.figures?.[0] ?? 0, memoryBytes: last.counters.memoryBytes }
        },
        start() {
            stopTimer = clock.every(PERIOD_MS, () => {
                sample().catch(thrown => log.debug('no figures of containers', { err: thrown }))
            })
        },
        close() {
            stopTimer()
            hour.keepOnly(() => false)
        },
    }
}

/** Cores in use, memory and its limit, received, sent, read and written bytes a second, processes. */
function ratesOf(before: Counters, now: Counters): number[] | undefined {
    const seconds = (now.ticksMs - before.ticksMs) / 1000
    if (seconds <= 0) return undefined
    const rate = (key: 'rxBytes' | 'txBytes' | 'readBytes' | 'writeBytes') =>
        Math.max(0, (now[key] - before[key]) / seconds)
    return [
        (now.cpuNs - before.cpuNs) / 1e9 / seconds,
        ...[now.memoryBytes, now.limitBytes, rate('rxBytes'), rate('txBytes')],
        ...[rate('readBytes'), rate('writeBytes'), now.processes],
    ]
}

function asFigures(atMs: number, figures: readonly number[]): Figures {
    const [cpu, memory, limit, rx, tx, read, write, processes] = figures
    return create(FiguresSchema, {
        at: timestampFromMs(atMs),
        ...{ cpu, memoryBytes: whole(memory), memoryLimitBytes: whole(limit), processes },
        ...{ netRxBytesPerSecond: whole(rx), netTxBytesPerSecond: whole(tx) },
        ...{ diskReadBytesPerSecond: whole(read), diskWriteBytesPerSecond: whole(write) },
    })
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
