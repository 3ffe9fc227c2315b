// Disks and CD drives that a VM gets: the volume made or looked up, the place found, the device plugged in.
import { Fault } from '../../base/fault.ts'
import { formatBytes } from '../../base/units.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { AttachDiskRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, entryNow, needPersistent, nextStart, type PlanStep } from './begin.ts'
import { attachDevice, type Hardware, type HardwareDeps, HOT_BUSES, type Placing, readHardware } from './hardware.ts'
import { checkRevision, type VmEntry } from './inventory.ts'
import { findSources, watchCopied } from './sources.ts'
import { checkDisk, type DiskWant } from './spec-devices.ts'
import { refuseErrors } from './spec-finding.ts'
import { unlessUsed } from './take-back.ts'
import type { NewVolume, VolumeFacts } from './volumes.ts'
import { diskWantOf } from './want.ts'
import { diskElement, freeTarget } from './xml/devices.ts'
import { attribute, find, findAll, renderXml } from './xml/document.ts'

/** @throws Fault with all findings; `conflict` for an old revision */
export async function planAttachDisk(deps: HardwareDeps, entry: VmEntry, request: AttachDiskRequest): Promise<Change> {
    const hardware = await readHardware(deps, entry)
    checkRevision(request.revision, hardware.revision)
    if (request.device === 'cdrom') return planAttachDrive(deps, entry, { request, hardware })
    if (request.device !== '' && request.device !== 'disk')
        throw new Fault('invalid', {
            summary: 'There is no such kind of disk',
            detail: JSON.stringify(request.device.slice(0, 40)),
            fix: 'Take disk or cdrom.',
            at: 'device',
        })
    if (!request.disk)
        throw new Fault('invalid', { summary: 'The request names no disk', at: 'disk', fix: 'Set disk.' })
    const want = diskWantOf(request.disk)
    const findings = checkDisk(want, 'disk')
    const alone = { disks: [want], isos: [], nics: [], start: false }
    const sources = await findSources(deps, alone)
    findings.push(...sources.findings.map(found => ({ ...found, at: found.at.replace(/^disks\[0\]/, 'disk') })))
    refuseErrors(findings)
    const source = sources.disks[0]
    const volume = want.existing === '' ? await draftVolume(deps, entry, { want, source, hardware }) : undefined
    const ref = volume ? `${volume.pool}/${volume.name}` : want.existing
    const target = nextTarget(hardware, want.bus)
    const hot = HOT_BUSES.has(want.bus)
    const plan: PlanStep[] = [
        ...(volume ? [{ sentence: volumeSentence(want, ref, volume.capacityBytes) }] : []),
        { sentence: `Attach ${ref} to ${entry.name} as ${target}` },
    ]
    return {
        kind: 'vm.attach-disk',
        title: `Attach a disk to ${entry.name}`,
        plan,
        findings: entry.active && !hot ? [...findings, nextStart(entry, `a disk on ${want.bus}`)] : findings,
        cancellable: volume !== undefined,
        work: async task => {
            const made = volume ? await makeVolume(deps, task, { entry, volume, source }) : source!
            await deps.inventory.edit(entry.uuid, request.revision, async () => {
                // Another attach may have taken the target meanwhile, or the volume.
                if (!volume) refuseErrors((await findSources(deps, alone)).findings)
                const now = await entryNow(deps, entry)
                const present = await readHardware(deps, now)
                const placing = { entry: now, task, live: hot }
                if (want.bus === 'scsi') await needScsi(deps, present, placing)
                const disk = diskElement({
                    target: nextTarget(present, want.bus),
                    device: 'disk',
                    bus: want.bus,
                    volume: made,
                    cache: want.cache,
                    discard: want.discard,
                    limits: want.limits,
                })
                await attachDevice(deps, renderXml(disk), placing)
            })
        },
    }
}

const hasScsi = (hardware: Hardware): boolean =>
    findAll(hardware.domain, 'devices/controller').some(controller => attribute(controller, 'type') === 'scsi')

/** libvirt would add a controller of an old kind by itself. */
async function needScsi(deps: HardwareDeps, hardware: Hardware, placing: Placing): Promise<void> {
    if (hasScsi(hardware)) return
    const model = { type: 'scsi', model: 'virtio-scsi' }
    await attachDevice(deps, renderXml({ name: 'controller', attributes: model }), placing)
}

