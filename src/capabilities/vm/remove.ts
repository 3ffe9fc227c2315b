// Deleting a VM: its definition with all that libvirt keeps beside it, and its disks where nobody else stands on them.
import { asFault, Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { DeleteRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, entryNow, notNow, type PlanStep } from './begin.ts'
import { type VmDeps, vmNames } from './deps.ts'
import { seedNotFound } from './hardware-media.ts'
import { checkRevision, type VmEntry } from './inventory.ts'
import { notFoundIsFine } from './make.ts'
import { stopVm } from './power.ts'
import { listSnapshots } from './snapshots.ts'
import { knownVms } from './take-back.ts'
import { undefine } from './undefine.ts'
import { volumeAt } from './volume-at.ts'
import { lookThrough, refOf, type VolumeFacts } from './volumes.ts'
import { parseRoot } from './xml/document.ts'
import { readDisks } from './xml/read-devices.ts'
import { isOwn, type SnapshotFacts } from './xml/snapshot.ts'

export type RemoveDeps = Pick<VmDeps, 'libvirt' | 'inventory' | 'volumes' | 'clock' | 'log' | 'tasks' | 'hidesVms'>

/** Deletes the disks of a VM whose definition is gone already. */
const FINISH = 'vm.delete-disks'

/** @throws Fault `precondition` for a running VM without force, `conflict` for disks that others stand on */
export async function planDelete(deps: RemoveDeps, entry: VmEntry, request: DeleteRequest): Promise<Change> {
    const { inventory } = deps
    const { revision } = await inventory.inactiveXml(entry.uuid)
    checkRevision(request.revision, revision)
    const { volumes, findings } = await findVolumes(deps, entry, request)
    const plan: PlanStep[] = [
        ...(entry.active ? [{ sentence: `Pull the plug of ${entry.name}` }] : []),
        {
            sentence: `Remove the definition of ${entry.name}, with its snapshots' data, firmware settings and TPM`,
            destroys: `vm:${entry.name}`,
        },
        ...volumes.map(volume => ({
            sentence: `Delete the volume ${refOf(volume)}`,
            destroys: `volume:${refOf(volume)}`,
        })),
    ]
    return {
        kind: 'vm.delete',
        title: `Delete ${entry.name}`,
        plan,
        findings,
        async work(task) {
            const going = await inventory.edit(entry.uuid, request.revision, async xml => {
                const present = await entryNow(deps, entry)
                // What was free of others a moment ago may not be any more: nothing is deleted then.
                const found = (await findVolumes(deps, present, request)).volumes
                const unplanned = found.find(({ path }) => !volumes.some(volume => volume.path === path))
                if (unplanned) throw notPlanned(unplanned)
                const refs = found.map(refOf).join('\n')
                if (refs !== '') await task.undo({ kind: FINISH, uuid: entry.uuid, volumes: refs })
                await takeAway(deps, present, { xml, force: request.force })
                return found
            })
            const failed: { ref: string; fault: Fault }[] = []
            for (const [i, volume] of going.entries()) {
                const ref = refOf(volume)
                task.progress((i + 1) / (going.length + 1), `deleting ${ref}`)
                try {
                    needFree(deps, { entry, volume, going })
                    await deps.volumes.remove(ref)
                } catch (trouble) {
                    failed.push({ ref, fault: asFault(trouble) })
                }
            }
            if (failed.length === 0) return
            // Nobody comes back for them later: by then the names may be someone else's.
            await task.keep()
            throw new Fault(failed[0]!.fault.code, {
                summary: 'The VM is deleted, but not all of its disks',
                detail: failed.map(({ ref, fault }) => `${ref}: ${fault.message}`).join('; '),
                fix: 'Delete them with debvisor image delete, when the reason is gone.',
                cause: failed[0]!.fault,
            })
        },
    }
}

const runs = (entry: VmEntry): Fault =>
    notNow(entry, 'A running VM is not deleted', 'Shut it down first, or delete it by force.')

const notPlanned = (volume: VolumeFacts): Fault =>
    new Fault('conflict', {
        summary: 'The VM has got other disks since it was to be deleted',
        detail: refOf(volume),
        fix: 'Look at what would be deleted now, and delete the VM again.',
        at: 'vm',
    })

/** The VM is gone, or goes on as it was. @throws Fault `precondition` for one that somebody has started meanwhile */
async function takeAway(
    deps: RemoveDeps,
    entry: VmEntry,
    { xml, force }: { xml: string; force: boolean },
): Promise<void> {
    if (force) await stopVm(deps, entry.uuid)
    await undefine(deps, entry.dom)
    // Started in this very moment, it runs on without a definition.
    const left = await deps.inventory.refresh(entry.uuid)
    if (!left?.active) return
    if (force) return stopVm(deps, entry.uuid)
    await deps.libvirt.connection().call('domainDefineXMLFlags', { xml, flags: 0 })
    throw runs(left)
}

/**
 * The volumes that go with the VM: its own disks and seed, never an ISO, a base image or what is shared.
 * @throws Fault `precondition` for a running VM without force, `conflict` for disks that others stand on
 */
async function findVolumes(
    deps: RemoveDeps,
    entry: VmEntry,
    request: DeleteRequest,
): Promise<{ volumes: VolumeFacts[]; findings: Finding[] }> {
    if (entry.active && !request.force) throw runs(entry)
    const findings: Finding[] = []
    if (!request.disks) return { volumes: [], findings }
    const texts = [(await deps.inventory.inactiveXml(entry.uuid)).xml, await deps.inventory.activeXml(entry.uuid)]
    const found = new Map<string, VolumeFacts>()
    const kept = (at: string, detail: string, words: Pick<Finding, 'summary' | 'fix'>) =>
        findings.push({ severity: 'warning', code: 'disk-kept', at, detail, ...words })
    for (const disk of texts.flatMap(xml => (xml === undefined ? [] : readDisks(parseRoot(xml, 'domain'))))) {
        if (!isOwn(disk)) continue
        const volume = await volumeAt(deps, disk.source)
        if (volume) found.set(volume.path, volume)
        else
            kept(disk.target, disk.source, {
                summary: 'A disk in no pool is kept',
                fix: 'Remove it by hand when it is not needed any more.',
            })
    }
    const snapshots = await listSnapshots(deps.libvirt, entry.dom)
    const left = await snapshotVolumes(deps, snapshots, found)
    for (const volume of left.others)
        kept('vm', refOf(volume), {
            summary: 'A disk that only snapshots of the VM name is kept',
            fix: 'It was detached, or is of another: delete it with debvisor image delete when it is not needed.',
        })
    for (const volume of left.own) found.set(volume.path, volume)
    const seed = entry.seed === '' ? undefined : await deps.volumes.find(entry.seed).catch(notFoundIsFine)
    if (entry.seed !== '' && !seed) findings.push(seedNotFound(entry))
    await lookThrough(deps, [...found.values()])
    if (seed && others(deps, { entry, volume: seed, going: [] }).length === 0) found.set(seed.path, seed)
    const volumes = topFirst([...found.values()])
    for (const volume of volumes) needFree(deps, { entry, volume, going: volumes })
    return { volumes, findings }
}

/**
 * The files that snapshots leave behind and that are the VM's own: what its present disks stood on then, the overlays
 * on that, and memory. `others` are those of disks that it has no more.
 */
async function snapshotVolumes(
    deps: RemoveDeps,
    snapshots: readonly SnapshotFacts[],
    present: ReadonlyMap<string, VolumeFacts>,
): Promise<{ own: VolumeFacts[]; others: VolumeFacts[] }> {
    const pairs: VolumeFacts[][] = []
    const memory: VolumeFacts[] = []
    for (const { disks, memoryFile } of snapshots) {
        const state = memoryFile === '' ? undefined : await volumeAt(deps, memoryFile)
        if (state) memory.push(state)
        for (const { source, overlay } of disks) {
            const both = await Promise.all([source, overlay].map(path => volumeAt(deps, path)))
            pairs.push(both.filter(volume => volume !== undefined))
        }
    }
    const own = new Set(present.keys())
    const named = new Set(pairs.flat().map(volume => volume.path))
    const belongs = ({ path }: VolumeFacts) => own.has(path)
    for (let before = -1; before !== own.size; ) {
        before = own.size
        for (const pair of pairs) if (pair.some(belongs)) for (const { path } of pair) own.add(path)
        // After going back, a disk is an overlay that no snapshot names, on what one does.
        for (const volume of [...present.values(), ...pairs.flat()])
            if (belongs(volume) && volume.backingPath && named.has(volume.backingPath)) own.add(volume.backingPath)
    }
    const all = pairs.flat()
    return { own: [...all.filter(belongs), ...memory], others: all.filter(volume => !belongs(volume)) }
}

/** What stands on another comes before it. */
function topFirst(volumes: readonly VolumeFacts[]): VolumeFacts[] {
    const depth = (volume: VolumeFacts): number => {
        const below = volumes.find(other => other.path === volume.backingPath)
        return below ? 1 + depth(below) : 0
    }
    return [...volumes].sort((a, b) => depth(b) - depth(a))
}

interface Going {
    entry: Pick<VmEntry, 'uuid'>
    volume: VolumeFacts
    /** All that is deleted together. */
    going: readonly VolumeFacts[]
}

function others(
    deps: Pick<RemoveDeps, 'inventory' | 'volumes' | 'hidesVms'>,
    { entry, volume, going }: Going,
): string[] {
    const vms = deps.inventory.usersOfVolume(volume).filter(user => user.uuid !== entry.uuid)
    const names = vmNames(deps, vms).map(name => (deps.hidesVms ? name : `VM ${name}`))
    const overlays = deps.volumes
        .standingOn(volume.path)
        .filter(overlay => !going.some(other => other.path === overlay.path))
    return [...new Set([...names, ...overlays.map(overlay => `volume ${refOf(overlay)}`)])]
}

function needFree(deps: Pick<RemoveDeps, 'inventory' | 'volumes' | 'hidesVms'>, about: Going): void {
    const names = others(deps, about)
    if (names.length === 0) return
    throw new Fault('conflict', {
        summary: 'Others stand on a disk of the VM, so it is not deleted',
        detail: `${refOf(about.volume)}: ${names.join(', ')}`,
        fix: 'Delete those first, or delete the VM and keep its disks.',
        at: 'disks',
    })
}

/** A delete that was cut short behind the definition is finished; before that, the VM and its disks stay. */
async function finish(deps: RemoveDeps, uuid: string, refs: string[]): Promise<void> {
    await knownVms(deps)
    if (await deps.inventory.refresh(uuid)) return
    for (const ref of refs) {
        const volume = await deps.volumes.find(ref).catch(notFoundIsFine)
        if (volume) await lookThrough(deps, [volume])
        if (volume && others(deps, { entry: { uuid }, volume, going: [] }).length === 0) await deps.volumes.remove(ref)
    }
}

/** Registers how a delete that was broken off is finished. */
export function registerRemove(deps: RemoveDeps): void {
    deps.tasks.onUndo(FINISH, step => finish(deps, String(step.uuid), String(step.volumes).split('\n')))
}
