// Disks of a VM that exists: detached, grown, limited.
import { create } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import { checkSizeBytes, formatBytes } from '../../base/units.ts'
import { VIR } from '../../drivers/libvirt/libvirt.ts'
import { toParams, ullong } from '../../drivers/libvirt/typed-params.ts'
import {
    type DetachDiskRequest,
    NewDiskSchema,
    type ResizeDiskRequest,
    type UpdateDiskRequest,
} from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, needPersistent, notNow, type PlanStep } from './begin.ts'
import { vmNames } from './deps.ts'
import {
    CONFIG,
    detachDevice,
    type HardwareDeps,
    HOT_BUSES,
    LIVE,
    needDisk,
    nextStart,
    readHardware,
} from './hardware.ts'
import { checkRevision, type VmEntry } from './inventory.ts'
import { checkDisk } from './spec-devices.ts'
import { refuseErrors } from './spec-finding.ts'
import type { VolumeFacts } from './volumes.ts'
import { diskWantOf, limitsWantOf } from './want.ts'
import { ensure, setAttribute } from './xml/document.ts'
import { editDomain } from './xml/edit.ts'
import { type DiskFacts, readDisks } from './xml/read-devices.ts'

/** @throws Fault `not-found`, `conflict`, `precondition` */
export async function planDetachDisk(deps: HardwareDeps, entry: VmEntry, request: DetachDiskRequest): Promise<Change> {
    const hardware = await readHardware(deps, entry)
    checkRevision(request.revision, hardware.revision)
    const { next, now } = needDisk(hardware, entry, request.target)
    const disk = (next ?? now)!
    const hot = HOT_BUSES.has(disk.bus)
    if (!entry.persistent && !hot) needPersistent(entry)
    let volume: VolumeFacts | undefined
    if (request.delete) {
        if (now && !hot)
            throw notNow(
                entry,
                'A disk on that bus stays in the guest until it stops, so it cannot be deleted yet',
                'Shut the VM down first, or detach the disk without deleting it.',
            )
        volume = needDeletable(deps, entry, disk)
    }
    const ref = volume && `${volume.pool}/${volume.name}`
    return {
        kind: 'vm.detach-disk',
        title: `Detach ${disk.target} from ${entry.name}`,
        plan: [
            { sentence: `Detach ${disk.target} (${disk.source || 'empty'}) from ${entry.name}` },
            ...(ref ? [{ sentence: `Delete the volume ${ref}`, destroys: `volume:${ref}` }] : []),
        ],
        findings: now && !hot ? [nextStart(entry, disk.target)] : [],
        work: task =>
            deps.inventory.edit(entry.uuid, request.revision, async () => {
                const present = await readHardware(deps, entry)
                const found = needDisk(present, entry, request.target)
                const device = { config: found.next?.element, live: found.now?.element, alias: found.now?.alias ?? '' }
                await detachDevice(deps, device, { entry, task, live: hot })
                await deps.inventory.refresh(entry.uuid)
                if (volume && ref) {
                    needDeletable(deps, entry, disk)
                    await deps.volumes.remove(ref)
                }
            }),
    }
}

/** The volume of a disk, when nobody else stands on it. @throws Fault `precondition`, `conflict` */
export function needDeletable(
    deps: Pick<HardwareDeps, 'volumes' | 'inventory' | 'hidesVms'>,
    entry: VmEntry,
    disk: DiskFacts,
): VolumeFacts {
    if (disk.device !== 'disk' || disk.readonly || disk.shareable)
        throw notNow(
            entry,
            'Only a disk of the VM alone is deleted with it, no CD and nothing that is shared',
            'Detach it without deleting it; who may manage images deletes the volume: debvisor image delete.',
        )
    const volume = deps.volumes.byPath(disk.source)
    if (!volume)
        throw notNow(
            entry,
            'The disk is in no pool, so it is not deleted',
            'Detach it without deleting it, and remove the file or device by hand.',
        )
    const others = deps.inventory.usersOfPath(disk.source).filter(other => other.uuid !== entry.uuid)
    const overlays = deps.volumes.standingOn(volume.path)
    if (others.length + overlays.length === 0) return volume
    throw new Fault('conflict', {
        summary: 'Others stand on that disk, so it is not deleted',
        detail: [
            ...vmNames(deps, others).map(name => (deps.hidesVms ? name : `VM ${name}`)),
            ...overlays.map(o => `volume ${o.pool}/${o.name}`),
        ].join(', '),
        fix: 'Delete those first, or keep the disk.',
    })
}

