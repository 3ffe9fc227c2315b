// What a request takes from outside its VM, and the permissions for that: a grant on one VM gives none of them.
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { NewDiskSchema, NewNicSchema } from '../../../gen/proto/capabilities/vm/vm_pb.js'
import type { Caller } from '../../caller.ts'

type Disk = MessageInitShape<typeof NewDiskSchema>
type Nic = MessageInitShape<typeof NewNicSchema>

/** A volume that becomes a disk can be read, overwritten and deleted through it. @throws Fault `denied` */
export function needAttached(caller: Caller, { device, disk }: { device: string; disk?: Disk }): void {
    if (device === 'cdrom') needIso(caller, disk?.existing)
    else if (disk?.from || disk?.existing) caller.need('image.manage')
}

/** The disks of a VM that is made: what is copied is read, what is used as it is belongs to the VM from then on. */
export function needDisks(caller: Caller, disks: readonly Disk[]): void {
    if (disks.some(disk => disk.from)) caller.need('image.view')
    if (disks.some(disk => disk.existing)) caller.need('image.manage')
}

/** @throws Fault `denied` */
export function needIso(caller: Caller, iso: string | undefined): void {
    if (iso) caller.need('image.view')
}

/** A new NIC; the one that says neither network nor bridge is on the network `default`. @throws Fault `denied` */
export function needNic(caller: Caller, nic: Nic): void {
    needJoin(caller, { network: nic.bridge ? nic.network : nic.network || 'default', bridge: nic.bridge })
    if (nic.vlan) caller.need('network.bridge')
}

/** What a NIC is put on. A VLAN reaches beside the network that it is on, as a bridge does. @throws Fault `denied` */
export function needJoin(caller: Caller, to: { network?: string; bridge?: string; vlan?: number }): void {
    if (to.network) caller.need('network.view')
    if (to.bridge || to.vlan !== undefined) caller.need('network.bridge')
}

/** The NIC of a clone is on what that of its source is on. @throws Fault `denied` */
export function needSame(caller: Caller, nic: { type: string; network: string; vlan: number }): void {
    if (nic.network) caller.need('network.view')
    // A bridge, a device of the node, or what else there is.
    if ((!nic.network && nic.type !== 'user') || nic.vlan > 0) caller.need('network.bridge')
}
