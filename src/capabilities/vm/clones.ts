// Linked clones that stand on the disks of a VM: they break as soon as it writes.
import { Fault } from '../../base/fault.ts'
import type { VmDeps } from './deps.ts'
import type { VmEntry } from './inventory.ts'
import { lookThrough, refOf } from './volumes.ts'

/**
 * Refuses a VM that would write below linked clones. Where memory knows of some, their pools are looked through once
 * more: an overlay that libvirt has merged a moment ago is none. With `unknown` the pools of the VM's disks are looked
 * through in any case, for clones that came behind libvirt's back.
 * @throws Fault `conflict` that names them
 */
export async function needNoClones(
    deps: Pick<VmDeps, 'volumes'>,
    entry: VmEntry,
    options: { unknown?: boolean } = {},
): Promise<void> {
    const { volumes } = deps
    const clones = () => entry.disks.flatMap(source => volumes.standingOn(volumes.at(source)?.path ?? source))
    const own = options.unknown ? entry.disks.flatMap(source => volumes.at(source) ?? []) : []
    await lookThrough(deps, [...own, ...clones()])
    const found = clones()
    if (found.length === 0) return
    throw new Fault('conflict', {
        summary: 'Linked clones stand on a disk of the VM: it would write below them',
        detail: `${entry.name}: ${[...new Set(found.map(refOf))].join(', ')}`,
        fix: 'Delete the clones first; or make a full clone of the VM, and use that.',
        at: 'vm',
    })
}
