// How busy the machine is: a sample every ten seconds, an hour of them in memory, and a stream of the new ones.
import { createFeed } from '../../engine/feed.ts'
import type { Clock, Log, Probe } from '../../ports/ports.ts'
import * as parse from './parse.ts'

export interface LoadSample {
    atMs: number
    /** 0 to 1. */
    cpu: number
    load1: number
    memoryUsedBytes: number
    memoryTotalBytes: number
    swapUsedBytes: number
    rxBytesPerSecond: number
    txBytesPerSecond: number
    readBytesPerSecond: number
    writtenBytesPerSecond: number
}

const PERIOD_MS = 10_000
const KEPT = 360
/** Interfaces that carry the traffic of others a second time. */
const SECONDHAND = /^(lo|vnet\d+|veth.*|virbr.*|br.*|docker.*|cali.*|cni.*|tap.*|tun.*|bond.*|team.*|ifb.*|dummy.*)$/

type Counters = Awaited<ReturnType<typeof count>>

/** Samples from `start` until `stop`. */
export function createLoad({ probe, clock, log }: { probe: Probe; clock: Clock; log: Log }) {
    const ring: LoadSample[] = []
    const feed = createFeed<LoadSample>()
    let before: Counters | undefined
    let stops: (() => void)[] = []
    let sampling = false

    async function sample() {
        // A machine so busy that one sample is not done when the next is due gets fewer of them.
        if (sampling) return
        sampling = true
        try {
            const now = await count(probe, clock)
            if (before) {
                ring.push(between(before, now))
                if (ring.length > KEPT) ring.shift()
                feed.publish('load', ring.at(-1)!)
            }
            before = now
        } catch (thrown) {
            log.warn('The load of the machine could not be read', { why: String(thrown) })
        } finally {
            sampling = false
        }
    }

    return {
        /** Oldest first. */
        history: (): readonly LoadSample[] => ring,
        /** The last one, then each as it is taken. */
        watch: (signal: AbortSignal) => feed.watch(signal, () => ring.slice(-1)),
        sample,
        start: async () => {
            await sample()
            // The first figures soon, so that a fresh panel has something to show.
            stops = [clock.after(1000, () => void sample()), clock.every(PERIOD_MS, () => void sample())]
        },
        stop: () => {
            for (const stop of stops) stop()
            feed.close()
        },
    }
}

async function count(probe: Probe, clock: Clock) {
    const read = async (path: string) => (await probe.readText(path)) ?? ''
    const [stat, meminfo, loadavg, net, disks, cards, drives] = (await Promise.all([
        ...['/proc/stat', '/proc/meminfo', '/proc/loadavg', '/proc/net/dev', '/proc/diskstats'].map(read),
        withDevice(probe, '/sys/class/net'),
        withDevice(probe, '/sys/block'),
    ] as const)) as [string, string, string, string, string, Set<string>, Set<string>]
    // In a container no interface has a device of its own.
    const isCard = (name: string) => (cards.size > 0 ? cards.has(name) : !SECONDHAND.test(name))
    return {
        ...{ atMs: clock.now(), ticksMs: clock.ticks(), load1: Number(loadavg.split(' ')[0] ?? 0) },
        ...{ cpu: parse.parseStat(stat), memory: parse.memoryUse(meminfo), net: parse.parseNetDev(net, isCard) },
        disk: parse.parseDiskstats(disks, name => drives.has(name)),
    }
}

/** Names below a folder of /sys that stand for hardware: bridges, loops and mappers have no device. */
async function withDevice(probe: Probe, folder: string): Promise<Set<string>> {
    const names = await probe.list(folder)
    const found = await Promise.all(names.map(name => probe.look(`${folder}/${name}/device`).catch(() => undefined)))
    return new Set(names.filter((_, at) => found[at]))
}

function between(before: Counters, now: Counters): LoadSample {
    const seconds = Math.max(0.001, (now.ticksMs - before.ticksMs) / 1000)
    // A counter that went back (a card that was taken out) is no negative traffic.
    const rate = (from: number, to: number) => Math.max(0, Math.round((to - from) / seconds))
    const ticks = now.cpu.allTicks - before.cpu.allTicks
    const busy = ticks > 0 ? (now.cpu.busyTicks - before.cpu.busyTicks) / ticks : 0
    return {
        ...{ atMs: now.atMs, cpu: Math.min(1, Math.max(0, busy)), load1: now.load1 },
        ...{ memoryUsedBytes: now.memory.usedBytes, memoryTotalBytes: now.memory.totalBytes },
        swapUsedBytes: now.memory.swapUsedBytes,
        rxBytesPerSecond: rate(before.net.rxBytes, now.net.rxBytes),
        txBytesPerSecond: rate(before.net.txBytes, now.net.txBytes),
        readBytesPerSecond: rate(before.disk.readBytes, now.disk.readBytes),
        writtenBytesPerSecond: rate(before.disk.writtenBytes, now.disk.writtenBytes),
    }
}
