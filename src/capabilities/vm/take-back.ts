// Volumes that a crash would leave between a VM and nobody: made to become its disk, or to go with a detached one.
import type { RunningTask, UndoStep } from '../../engine/task.ts'
import type { VmDeps } from './deps.ts'
import { isVolume, type VmEntry, type VolumeNames } from './inventory.ts'
import { notFoundIsFine } from './make.ts'
import { lookThrough, type NewVolume, refOf } from './volumes.ts'
import { findAll, parseRoot } from './xml/document.ts'
import { readDisks, sourceAt } from './xml/read-devices.ts'

const KIND = 'vm.unused-volume'
const DETACHED = 'vm.detached-volume'

type TakeBackDeps = Pick<VmDeps, 'libvirt' | 'inventory' | 'volumes' | 'tasks'>

/** The promise to remove a volume that a task makes with `by: task.id` for a VM, unless it is a disk of that VM by then. */
export const unlessUsed = (
    task: Pick<RunningTask, 'id'>,
    entry: Pick<VmEntry, 'uuid'>,
    volume: Pick<NewVolume, 'pool' | 'name'>,
): UndoStep => ({ kind: KIND, uuid: entry.uuid, pool: volume.pool, name: volume.name, by: task.id })

/** The promise to delete a volume that goes with a disk which is detached, once the VM has it no more. */
export const afterDetach = (entry: Pick<VmEntry, 'uuid'>, volume: Pick<NewVolume, 'pool' | 'name'>): UndoStep => ({
    kind: DETACHED,
    uuid: entry.uuid,
    pool: volume.pool,
    name: volume.name,
})

/** Registers what becomes of such volumes: what the VM has is asked of libvirt then, whoever gave it to the VM. */
export function registerTakeBack(deps: TakeBackDeps): void {
    deps.tasks.onUndo(KIND, async step => {
        await knownVms(deps)
        const [pool, name] = [String(step.pool), String(step.name)]
        const volume = await deps.volumes.find(`${pool}/${name}`).catch(notFoundIsFine)
        if (volume && (await hasIt(deps, String(step.uuid), volume))) return
        await deps.volumes.takeBack({ pool, name, by: String(step.by) })
    })
    deps.tasks.onUndo(DETACHED, async step => {
        await knownVms(deps)
        const volume = await deps.volumes.find(`${step.pool}/${step.name}`).catch(notFoundIsFine)
        if (!volume || (await hasIt(deps, String(step.uuid), volume))) return
        await lookThrough(deps, [volume])
        // Nobody comes back for it later: by then it may be wanted again.
        if (deps.inventory.usersOfVolume(volume).length + deps.volumes.standingOn(volume.path).length > 0) return
        await deps.volumes.remove(refOf(volume))
    })
}

/** The VMs are read. While libvirt is away the reason is thrown, so that the daemon's start does not wait for it. */
export async function knownVms({ libvirt, inventory }: Pick<VmDeps, 'libvirt' | 'inventory'>): Promise<void> {
    if (!libvirt.up) libvirt.connection()
    await inventory.ready()
}

/** True where a VM has the volume as a disk, below one, or as the target of a copy that is under way. */
async function hasIt({ inventory }: Pick<VmDeps, 'inventory'>, uuid: string, volume: VolumeNames): Promise<boolean> {
    const entry = await inventory.refresh(uuid)
    if (!entry) return false
    const texts = [(await inventory.inactiveXml(uuid)).xml, await inventory.activeXml(uuid)]
    const sources = texts.flatMap(xml => {
        if (xml === undefined) return []
        const domain = parseRoot(xml, 'domain')
        const mirrors = findAll(domain, 'devices/disk/mirror').map(sourceAt)
        return [...mirrors, ...readDisks(domain).flatMap(disk => [disk.source, ...disk.chain])]
    })
    return sources.some(source => isVolume(source, volume))
}
