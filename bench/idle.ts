// What the daemon costs when nothing happens: memory with 100 and 5,000 VMs, CPU, and bytes that it and etcd write.
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { rssBytes } from '../tests/real/reliability-world.ts'
import { mb, type Result, type Row } from './figures.ts'
import { runsAs, startMany } from './many.ts'

const SIZES = [
    { count: 100, targetBytes: 120e6 },
    { count: 5000, targetBytes: 250e6 },
]
const SECONDS = Number(process.env.BENCH_SECONDS ?? 120)
const DAY_SECONDS = 86_400
const TICKS_PER_SECOND = 100

export async function idle(): Promise<Result> {
    const world = await startMany(8)
    const rows: Row[] = []
    try {
        const { daemon } = world
        const etcdPid = await pidOf(daemon.etcd.folder)
        for (const { count, targetBytes } of SIZES) {
            await world.grow(count)
            await daemon.kill()
            await daemon.start()
            // The first read, and the first figures, are not idleness.
            await pause(20_000)
            const before = await Promise.all([costOf(daemon.pid), costOf(etcdPid)])
            await pause(SECONDS * 1000)
            const after = await Promise.all([costOf(daemon.pid), costOf(etcdPid)])
            const share = (after[0].cpuSeconds - before[0].cpuSeconds) / SECONDS
            const written = after.map((one, i) => one.writtenBytes - before[i]!.writtenBytes)
            const aDay = ((written[0]! + written[1]!) / SECONDS) * DAY_SECONDS
            const rss = await rssBytes(daemon.pid)
            rows.push(
                {
                    what: `${count} VMs: RSS`,
                    value: mb(rss),
                    target: `≤ ${mb(targetBytes)}`,
                    met: rss <= targetBytes,
                    peer: `libvirtd ${mb(await rssBytes(await libvirtdPid(daemon.libvirt.folder)))}`,
                },
                {
                    what: `${count} VMs: CPU over ${SECONDS} s`,
                    value: `${(share * 100).toFixed(2)}% of a core`,
                    target: '< 1%',
                    met: share < 0.01,
                },
                {
                    what: `${count} VMs: written a day`,
                    value: `${mb(aDay)} (rpcd ${written[0]} B, etcd ${written[1]} B in ${SECONDS} s)`,
                    target: '≤ 100 MB',
                    met: aDay <= 100e6,
                },
            )
        }
    } finally {
        await world.stop()
    }
    return {
        title: 'idle: 8 VMs run, nobody asks anything',
        notes: ['measured after a restart of the daemon and 20 s of rest', runsAs],
        rows,
    }
}

/** CPU time and bytes sent to disk so far. */
async function costOf(pid: number): Promise<{ cpuSeconds: number; writtenBytes: number }> {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const io = await readFile(`/proc/${pid}/io`, 'utf8')
    return {
        cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
        writtenBytes: Number(/^write_bytes: (\d+)$/m.exec(io)?.[1]),
    }
}

/** The process whose command line names a folder. */
async function pidOf(folder: string, program = 'etcd'): Promise<number> {
    for (const name of await readdir('/proc')) {
        if (!/^\d+$/.test(name)) continue
        const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0')
        if (words[0]?.endsWith(program) && words.some(word => word.startsWith(folder))) return Number(name)
    }
    throw new Error(`there is no ${program} on ${folder}`)
}

const libvirtdPid = (folder: string): Promise<number> => pidOf(folder, 'libvirtd')
