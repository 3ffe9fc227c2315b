// Deleting a VM: its definition with all that libvirt keeps beside it, and its disks where nobody else stands on them.
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { DeleteRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, notNow, type PlanStep } from './begin.ts'
import { type VmDeps, vmNames } from './deps.ts'
import { checkRevision, type VmEntry } from './inventory.ts'
import { notFoundIsFine } from './make.ts'
import { stopVm } from './power.ts'
import { listSnapshots } from './snapshots.ts'
import { undefine } from './undefine.ts'
import type { VolumeFacts } from './volumes.ts'
import { parseRoot } from './xml/document.ts'
import { readDisks } from './xml/read-devices.ts'

export type RemoveDeps = Pick<VmDeps, 'libvirt' | 'inventory' | 'volumes' | 'clock' | 'log' | 'tasks' | 'hidesVms'>

/** Deletes the disks of a VM whose definition is gone already. */
const FINISH = 'vm.delete-disks'

/** @throws Fault `precondition` for a running VM without force, `conflict` for disks that others stand on */
export async function planDelete(deps: RemoveDeps, entry: VmEntry, request: DeleteRequest): Promise<Change> {
    const { inventory } = deps
    const { xml, revision } = await inventory.inactiveXml(entry.uuid)
    checkRevision(request.revision, revision)
    if (entry.active && !request.force)
        throw notNow(entry, 'A running VM is not deleted', 'Shut it down first, or delete it by force.')
    const active = entry.active ? await inventory.activeXml(entry.uuid) : undefined
    const { volumes, findings } = await findVolumes(deps, entry, { xmls: active ? [xml, active] : [xml], request })
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
            const refs = volumes.map(refOf).join('\n')
            if (refs !== '') await task.undo({ kind: FINISH, uuid: entry.uuid, volumes: refs })
            await inventory.edit(entry.uuid, request.revision, async () => {
                // What was free of others a moment ago may not be any more: nothing is deleted then.
                for (const volume of volumes) needFree(deps, { entry, volume, going: volumes })
                await stopVm(deps, entry.uuid)
                await undefine(deps, entry.dom)
            })
            const failed: string[] = []
            for (const [i, volume] of volumes.entries()) {
                task.progress((i + 1) / (volumes.length + 1), `deleting ${refOf(volume)}`)
                try {
                    needFree(deps, { entry, volume, going: volumes })
                    await deps.volumes.remove(refOf(volume))
                } catch (trouble) {
                    failed.push(`${refOf(volume)}: ${(trouble as Error).message}`)
                }
            }
            if (failed.length === 0) return
            // Nobody comes back for them later: by then the names may be someone else's.
            await task.keep()
            throw new Fault('internal', {
                summary: 'The VM is deleted, but not all of its disks',
                detail: failed.join('; '),
                fix: 'Delete them with debvisor image delete, when the reason is gone.',
            })
        },
    }
}

const refOf = (volume: Pick<VolumeFacts, 'pool' | 'name'>): string => `${volume.pool}/${volume.name}`

/** The volumes that go with the VM: its own disks and seed, never an ISO, a base image or what is shared. */
async function findVolumes(
    deps: RemoveDeps,
    entry: VmEntry,
    about: { xmls: string[]; request: DeleteRequest },
): Promise<{ volumes: VolumeFacts[]; findings: Finding[] }> {
    const findings: Finding[] = []
    if (!about.request.disks) return { volumes: [], findings }
    const found = new Map<string, VolumeFacts>()
    for (const xml of about.xmls) {
        for (const disk of readDisks(parseRoot(xml, 'domain'))) {
            if (disk.source === '' || disk.device !== 'disk' || disk.readonly || disk.shareable) continue
            const volume = await volumeAt(deps, disk.source)
            if (volume) found.set(volume.path, volume)
            else
                findings.push({
                    severity: 'warning',
                    code: 'disk-kept',
                    at: disk.target,
                    summary: 'A disk in no pool is kept',
                    detail: disk.source,
                    fix: 'Remove it by hand when it is not needed any more.',
                })
        }
    }
    // External snapshots leave files behind that are the VM's own: what it stood on then, overlays, memory.
    const snapshots = await listSnapshots(deps.libvirt, entry.dom)
    const left = snapshots.flatMap(({ disks, memoryFile }) => [
        ...disks.flatMap(d => [d.source, d.overlay]),
        memoryFile,
    ])
    for (const path of left) {
        const volume = path === '' ? undefined : await volumeAt(deps, path)
        if (volume) found.set(volume.path, volume)
    }
    const seed = entry.seed === '' ? undefined : await deps.volumes.find(entry.seed).catch(() => undefined)
    if (seed && others(deps, { entry, volume: seed, going: [] }).length === 0) found.set(seed.path, seed)
    const volumes = topFirst([...found.values()])
    for (const volume of volumes) needFree(deps, { entry, volume, going: volumes })
    return { volumes, findings }
}

/** What stands on another comes before it. */
function topFirst(volumes: readonly VolumeFacts[]): VolumeFacts[] {
    const depth = (volume: VolumeFacts): number => {
        const below = volumes.find(other => other.path === volume.backingPath)
        return below ? 1 + depth(below) : 0
    }
    return [...volumes].sort((a, b) => depth(b) - depth(a))
}

/** By path, or by `pool/volume` where libvirt has it so; asks libvirt for what was made a moment ago. */
async function volumeAt(
    deps: Pick<RemoveDeps, 'volumes' | 'libvirt'>,
    source: string,
): Promise<VolumeFacts | undefined> {
    const known = deps.volumes.byPath(source)
    if (known) return known
    const ref = source.startsWith('/')
        ? await deps.libvirt
              .connection()
              .call('storageVolLookupByPath', { path: source })
              .then(({ vol }) => refOf(vol))
              .catch(notFoundIsFine)
        : source
    return ref === undefined ? undefined : deps.volumes.find(ref).catch(notFoundIsFine)
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
    const users = [volume.path, refOf(volume)].flatMap(path => deps.inventory.usersOfPath(path))
    const vms = users.filter(user => user.uuid !== entry.uuid)
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
    if (await deps.inventory.refresh(uuid)) return
    for (const ref of refs) {
        const volume = await deps.volumes.find(ref).catch(notFoundIsFine)
        if (volume && others(deps, { entry: { uuid }, volume, going: [] }).length === 0) await deps.volumes.remove(ref)
    }
}

/** Registers how a delete that was broken off is finished. */
export function registerRemove(deps: RemoveDeps): void {
    deps.tasks.onUndo(FINISH, step => finish(deps, String(step.uuid), String(step.volumes).split('\n')))
}