export const nextTarget = (hardware: Hardware, bus: string): string =>
    freeTarget(
        bus,
        [...hardware.disks, ...hardware.liveDisks].map(disk => disk.target),
    )

function volumeSentence(want: DiskWant, ref: string, sizeBytes: number): string {
    if (want.linked) return `Make the disk ${ref}, standing on ${want.from}`
    return want.from ? `Copy ${want.from} to the disk ${ref}` : `Make the disk ${ref}, ${formatBytes(sizeBytes)}`
}

async function draftVolume(
    deps: HardwareDeps,
    entry: VmEntry,
    about: { want: DiskWant; source?: VolumeFacts; hardware: Hardware },
): Promise<NewVolume> {
    const { want, source, hardware } = about
    const pool = want.pool || deps.volumes.defaultPool()
    const volume: NewVolume = {
        pool,
        name: await deps.maker.freeVolume(pool, `${entry.name}-disk${hardware.disks.length}`),
        capacityBytes: Math.max(want.sizeBytes, source?.capacityBytes ?? 0),
        format: want.format || (want.linked ? 'qcow2' : undefined),
        from: want.from || undefined,
        linked: want.linked || undefined,
    }
    await deps.volumes.check(volume)
    return volume
}

async function makeVolume(
    deps: HardwareDeps,
    task: RunningTask,
    about: { entry: VmEntry; volume: NewVolume; source?: VolumeFacts },
): Promise<VolumeFacts> {
    const { entry, volume, source } = about
    await task.undo(unlessUsed(task, entry, volume))
    const whole = await watchCopied(deps, source && !volume.linked ? [source] : [])
    const onProgress = (fraction: number) => task.progress(fraction * 0.9, 'making the volume')
    const made = await deps.volumes.create({ ...volume, by: task.id, signal: task.signal, onProgress })
    await whole()
    return made
}

const DRIVE_BUSES = ['sata', 'ide', 'scsi', 'usb']

/** A CD drive, empty or with an ISO; plugged into what runs where its bus allows that. */
async function planAttachDrive(
    deps: HardwareDeps,
    entry: VmEntry,
    about: { request: AttachDiskRequest; hardware: Hardware },
): Promise<Change> {
    const { request, hardware } = about
    needPersistent(entry)
    const iso = request.disk?.existing ?? ''
    const sources = await findSources(deps, { disks: [], isos: iso ? [iso] : [], nics: [], start: false })
    refuseErrors(sources.findings.map(found => ({ ...found, at: 'disk.existing' })))
    const machine = attribute(find(hardware.domain, 'os/type'), 'machine')
    const bus = request.disk?.bus || (/q35/.test(machine) ? 'sata' : 'ide')
    if (!DRIVE_BUSES.includes(bus) || (bus === 'ide' && /q35/.test(machine)))
        throw new Fault('invalid', {
            summary: 'A CD drive of this VM cannot be on that bus',
            detail: `${JSON.stringify(bus.slice(0, 40))} with the machine ${machine}`,
            fix: `Take ${DRIVE_BUSES.filter(one => one !== 'ide' || !/q35/.test(machine)).join(', ')}, or leave it out.`,
            at: 'disk.bus',
        })
    const hot = HOT_BUSES.has(bus)
    return {
        kind: 'vm.attach-disk',
        title: `Add a CD drive to ${entry.name}`,
        plan: [{ sentence: `Add a CD drive to ${entry.name}, ${iso ? `with ${iso}` : 'empty'}` }],
        findings: entry.active && !hot ? [nextStart(entry, 'a CD drive')] : [],
        work: task =>
            deps.inventory.edit(entry.uuid, request.revision, async () => {
                const now = await entryNow(deps, entry)
                const present = await readHardware(deps, now)
                const placing = { entry: now, task, live: hot }
                if (bus === 'scsi') await needScsi(deps, present, placing)
                const target = nextTarget(present, bus)
                const disk = diskElement({ target, device: 'cdrom', bus, volume: sources.isos[0] })
                await attachDevice(deps, renderXml(disk), placing)
            }),
    }
}
