// From a call to a running QEMU, against raw virsh with the same XML and volume; and a full clone of a 2 GB image.
import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Client } from '@connectrpc/connect'
import { type Libvirt, openLibvirt, VIR } from '../src/drivers/libvirt/libvirt.ts'
import { silentLog, testClock } from '../src/drivers/libvirt/testing.ts'
import { ImageService } from '../src/gen/proto/capabilities/image/image_pb.js'
import { VmService } from '../src/gen/proto/capabilities/vm/vm_pb.js'
import { personOf } from '../tests/real/reliability-world.ts'
import { type DaemonWorld, startDaemon } from '../tests/real/world-daemon.ts'
import { judged, median, ms, type Result, type Row } from './figures.ts'
import { bundled, runsAs } from './many.ts'

const run = promisify(execFile)
const PAIRS = Number(process.env.BENCH_PAIRS ?? 30)
const CLONES = Number(process.env.BENCH_CLONES ?? 60)
const MEMORY_BYTES = 256n << 20n

interface Bench {
    daemon: DaemonWorld
    vms: Client<typeof VmService>
    /** Resolves with the moment at which libvirt tells that a VM of this name has started. */
    started(name: string): Promise<number>
}

export async function create(): Promise<Result> {
    const daemon = await startDaemon({ bundle: bundled })
    const libvirt = await openLibvirt({ socketPath: daemon.libvirt.socketPath, clock: testClock, log: silentLog })
    try {
        const person = await personOf(daemon, 'bench')
        const bench = { daemon, vms: person.client(VmService), started: await startsOf(libvirt) }
        const images = person.client(ImageService)
        await daemon.done(await images.createVolume({ pool: 'default', name: 'disk', capacityBytes: 1n << 30n }))
        const boot = await pairs(bench, { count: PAIRS, ours: existing, theirs: rawStart })
        await makeImage(daemon)
        await daemon.done(await images.refreshPool({ pool: 'default' }))
        const clone = await pairs(bench, { count: CLONES, ours: copied, theirs: rawCopy })
        return {
            title: 'create: from the call to a running QEMU',
            notes: [
                'both ends by the same clock: libvirt telling a bare client that the guest has started',
                'virsh is one process for define and start; the API call waits for its durable task and audit records',
                'each pair in random order; sync before each copy; the VM and the copy are removed after each',
                runsAs,
            ],
            rows: [
                rowOf(`create → running, ${PAIRS} pairs`, boot, 1.15),
                rowOf(`full clone of 2 GB → running, ${CLONES} pairs`, clone, 1.1),
            ],
        }
    } finally {
        await libvirt.close()
        await daemon.stop()
    }
}

function rowOf(what: string, samples: { ours: number; theirs: number }[], target: number): Row {
    return {
        what,
        value: `median ${ms(median(samples.map(pair => pair.ours)))}`,
        peer: `raw ${ms(median(samples.map(pair => pair.theirs)))}`,
        ...judged(samples, target),
    }
}

async function startsOf(libvirt: Libvirt): Promise<Bench['started']> {
    const waiting = new Map<string, (at: number) => void>()
    await libvirt.watch('domain', 'lifecycle', event => {
        if (event.event === VIR.VIR_DOMAIN_EVENT_STARTED) waiting.get(event.dom.name)?.(performance.now())
    })
    return name => new Promise(resolve => waiting.set(name, resolve))
}

type Side = (bench: Bench, name: string) => Promise<number>

async function pairs(bench: Bench, how: { count: number; ours: Side; theirs: Side }) {
    const samples: { ours: number; theirs: number }[] = []
    // The first of each warms caches of both sides, and is not counted.
    for (let i = 0; i <= how.count; i++) {
        const pair = { ours: 0, theirs: 0 }
        const sides = (['ours', 'theirs'] as const).toSorted(() => Math.random() - 0.5)
        for (const side of sides) pair[side] = await how[side](bench, `${side}${how.ours.name}${i}`)
        if (i > 0) samples.push(pair)
    }
    return samples
}

const existing: Side = (bench, name) => throughApi(bench, name, { existing: 'default/disk' })

async function copied(bench: Bench, name: string): Promise<number> {
    await run('sync')
    return throughApi(bench, name, { from: 'default/image.qcow2' })
}

/** XML of the last VM that the API made, for the raw side. */
let lastXml = ''

async function throughApi(
    { daemon, vms, started }: Bench,
    name: string,
    disk: { from?: string; existing?: string },
): Promise<number> {
    const end = started(name)
    const began = performance.now()
    const request = { name, memoryBytes: MEMORY_BYTES, vcpus: 1, start: true }
    const { from = '', existing = '' } = disk
    const begun = await vms.create({ ...request, disks: [{ from, existing }] })
    const failed = daemon.done(begun)
    const tookMs = (await Promise.race([end, failed.then(() => end)])) - began
    await failed
    lastXml = (await vms.getXml({ vm: name })).inactive
    await daemon.done(await vms.delete({ vm: name, force: true, disks: from !== '' }))
    return tookMs
}

const rawStart: Side = (bench, name) => raw(bench, { name, disk: join(bench.daemon.libvirt.imagesDir, 'disk') })

async function rawCopy(bench: Bench, name: string): Promise<number> {
    const { imagesDir } = bench.daemon.libvirt
    const disk = join(imagesDir, `${name}.qcow2`)
    await run('sync')
    return raw(bench, { name, disk, image: join(imagesDir, 'image.qcow2') })
}

async function raw(
    { daemon, started }: Bench,
    { name, disk, image }: { name: string; disk: string; image?: string },
): Promise<number> {
    // The very same definition, under another name.
    if (lastXml === '') lastXml = await sampleXml(daemon)
    const xml = lastXml
        .replace(/<name>[^<]*<\/name>/, `<name>${name}</name>`)
        .replace(/<uuid>[^<]*<\/uuid>/, '')
        .replace(/(<disk type='file' device='disk'>[\s\S]*?<source file=')[^']*'/, `$1${disk}'`)
    const path = join(daemon.libvirt.folder, `${name}.xml`)
    await writeFile(path, xml)
    const end = started(name)
    const began = performance.now()
    if (image) await run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'qcow2', image, disk])
    await daemon.libvirt.virsh([`define ${path}; start ${name}`])
    const tookMs = (await end) - began
    await daemon.libvirt.virsh([`destroy ${name}; undefine ${name}`])
    if (image) await rm(disk)
    return tookMs
}

async function sampleXml(daemon: DaemonWorld): Promise<string> {
    const vms = daemon.client(VmService)
    const disks = [{ existing: 'default/disk' }]
    await daemon.done(await vms.create({ name: 'sample', memoryBytes: MEMORY_BYTES, vcpus: 1, disks }))
    const { inactive } = await vms.getXml({ vm: 'sample' })
    await daemon.done(await vms.delete({ vm: 'sample' }))
    return inactive
}

/** 2 GB that no copy can skip. */
async function makeImage(daemon: DaemonWorld): Promise<void> {
    const path = join(daemon.libvirt.imagesDir, 'image')
    await run('dd', ['if=/dev/urandom', `of=${path}.raw`, 'bs=1M', 'count=2000', 'status=none'])
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', `${path}.raw`, `${path}.qcow2`])
    await rm(`${path}.raw`)
}
