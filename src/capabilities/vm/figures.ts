// Live figures of running VMs: one call for all of them every ten seconds, an hour of each kept in memory.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { uuidFromBytes, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { TypedParam } from '../../gen/libvirt/protocol.ts'
import { type Figures, FiguresSchema } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { createHour, KEPT, PERIOD_MS, whole } from '../hour.ts'
import type { VmDeps } from './deps.ts'
import type { Sample } from './inventory.ts'

const FIELDS = 9
// A request for all at once keeps libvirt busy for long: in parts, others come in between.
const AT_ONCE = 200
const STATS =
    VIR.VIR_DOMAIN_STATS_CPU_TOTAL |
    VIR.VIR_DOMAIN_STATS_BALLOON |
    VIR.VIR_DOMAIN_STATS_VCPU |
    VIR.VIR_DOMAIN_STATS_INTERFACE |
    VIR.VIR_DOMAIN_STATS_BLOCK

/** Counters of one VM at one moment; what only grows becomes a rate by the next. */
export interface Counters {
    ticksMs: number
    cpuNs: number
    vcpus: number
    balloonBytes: number
    usedBytes: number
    readBytes: number
    writeBytes: number
    readOps: number
    writeOps: number
    rxBytes: number
    txBytes: number
}

export interface FigureStore {
    /** The last hour, oldest first; empty for a VM that has not run. */
    history(uuid: string): Figures[]
    /** The last figures, then each as it is taken, until the signal aborts. */
    watch(uuid: string, signal: AbortSignal): AsyncIterable<Figures>
    /** Takes one round now. */
    sample(): Promise<void>
    start(): void
    close(): void
}

/** Figures begin with `start`. A VM's hour is forgotten an hour after its last figure. */
export function createFigures(deps: Pick<VmDeps, 'libvirt' | 'inventory' | 'clock' | 'log'>): FigureStore {
    const { libvirt, inventory, clock, log } = deps
    const hour = createHour<Counters>({
        ...{ fields: FIELDS, clock, figuresOf: ratesOf },
        // A counter that went back: another QEMU has begun.
        isNew: (before, now) => now.cpuNs < before.cpuNs,
    })
    let stopTimer = () => {}
    let busy = false

    async function sample(): Promise<void> {
        if (busy || !libvirt.up) return
        const running = inventory.list().filter(entry => entry.active)
        forget()
        if (running.length === 0) return
        busy = true
        try {
            const noted = new Map<string, Sample>()
            for (let i = 0; i < running.length; i += AT_ONCE) {
                const { retStats } = await libvirt.connection().call('connectGetAllDomainStats', {
                    doms: running.slice(i, i + AT_ONCE).map(entry => entry.dom),
                    stats: STATS,
                    flags: VIR.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
                })
                for (const record of retStats) {
                    const counters = readCounters(record.params, clock.ticks())
                    if (counters) take(uuidFromBytes(record.dom.uuid), counters, noted)
                }
            }
            inventory.note(noted)
        } finally {
            busy = false
        }
    }

    function take(uuid: string, now: Counters, noted: Map<string, Sample>): void {
        const rates = hour.take(uuid, now)
        if (!rates) return
        const { vcpus, balloonBytes } = now
        noted.set(uuid, { cpu: rates[0]!, vcpus: vcpus || undefined, memoryBytes: balloonBytes || undefined })
    }

    function forget(): void {
        const oldest = clock.ticks() - KEPT * PERIOD_MS
        hour.keepOnly((uuid, { ticksMs }) => ticksMs >= oldest && inventory.byUuid(uuid) !== undefined)
    }

    return {
        sample,
        history: uuid => hour.history(uuid, asFigures),
        watch: (uuid, signal) => hour.watch(uuid, signal, asFigures),
        start() {
            stopTimer = clock.every(PERIOD_MS, () => {
                void sample().catch(trouble => log.debug('no figures', { error: String((trouble as Error).message) }))
            })
        },
        close() {
            stopTimer()
            hour.keepOnly(() => false)
        },
    }
}

function asFigures(atMs: number, figures: readonly number[]): Figures {
    const [cpu, used, memory, read, write, rx, tx, readOps, writeOps] = figures
    return create(FiguresSchema, {
        at: timestampFromMs(atMs),
        ...{ cpu, memoryUsedBytes: whole(used), memoryBytes: whole(memory) },
        ...{ diskReadBytesPerSecond: whole(read), diskWriteBytesPerSecond: whole(write) },
        ...{ netRxBytesPerSecond: whole(rx), netTxBytesPerSecond: whole(tx) },
        ...{ diskReadIops: readOps, diskWriteIops: writeOps },
    })
}

/** From one record of libvirt's statistics; undefined where QEMU was busy and told nothing of its CPU. */
export function readCounters(params: readonly TypedParam[], ticksMs: number): Counters | undefined {
    const sums = { readBytes: 0, writeBytes: 0, readOps: 0, writeOps: 0, rxBytes: 0, txBytes: 0 }
    const values = { cpuNs: -1, vcpus: 0, balloon: 0, rss: 0, available: 0, usable: -1, unused: -1 }
    for (const { field, value } of params) {
        const number = Number(value.value)
        if (field.startsWith('block.')) {
            if (field.endsWith('.rd.bytes')) sums.readBytes += number
            else if (field.endsWith('.wr.bytes')) sums.writeBytes += number
            else if (field.endsWith('.rd.reqs')) sums.readOps += number
            else if (field.endsWith('.wr.reqs')) sums.writeOps += number
        } else if (field.startsWith('net.')) {
            if (field.endsWith('.rx.bytes')) sums.rxBytes += number
            else if (field.endsWith('.tx.bytes')) sums.txBytes += number
        } else if (field === 'cpu.time') values.cpuNs = number
        else if (field === 'vcpu.current') values.vcpus = number
        else if (field === 'balloon.current') values.balloon = number * 1024
        else if (field === 'balloon.rss') values.rss = number * 1024
        else if (field === 'balloon.available') values.available = number * 1024
        else if (field === 'balloon.usable') values.usable = number * 1024
        else if (field === 'balloon.unused') values.unused = number * 1024
    }
    if (values.cpuNs < 0) return undefined
    const free = values.usable >= 0 ? values.usable : values.unused
    // The guest's own word where its balloon driver gives one, else what QEMU holds of the host's memory.
    const usedBytes = values.available > 0 && free >= 0 ? Math.max(0, values.available - free) : values.rss
    return { ticksMs, cpuNs: values.cpuNs, vcpus: values.vcpus, balloonBytes: values.balloon, usedBytes, ...sums }
}

/** cpu, memory used, memory, read and written bytes a second, received and sent, reads and writes a second. */
export function ratesOf(before: Counters, now: Counters): number[] | undefined {
    const seconds = (now.ticksMs - before.ticksMs) / 1000
    if (seconds <= 0) return undefined
    const rate = (key: keyof Counters) => Math.max(0, now[key] - before[key]) / seconds
    const cpu = rate('cpuNs') / 1e9 / Math.max(1, now.vcpus || before.vcpus)
    return [
        Math.min(1, cpu),
        now.usedBytes,
        now.balloonBytes,
        rate('readBytes'),
        rate('writeBytes'),
        rate('rxBytes'),
        rate('txBytes'),
        rate('readOps'),
        rate('writeOps'),
    ]
}