/** Only larger: what is beyond a smaller end would be lost. @throws Fault */
export async function planResizeDisk(deps: HardwareDeps, entry: VmEntry, request: ResizeDiskRequest): Promise<Change> {
    const sizeBytes = checkSizeBytes(Number(request.sizeBytes), 'size_bytes')
    const hardware = await readHardware(deps, entry)
    const { next, now } = needDisk(hardware, entry, request.target)
    const disk = (now ?? next)!
    if (disk.readonly || disk.source === '')
        throw notNow(entry, 'That disk cannot be written, so it cannot be resized', 'Name another disk.')
    const volume = await volumeNow(deps, disk)
    if (!volume && !now) throw inNoPool(entry)
    const presentBytes = now ? await liveBytes(deps, entry, disk) : volume!.capacityBytes
    if (sizeBytes <= presentBytes) throw onlyGrows(sizeBytes, presentBytes)
    if (volume)
        await deps.volumes.check({
            pool: volume.pool,
            // The room that it takes in addition, under a name that nobody has.
            name: `grow-${entry.uuid.slice(0, 8)}-${disk.target}`,
            capacityBytes: sizeBytes - presentBytes,
            format: volume.format === 'qcow2' ? 'qcow2' : 'raw',
        })
    return {
        kind: 'vm.resize-disk',
        title: `Grow ${disk.target} of ${entry.name}`,
        plan: [{ sentence: `Grow ${disk.target} of ${entry.name} to ${formatBytes(sizeBytes)}` }],
        findings: [
            {
                severity: 'info',
                code: 'guest-grows',
                at: 'size_bytes',
                summary: 'The guest has to grow its partition and file system itself',
                fix: 'Cloud images do it at their next boot; else use growpart and resize2fs.',
            },
        ],
        work: () =>
            deps.inventory.edit(entry.uuid, '', () => growDisk(deps, entry, { target: disk.target, disk, sizeBytes })),
    }
}

/** QEMU makes a disk smaller without asking: how large it is by now is asked here, where nobody else changes the VM. */
async function growDisk(
    deps: HardwareDeps,
    entry: VmEntry,
    wish: { target: string; disk: DiskFacts; sizeBytes: number },
): Promise<void> {
    const { target, sizeBytes } = wish
    const present = needDisk(await readHardware(deps, entry), entry, target)
    const disk = (present.now ?? present.next)!
    if (disk.source !== wish.disk.source)
        throw notNow(entry, 'The disk is another one by now', 'Look at the disks of the VM, then resize it again.')
    if (!present.now) {
        const volume = await volumeNow(deps, disk)
        if (!volume) throw inNoPool(entry)
        return deps.volumes.resize(`${volume.pool}/${volume.name}`, sizeBytes)
    }
    const presentBytes = await liveBytes(deps, entry, disk)
    if (sizeBytes < presentBytes) throw onlyGrows(sizeBytes, presentBytes)
    const flags = VIR.VIR_DOMAIN_BLOCK_RESIZE_BYTES
    const args = { dom: entry.dom, disk: target, size: BigInt(sizeBytes), flags }
    await deps.libvirt.connection().call('domainBlockResize', args)
    // The disk is larger, whether or not its volume can be read at this moment.
    await volumeNow(deps, disk).catch(() => undefined)
}

/** The volume of a disk, read again: what is kept in memory of it is as old as its last change by others. */
async function volumeNow(deps: Pick<HardwareDeps, 'volumes'>, disk: DiskFacts): Promise<VolumeFacts | undefined> {
    const known = deps.volumes.byPath(disk.source)
    return known && deps.volumes.find(`${known.pool}/${known.name}`)
}

/** How large QEMU knows the disk of a running VM to be. */
export async function liveBytes(
    deps: Pick<HardwareDeps, 'libvirt'>,
    entry: VmEntry,
    disk: Pick<DiskFacts, 'target'>,
): Promise<number> {
    const asked = { dom: entry.dom, path: disk.target, flags: 0 }
    return Number((await deps.libvirt.connection().call('domainGetBlockInfo', asked)).capacity)
}

