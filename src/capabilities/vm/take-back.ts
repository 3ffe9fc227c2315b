// Taking back a volume that was made to become a disk of a VM: only as long as the VM has not got it.
import type { RunningTask, UndoStep } from '../../engine/task.ts'
import type { VmDeps } from './deps.ts'
import { isVolume, type VmEntry, type VolumeNames } from './inventory.ts'
import { notFoundIsFine } from './make.ts'
import type { NewVolume } from './volumes.ts'
import { findAll, parseRoot } from './xml/document.ts'
import { readDisks, sourceAt } from './xml/read-devices.ts'

const KIND = 'vm.unused-volume'

type TakeBackDeps = Pick<VmDeps, 'libvirt' | 'inventory' | 'volumes' | 'tasks'>

/** The promise to remove a volume that a task makes with `by: task.id` for a VM, unless it is a disk of that VM by then. */
export const unlessUsed = (
    task: Pick<RunningTask, 'id'>,
    entry: Pick<VmEntry, 'uuid'>,
    volume: Pick<NewVolume, 'pool' | 'name'>,
): UndoStep => ({ kind: KIND, uuid: entry.uuid, pool: volume.pool, name: volume.name, by: task.id })

/** Registers how such a volume is taken back: what the VM has is asked of libvirt then, whoever gave it to the VM. */
export function registerTakeBack(deps: TakeBackDeps): void {
    deps.tasks.onUndo(KIND, async step => {
        await knownVms(deps)
        const [pool, name] = [String(step.pool), String(step.name)]
        const volume = await deps.volumes.find(`${pool}/${name}`).catch(notFoundIsFine)
        if (volume && (await hasIt(deps, String(step.uuid), volume))) return
        await deps.volumes.takeBack({ pool, name, by: String(step.by) })
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
