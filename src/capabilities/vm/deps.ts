// What the operations on VMs are given: libvirt, the inventory, volumes, tasks, and the facts of this host.
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Tasks } from '../../engine/task.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import type { Inventory, VmEntry } from './inventory.ts'
import type { Volumes } from './volumes.ts'

export interface VmDeps {
    libvirt: LibvirtLink
    inventory: Inventory
    volumes: Volumes
    tasks: Tasks
    clock: Clock
    log: Log
    /** What guests can really be run with here. */
    accelerator: 'kvm' | 'tcg'
    /** Folder for VNC sockets: QEMU may make them there, and the daemon may connect. */
    vncFolder: string
    /** True on behalf of a caller who may not see all VMs: what he is told does not name those of others. */
    hidesVms?: boolean
}

/** The names of VMs for a caller's eyes: 'another VM' where he may not see all. */
export const vmNames = (deps: Pick<VmDeps, 'hidesVms'>, vms: readonly Pick<VmEntry, 'name'>[]): string[] =>
    vms.length > 0 && deps.hidesVms ? ['another VM'] : vms.map(vm => vm.name)

/** Where QEMU shows the display of a VM. */
export const vncSocketOf = (deps: Pick<VmDeps, 'vncFolder'>, uuid: string): string => `${deps.vncFolder}/${uuid}.sock`