const inNoPool = (entry: VmEntry): Fault =>
    notNow(entry, 'The disk is in no pool', 'Start the VM and resize it then, or use qemu-img resize.')

const onlyGrows = (sizeBytes: number, presentBytes: number): Fault =>
    new Fault('invalid', {
        summary: 'A disk can only grow',
        detail: `${formatBytes(sizeBytes)} of ${formatBytes(presentBytes)}`,
        fix: 'Give a larger size; to shrink, make a smaller disk and copy inside the guest.',
        at: 'size_bytes',
    })

/** @throws Fault `not-found`, `invalid`, `conflict` */
export async function planUpdateDisk(deps: HardwareDeps, entry: VmEntry, request: UpdateDiskRequest): Promise<Change> {
    const hardware = await readHardware(deps, entry)
    checkRevision(request.revision, hardware.revision)
    const { next, now } = needDisk(hardware, entry, request.target)
    const limits = request.limits && limitsWantOf(request.limits)
    const disk = (next ?? now)!
    const asked = diskWantOf(create(NewDiskSchema, { existing: 'a/b', cache: request.cache, limits: request.limits }))
    refuseErrors(checkDisk(asked, 'disk').map(found => ({ ...found, at: found.at.replace(/^disk\./, '') })))
    const cache = request.cache !== undefined && request.cache !== disk.cache ? request.cache : undefined
    const discard = request.discard !== undefined && request.discard !== disk.discard ? request.discard : undefined
    const drives = cache !== undefined || discard !== undefined
    if (drives) needPersistent(entry)
    const plan: PlanStep[] = []
    if (cache !== undefined) plan.push({ sentence: `Cache of ${disk.target}: ${cache || "libvirt's own choice"}` })
    if (discard !== undefined)
        plan.push({ sentence: `${discard ? 'Pass' : 'Do not pass'} discards of ${disk.target} on` })
    if (limits) plan.push({ sentence: `I/O limits of ${disk.target}: ${limitWords(limits)}` })
    if (plan.length === 0) plan.push({ sentence: 'Nothing: all is as it is asked for' })
    return {
        kind: 'vm.update-disk',
        title: `Change ${disk.target} of ${entry.name}`,
        plan,
        findings: drives && entry.active ? [nextStart(entry, `cache and discard of ${disk.target}`)] : [],
        work: () =>
            deps.inventory.edit(entry.uuid, request.revision, async xml => {
                const { call } = deps.libvirt.connection()
                if (drives) {
                    const edited = editDomain(xml, domain => {
                        const element = readDisks(domain).find(facts => facts.target === request.target)?.element
                        if (!element) return
                        const driver = ensure(element, 'driver')
                        if (cache !== undefined) setAttribute(driver, 'cache', cache || undefined)
                        if (discard !== undefined) setAttribute(driver, 'discard', discard ? 'unmap' : undefined)
                    })
                    await call('domainDefineXMLFlags', { xml: edited, flags: 0 })
                }
                if (!limits) return
                const present = deps.inventory.byUuid(entry.uuid) ?? entry
                const flags = (present.active && now ? LIVE : 0) | (present.persistent && next ? CONFIG : 0)
                const params = toParams({
                    // A total and a part cannot both be: what others set as a total is replaced by what is asked for.
                    total_bytes_sec: ullong(0),
                    total_iops_sec: ullong(0),
                    read_bytes_sec: ullong(limits.readBytesPerSecond),
                    write_bytes_sec: ullong(limits.writeBytesPerSecond),
                    read_iops_sec: ullong(limits.readIops),
                    write_iops_sec: ullong(limits.writeIops),
                })
                await call('domainSetBlockIoTune', { dom: entry.dom, disk: disk.target, params, flags })
            }),
    }
}

function limitWords(limits: ReturnType<typeof limitsWantOf>): string {
    const words = [
        limits.readIops && `${limits.readIops} reads/s`,
        limits.writeIops && `${limits.writeIops} writes/s`,
        limits.readBytesPerSecond && `reading ${formatBytes(limits.readBytesPerSecond)}/s`,
        limits.writeBytesPerSecond && `writing ${formatBytes(limits.writeBytesPerSecond)}/s`,
    ].filter(Boolean)
    return words.join(', ') || 'none'
}
