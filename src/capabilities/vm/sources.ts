// What a VM is to be made of: volumes, ISO files and networks are looked up, and all that is wrong is said at once.
import { asFault, Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { type VmDeps, vmNames } from './deps.ts'
import { type Inventory, isVolume, type VmEntry, type VolumeNames } from './inventory.ts'
import { ISO_DESCRIPTOR, readIsoDescriptor } from './iso9660.ts'
import { lookAtNetwork } from './networks.ts'
import { isSeedVolume } from './seed.ts'
import type { DiskWant, NicWant } from './spec.ts'
import { isVolumeRef } from './spec-devices.ts'
import { finding, findingOf } from './spec-finding.ts'
import type { VolumeFacts } from './volumes.ts'
import { parseRoot } from './xml/document.ts'
import { readDisks } from './xml/read-devices.ts'

export interface Sources {
    findings: Finding[]
    /** For each disk the volume it copies, stands on or is; undefined for empty ones. */
    disks: (VolumeFacts | undefined)[]
    isos: (VolumeFacts | undefined)[]
    /** Networks that are not started. */
    sleeping: string[]
}

type SourceDeps = Pick<VmDeps, 'libvirt' | 'inventory' | 'volumes' | 'hidesVms'>

/** Looks everything up at the same time; what cannot be found becomes a finding, never a throw. */
export async function findSources(
    deps: SourceDeps,
    want: { disks: readonly DiskWant[]; isos: readonly string[]; nics: readonly NicWant[]; start: boolean },
): Promise<Sources> {
    const findings: Finding[] = []
    const lookup = async (ref: string, at: string): Promise<VolumeFacts | undefined> => {
        if (ref === '' || !isVolumeRef(ref)) return undefined
        if (isSeedVolume(ref)) {
            findings.push(
                finding('error', 'seed-secret', {
                    at,
                    summary: 'A cloud-init seed holds secrets, and is for its own VM alone',
                    detail: ref,
                    fix: 'Give cloud-init settings of its own to the VM.',
                }),
            )
            return undefined
        }
        try {
            return await deps.volumes.find(ref)
        } catch (thrown) {
            findings.push(findingOf(asFault(thrown), asFault(thrown).code, at))
            return undefined
        }
    }
    const disks = want.disks.map(async (disk, i) => {
        const field = disk.existing ? 'existing' : 'from'
        const at = `disks[${i}].${field}`
        const facts = await lookup(disk.existing || disk.from, at)
        if (facts) findings.push(...(await checkSource(deps, disk, facts)).map(f => ({ ...f, at })))
        if (facts && disk.existing) {
            await deps.volumes
                .checkExisting(disk.existing)
                .catch(thrown => findings.push(findingOf(asFault(thrown), asFault(thrown).code, at)))
        }
        return facts
    })
    const isos = want.isos.map(async (ref, i) => {
        const facts = await lookup(ref, `isos[${i}]`)
        if (facts) findings.push(...(await checkIso(deps, facts, `isos[${i}]`)))
        return facts
    })
    const sleeping = new Set<string>()
    const nics = want.nics.map(async (nic, i) => {
        if (nic.network === '' || nic.bridge !== '') return
        const seen = await checkNetwork(deps, nic.network, `nics[${i}].network`)
        if (seen === 'sleeps') sleeping.add(nic.network)
        else if (seen !== 'up') findings.push(seen)
    })
    const [foundDisks, foundIsos] = await Promise.all([Promise.all(disks), Promise.all(isos), Promise.all(nics)])
    return { findings, disks: foundDisks, isos: foundIsos, sleeping: [...sleeping] }
}

const COPIED_FORMATS = ['qcow2', 'raw', 'iso']

async function checkSource(deps: SourceDeps, disk: DiskWant, facts: VolumeFacts): Promise<Omit<Finding, 'at'>[]> {
    const ref = `${facts.pool}/${facts.name}`
    const refuse = (code: string, words: Omit<Finding, 'at' | 'severity' | 'code'>) => [
        { severity: 'error' as const, code, ...words },
    ]
    if (!COPIED_FORMATS.includes(facts.format))
        return refuse('volume-format', {
            summary: 'A disk cannot be made from a volume of that format',
            detail: `${ref} is ${facts.format || 'of no known format'}`,
            fix: 'Convert it to qcow2 first: `debvisor image convert`.',
        })
    if (disk.sizeBytes > 0 && disk.from !== '' && disk.sizeBytes < facts.capacityBytes)
        return refuse('disk-smaller', {
            summary: 'A copy cannot be smaller than its source',
            detail: `${disk.sizeBytes} of ${facts.capacityBytes} bytes of ${ref}`,
            fix: 'Give a size that is not smaller, or none.',
        })
    const users = await inUse(deps, facts)
    const named = (entries: VmEntry[]) => vmNames(deps, entries).join(', ')
    if (disk.existing !== '') {
        const overlays = deps.volumes.standingOn(facts.path)
        if (overlays.length > 0)
            return refuse('volume-in-use', {
                summary: 'Linked clones stand on that volume: writing to it would destroy them',
                detail: overlays.map(o => `${o.pool}/${o.name}`).join(', '),
                fix: 'Make another linked clone, or a copy.',
            })
        if (users.length > 0)
            return refuse('volume-in-use', {
                summary: 'Another VM has that volume as its disk',
                detail: `${ref} of ${named(users)}`,
                fix: 'Take the disk away from it first, or make a copy.',
            })
    }
    const running = users.filter(user => user.active)
    if (disk.from !== '' && !disk.linked && running.length > 0)
        return refuse('volume-in-use', {
            summary: 'A running VM writes to that volume: a copy would be torn',
            detail: `${ref} of ${named(running)}`,
            fix: 'Stop it first, or clone from a snapshot or template.',
        })
    const writers = users.filter(user => !user.template)
    if (disk.linked && writers.length > 0)
        return refuse('volume-in-use', {
            summary: 'A VM writes to that volume: a linked clone would break',
            detail: `${ref} of ${named(writers)}`,
            fix: 'Make the VM a template, or make a full copy.',
        })
    return []
}

/** VMs that have a volume as a disk they write to, now or at the next start; not those whose disks only stand on it. */
export async function inUse(deps: Pick<VmDeps, 'inventory'>, volume: VolumeNames): Promise<VmEntry[]> {
    const users = deps.inventory.usersOfVolume(volume)
    const direct = await Promise.all(
        users.map(async user => {
            try {
                const texts = await Promise.all([
                    deps.inventory.inactiveXml(user.uuid).then(answer => answer.xml),
                    user.active ? deps.inventory.activeXml(user.uuid) : undefined,
                ])
                return texts.some(xml => xml !== undefined && writesTo(xml, volume))
            } catch (thrown) {
                // It went away meanwhile.
                if (asFault(thrown).code === 'not-found') return false
                throw thrown
            }
        }),
    )
    return users.filter((_, i) => direct[i])
}

const writesTo = (xml: string, volume: VolumeNames): boolean =>
    readDisks(parseRoot(xml, 'domain')).some(disk => isVolume(disk.source, volume) && !disk.readonly)

/** Who has a volume, and how, as those ask who keep volumes. From memory. */
export const usersOf = (inventory: Inventory, volume: VolumeNames) =>
    inventory.usersOfVolume(volume).map(({ name, uuid, active, template, disks }) => ({
        ...{ kind: 'vm' as const, name, uuid, active, template },
        writes: disks.some(source => isVolume(source, volume)),
    }))

/**
 * Begins to watch volumes that are copied as they are: the answer refuses a copy below which a VM has written, also
 * one that was started and has stopped again.
 * @throws Fault `conflict` at once where a running VM writes to one, and later by the answer
 */
export async function watchCopied(
    deps: Pick<VmDeps, 'inventory' | 'hidesVms'>,
    volumes: readonly VolumeNames[],
): Promise<() => Promise<void>> {
    const moment = deps.inventory.moment()
    const writers = async () => (await Promise.all(volumes.map(volume => inUse(deps, volume)))).flat()
    const refuse = (vms: readonly VmEntry[]) => {
        if (vms.length === 0) return
        throw new Fault('conflict', {
            summary: 'A VM was started while its disk was copied, so the copy is torn',
            detail: [...new Set(vmNames(deps, vms))].join(', '),
            fix: 'Leave it stopped, and try again.',
            at: 'vm',
        })
    }
    const before = await writers()
    refuse(before.filter(vm => vm.active))
    return async () => {
        const now = await writers()
        const running = now.filter(vm => vm.active)
        refuse([...running, ...[...before, ...now].filter(vm => deps.inventory.startedSince(vm.uuid, moment))])
    }
}

/** That an ISO file is one, and whole, as far as its first descriptor tells. */
export async function checkIso(deps: Pick<VmDeps, 'volumes'>, facts: VolumeFacts, at: string): Promise<Finding[]> {
    const ref = `${facts.pool}/${facts.name}`
    const refuse = (code: string, words: Omit<Finding, 'at' | 'severity' | 'code'>) => [
        finding('error', code, { at, ...words }),
    ]
    if (facts.format === 'dir')
        return refuse('iso-directory', {
            summary: 'That is a folder, not an ISO file',
            detail: ref,
            fix: 'Name the ISO file: `debvisor image list` shows them.',
        })
    if (!['iso', 'raw'].includes(facts.format))
        return refuse('iso-format', {
            summary: 'That is a disk image, not an ISO file',
            detail: `${ref} is ${facts.format || 'of no known format'}`,
            fix: 'Give it as a disk, or name an ISO file.',
        })
    const cut = (detail: string) =>
        refuse('iso-truncated', {
            summary: 'That ISO file is empty or cut off',
            detail: `${ref}: ${detail}`,
            fix: 'Upload or import it again, with a checksum.',
        })
    const { offsetBytes, lengthBytes } = ISO_DESCRIPTOR
    if (facts.capacityBytes < offsetBytes + lengthBytes) return cut(`it has ${facts.capacityBytes} bytes`)
    const descriptor = readIsoDescriptor(await readVolume(deps, facts, ISO_DESCRIPTOR))
    if (!descriptor)
        return refuse('iso-format', {
            summary: 'That is not an ISO file',
            detail: `${ref} has no ISO 9660 descriptor`,
            fix: 'Name an ISO file, or upload it again.',
        })
    if (descriptor.sizeBytes > facts.capacityBytes)
        return cut(`it has ${facts.capacityBytes} of ${descriptor.sizeBytes} bytes`)
    return []
}

/** A part of a volume, or all of it. Not for more than a few MiB. */
export async function readVolume(
    deps: Pick<VmDeps, 'volumes'>,
    facts: Pick<VolumeFacts, 'pool' | 'name'>,
    part: { offsetBytes?: number; lengthBytes?: number } = {},
): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    for await (const piece of deps.volumes.read(facts, part)) pieces.push(piece)
    return Buffer.concat(pieces)
}

async function checkNetwork(
    deps: Pick<VmDeps, 'libvirt'>,
    name: string,
    at: string,
): Promise<Finding | 'sleeps' | 'up'> {
    const seen = await lookAtNetwork(deps, name)
    if (seen) return seen.active ? 'up' : 'sleeps'
    return finding('error', 'not-found', {
        at,
        summary: 'There is no such network',
        detail: name.slice(0, 80),
        fix: 'Make it, or name another: `debvisor network list` shows them.',
    })
}
