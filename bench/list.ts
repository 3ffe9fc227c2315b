// Lists of 1,000 and 5,000 VMs over TLS, while 50 of them a second change, against virsh on the same libvirtd.
import { execFile, fork } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { rssBytes } from '../tests/real/reliability-world.ts'
import { mb, median, ms, quantile, type Result, type Row, times } from './figures.ts'
import { type Incus, startIncus, whyNoIncus } from './incus.ts'
import { type ManyWorld, runsAs, startMany } from './many.ts'

const run = promisify(execFile)
const REQUESTS = 500
/** After making so many VMs, the daemon still reads and tidies for a while. */
const SETTLE_MS = 10_000
const SIZES = [
    { count: 1000, targetMs: 15 },
    { count: 5000, targetMs: 50 },
]
const CHANGES_PER_SECOND = 50

export async function list(): Promise<Result> {
    const missing = await whyNoIncus()
    const incus = missing ? undefined : await startIncus()
    const world = await startMany(24)
    const rows: Row[] = []
    const notes = [
        'p99 of the whole answer at a client of its own process, one call after the other on one HTTP/2 connection',
        'a call that does nothing shows what the machine adds at the same time: subtract it when others are at work',
        `virsh is its own best: list --all and then domstats --state --balloon --vcpu, median of 3, as a process each`,
        missing
            ? `Incus is not compared: ${missing}`
            : 'Incus: its REST API over a Unix socket without TLS, as many stopped containers, none of which change',
        runsAs,
    ]
    try {
        for (const { count, targetMs } of SIZES) {
            await world.grow(count)
            await pause(SETTLE_MS)
            const changer = fork(fileURLToPath(new URL('changer.ts', import.meta.url)), [
                world.daemon.libvirt.socketPath,
                String(CHANGES_PER_SECOND),
                ...world.running,
            ])
            try {
                rows.push(...(await measure(world, count, targetMs)))
                const perSecond = await changesOf(changer)
                rows.push({ what: `${count} VMs: changes seen`, value: `${perSecond.toFixed(0)} a second` })
            } finally {
                changer.kill()
            }
            if (incus) rows.push(await incusRow(incus, count))
            rows.push({
                what: `${count} VMs: RSS of rpcd after ${REQUESTS * 3} lists`,
                value: mb(await rssBytes(world.daemon.pid)),
            })
        }
    } finally {
        await incus?.stop()
        await world.stop()
    }
    return { title: 'list: state, memory and vCPUs of all VMs', notes, rows }
}

async function measure(world: ManyWorld, count: number, targetMs: number): Promise<Row[]> {
    const asked = async (format: string) => JSON.parse(await client(world, format, count)) as number[]
    const empty = await asked('empty')
    const proto = await asked('proto')
    const gzip = await asked('proto+gzip')
    const json = await asked('json')
    const peer = median([await virsh(world), await virsh(world), await virsh(world)])
    const row = (what: string, samples: number[], target = true): Row => ({
        what: `${count} VMs: ${what}`,
        value: shown(samples),
        peer: `virsh ${ms(peer)}`,
        ratio: `${times(peer / median(samples))} faster`,
        target: target ? `p99 ≤ ${targetMs} ms, ≥ 10×` : undefined,
        met: target ? quantile(samples, 0.99) <= targetMs && peer / median(samples) >= 10 : undefined,
    })
    const nothing = { what: `${count} VMs: a call that does nothing`, value: shown(empty) }
    return [nothing, row('protobuf', proto), row('protobuf, gzip', gzip), row('JSON', json)]
}

/** The peer's own line: our figures stand above it. */
async function incusRow(incus: Incus, count: number): Promise<Row> {
    await incus.grow(count)
    return { what: `${count} instances: Incus`, value: shown(await incus.lists(REQUESTS)) }
}

const shown = (samples: number[]) => `p50 ${ms(median(samples))}, p99 ${ms(quantile(samples, 0.99))}`

async function client(world: ManyWorld, format: string, count: number): Promise<string> {
    const { stdout } = await run(
        process.execPath,
        [
            ...['--import', 'tsx', fileURLToPath(new URL('list-client.ts', import.meta.url))],
            ...[world.daemon.url, world.token, format, String(REQUESTS), String(count)],
        ],
        { maxBuffer: 16 << 20, env: { ...process.env, CERTIFICATE: await world.daemon.certificate() } },
    )
    return stdout
}

async function virsh(world: ManyWorld): Promise<number> {
    const began = performance.now()
    await world.daemon.libvirt.virsh(['list', '--all'])
    await world.daemon.libvirt.virsh(['domstats', '--state', '--balloon', '--vcpu'])
    return performance.now() - began
}

function changesOf(changer: ReturnType<typeof fork>): Promise<number> {
    return new Promise((resolve, reject) => {
        changer.once('message', rate => resolve(Number(rate)))
        changer.once('exit', code => reject(new Error(`the changer ended with ${code}`)))
        changer.send('how many')
    })
}
