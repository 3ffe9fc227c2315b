import { asFault, Fault } from '../../base/fault.ts'
import { formatBytes } from '../../base/units.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { AttachDiskRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, needPersistent, type PlanStep } from './begin.ts'
import { attachDevice, type Hardware, type HardwareDeps, HOT_BUSES, nextStart, readHardware } from './hardware.ts'
import { checkRevision, type VmEntry } from './inventory.ts'
import { findSources } from './sources.ts'
import { checkDisk, type DiskWant } from './spec-devices.ts'
import { refuseErrors } from './spec-finding.ts'
import { type NewVolume, undoOf, type VolumeFacts } from './volumes.ts'
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
    const sources = await findSources(deps, { disks: [want], isos: [], nics: [], start: false })
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
            const made = volume ? await makeVolume(deps, task, volume) : source!
            await deps.inventory.edit(entry.uuid, request.revision, async () => {
                // Another attach may have taken the target meanwhile.
                const present = await readHardware(deps, entry)
                const now = deps.inventory.byUuid(entry.uuid) ?? entry
                const placing = { entry: now, task, live: hot }
                if (want.bus === 'scsi' && !hasScsi(present)) {
                    const model = { type: 'scsi', model: 'virtio-scsi' }
                    await attachDevice(deps, renderXml({ name: 'controller', attributes: model }), placing)
                }
                const disk = diskElement({
                    target: nextTarget(present, want.bus),
                    device: 'disk',
                    bus: want.bus,
                    volume: made,
                    cache: want.cache,
                    discard: want.discard,
                    limits: want.limits,
                })
                // From here on the volume may be the VM's, whatever becomes of us: a volume too many is the lesser evil.
                await task.keep()
                try {
                    await attachDevice(deps, renderXml(disk), placing)
                } catch (trouble) {
                    if (volume && asFault(trouble).code !== 'unknown') await task.undo(undoOf(task, volume))
                    throw trouble
                }
            })
        },
    }
}

const hasScsi = (hardware: Hardware): boolean =>
    findAll(hardware.domain, 'devices/controller').some(controller => attribute(controller, 'type') === 'scsi')

const nextTarget = (hardware: Hardware, bus: string): string =>
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

async function makeVolume(deps: HardwareDeps, task: RunningTask, volume: NewVolume): Promise<VolumeFacts> {
    await task.undo(undoOf(task, volume))
    const onProgress = (fraction: number) => task.progress(fraction * 0.9, 'making the volume')
    return deps.volumes.create({ ...volume, by: task.id, signal: task.signal, onProgress })
}

/** A CD drive, empty or with an ISO. None of the buses that guests boot CDs from can be plugged while they run. */
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
    return {
        kind: 'vm.attach-disk',
        title: `Add a CD drive to ${entry.name}`,
        plan: [{ sentence: `Add a CD drive to ${entry.name}, ${iso ? `with ${iso}` : 'empty'}` }],
        findings: entry.active ? [nextStart(entry, 'a CD drive')] : [],
        work: task =>
            deps.inventory.edit(entry.uuid, request.revision, async () => {
                const target = nextTarget(await readHardware(deps, entry), bus)
                const disk = diskElement({ target, device: 'cdrom', bus, volume: sources.isos[0] })
                await attachDevice(deps, renderXml(disk), { entry, task, live: false })
            }),
    }
}
