// CDs of a VM: put in, changed, ejected; and the cloud-init seed taken away after the first boot.
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { libvirtErrorOf } from '../../drivers/libvirt/libvirt.ts'
import type { ChangeMediaRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, entryNow, notNow } from './begin.ts'
import { vmNames } from './deps.ts'
import { type HardwareDeps, needDisk, readHardware, updateDevice } from './hardware.ts'
import { isVolume, type VmEntry } from './inventory.ts'
import { notFoundIsFine } from './make.ts'
import { setMetadataOf } from './settings.ts'
import { findSources } from './sources.ts'
import { refuseErrors } from './spec-finding.ts'
import type { VolumeFacts } from './volumes.ts'
import { sourceOfVolume } from './xml/devices.ts'
import { append, build, children, type Element, find, remove, setAttribute } from './xml/document.ts'
import { readMetadata } from './xml/metadata.ts'

/** @throws Fault `not-found` for the drive or the ISO, `invalid` for a target that is no drive */
export async function planChangeMedia(
    deps: HardwareDeps,
    entry: VmEntry,
    request: ChangeMediaRequest,
): Promise<Change> {
    const { target, iso, force } = request
    const { next, now } = needDisk(await readHardware(deps, entry), entry, target)
    if ((next ?? now)!.device !== 'cdrom')
        throw new Fault('invalid', {
            summary: 'That is no CD drive',
            detail: `${target} of ${entry.name}`,
            fix: 'Name a CD drive of the VM, or attach one.',
            at: 'target',
        })
    const sources = await findSources(deps, { disks: [], isos: iso ? [iso] : [], nics: [], start: false })
    refuseErrors(sources.findings.map(found => ({ ...found, at: 'iso' })))
    const medium = sources.isos[0]
    return {
        kind: 'vm.change-media',
        title: iso ? `Put ${iso} into ${target} of ${entry.name}` : `Eject ${target} of ${entry.name}`,
        plan: [{ sentence: iso ? `Put ${iso} into ${target} of ${entry.name}` : `Eject ${target} of ${entry.name}` }],
        work: () =>
            deps.inventory.edit(entry.uuid, '', async () =>
                insertMedium(deps, await entryNow(deps, entry), { target, medium, force }),
            ),
    }
}

/** Puts a medium into a drive, or takes it out, now and for the next start. */
export async function insertMedium(
    deps: HardwareDeps,
    entry: VmEntry,
    what: { target: string; medium: VolumeFacts | undefined; force: boolean },
): Promise<void> {
    const { next, now } = needDisk(await readHardware(deps, entry), entry, what.target)
    const filled = (element: Element | undefined) => element && setMedium(element, what.medium)
    try {
        await updateDevice(deps, entry, {
            config: entry.persistent ? filled(next?.element) : undefined,
            live: filled(now?.element),
            force: what.force,
        })
    } catch (trouble) {
        if (!/lock|tray|timed out/i.test(libvirtErrorOf(trouble)?.message ?? '')) throw trouble
        throw new Fault('precondition', {
            summary: 'The guest holds the tray of the drive closed',
            detail: `${what.target} of ${entry.name}`,
            fix: 'Eject it inside the guest, or change it by force.',
            cause: trouble,
        })
    }
}

/** The drive with another medium, or none. */
function setMedium(drive: Element, medium: VolumeFacts | undefined): Element {
    for (const name of ['source', 'backingStore']) for (const gone of children(drive, name)) remove(gone)
    const source = medium && sourceOfVolume(medium)
    setAttribute(drive, 'type', source?.type ?? 'file')
    const driver = find(drive, 'driver')
    if (driver) setAttribute(driver, 'type', 'raw')
    if (source) append(drive, build(drive.ownerDocument!, source.source), find(drive, 'target'))
    return drive
}

/** That a seed was not found is said: its pool may be stopped, and then its secrets are still there. */
export const seedNotFound = (entry: VmEntry): Finding => ({
    severity: 'warning',
    code: 'seed-not-found',
    at: 'vm',
    summary: 'The cloud-init seed is not found, so it is not deleted',
    detail: entry.seed,
    fix: 'Where its pool is stopped, start it and delete the volume: debvisor image delete.',
})

/** Ejects the seed everywhere it is, and deletes its volume. @throws Fault `precondition` where there is none */
export async function planRemoveSeed(deps: HardwareDeps, entry: VmEntry): Promise<Change> {
    if (entry.seed === '') throw notNow(entry, 'The VM has no cloud-init seed', 'Nothing is to be done.')
    const volume = await deps.volumes.find(entry.seed).catch(notFoundIsFine)
    const others = volume ? deps.inventory.usersOfVolume(volume).filter(other => other.uuid !== entry.uuid) : []
    if (others.length > 0)
        throw new Fault('conflict', {
            summary: 'Another VM uses that seed',
            detail: vmNames(deps, others).join(', '),
            fix: 'Take it away from that VM first.',
        })
    return {
        kind: 'vm.remove-seed',
        title: `Remove the cloud-init seed of ${entry.name}`,
        plan: [
            { sentence: `Eject the seed from ${entry.name}` },
            ...(volume ? [{ sentence: `Delete the volume ${entry.seed}`, destroys: `volume:${entry.seed}` }] : []),
        ],
        findings: volume ? [] : [seedNotFound(entry)],
        work: () =>
            deps.inventory.edit(entry.uuid, '', async () => {
                const now = await entryNow(deps, entry)
                const hardware = await readHardware(deps, now)
                const holds = (source: string) => source === entry.seed || (volume && isVolume(source, volume))
                const targets = new Set(
                    [...hardware.disks, ...hardware.liveDisks].filter(disk => holds(disk.source)).map(d => d.target),
                )
                for (const target of targets) await insertMedium(deps, now, { target, medium: undefined, force: true })
                const metadata = readMetadata(hardware.domain)
                await setMetadataOf(deps.libvirt.connection(), now, { ...metadata, seed: '' })
                if (volume) await deps.volumes.remove(entry.seed)
            }),
    }
}
