// Who this node is in its cluster: id, name and address, chosen once, noted, and kept whatever becomes of the machine's.
import { createHash } from 'node:crypto'
import type { Finding } from '../../../base/finding.ts'
import type { Agreed } from '../../../engine/plan.ts'
import { type Choice, choose, type Disk, target } from '../choose.ts'
import type { CephSpec } from '../spec.ts'

/** What the document says of Ceph, and what it needs of the rest. */
export interface CephWant extends CephSpec {
    /** Of the document: the daemons are called so from the beginning. */
    hostname: string
    /** Disks that the document gives to something else. */
    except: readonly string[]
    /** VMs run here. */
    vms: boolean
}

export interface Identity {
    fsid: string
    name: string
    address: string
}

export interface Address {
    device: string
    address: string
    /** A route to everywhere goes out there. */
    primary: boolean
}

export interface OsdDisk extends Disk {
    /** Of this boot: /dev/vdb. */
    path: string
}

/** What every part of Ceph has to know. */
export interface Ground {
    /** Undefined: nothing was begun yet. */
    record?: Identity
    /** The monitor was made whole by an earlier apply. */
    made: boolean
    machineId: string
    addresses: readonly Address[]
    /** Asked only while the monitor was not made. */
    disks: readonly OsdDisk[]
}

export const FOLDER = '/var/lib/debvisor/storage'
export const RECORD = `${FOLDER}/ceph.json`
/** That the monitor was made: one that is missing afterwards is never made again. */
export const MADE = `${FOLDER}/ceph-mon.json`
export const OSD_RECORD = /^ceph-osd-.*\.json$/
export const osdRecord = (disk: string): string => `${FOLDER}/ceph-osd-${disk.slice(disk.lastIndexOf('/') + 1)}.json`
export const storeOf = (name: string): string => `/var/lib/ceph/mon/ceph-${name}`
export const adminKeyring = '/etc/ceph/ceph.client.admin.keyring'

/** A UUID that is always the same for the same words, and says nothing of them. */
export function uuidOf(...words: string[]): string {
    const hex = createHash('sha256')
        .update(`debvisor\0${words.join('\0')}`)
        .digest('hex')
    const variant = (Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80
    return [
        ...[hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`],
        ...[`${variant.toString(16)}${hex.slice(18, 20)}`, hex.slice(20, 32)],
    ].join('-')
}

/** Of the OSD that is made of a disk. */
export const osdUuidOf = (fsid: string, disk: string): string => uuidOf('osd', fsid, disk)

/** Undefined with a finding when it cannot be said. */
export function identityOf(
    want: CephWant,
    { record, machineId, addresses }: Ground,
): { identity?: Identity; findings: Finding[] } {
    const findings: Finding[] = []
    if (record) {
        if (want.fsid && want.fsid !== record.fsid) findings.push(otherCluster(want.fsid, record.fsid))
        if (want.address && want.address !== record.address) findings.push(otherAddress(want.address, record.address))
        if (!addresses.some(one => one.address === record.address)) findings.push(addressGone(record.address))
        return { identity: record, findings }
    }
    const found = addresses.find(one => one.primary) ?? addresses[0]
    const address = want.address ?? found?.address
    if (!address) return { findings: [noAddress] }
    if (!addresses.some(one => one.address === address)) return { findings: [addressGone(address)] }
    return { identity: { fsid: want.fsid ?? uuidOf('fsid', machineId), name: want.hostname, address }, findings }
}

/** The disks that OSDs are made of, when none was made of them yet. */
export const chooseDisks = (want: CephWant, disks: readonly OsdDisk[], agreed: Agreed): Choice<OsdDisk> =>
    choose('storage.ceph.disks', want.disks, { all: disks, agreed, except: want.except })

/** Whether there is, or will be, a cluster: without a disk for it none is begun. */
export function isComing(want: CephWant, { made, disks }: Ground, agreed: Agreed): boolean {
    if (made) return true
    const { chosen, findings } = chooseDisks(want, disks, agreed)
    if (findings.some(({ severity }) => severity === 'error')) return false
    return chosen.some(disk => disk.blank || agreed.has(target(disk.id)))
}

const at = 'storage.ceph.address'

const noAddress: Finding = {
    ...{ severity: 'error', code: 'no-address', at },
    summary: 'This machine has no address that Ceph could listen on',
    fix: 'Give it an address in its network, then apply again.',
}

const addressGone = (address: string): Finding => ({
    ...{ severity: 'error', code: 'address-gone', at, detail: address },
    summary: 'The address of the monitor is not an address of this machine',
    fix: 'Give it back to the machine, and make it one that stays: Ceph finds its monitors by their addresses.',
})

const otherAddress = (wanted: string, kept: string): Finding => ({
    ...{ severity: 'error', code: 'address-moves', at, detail: `${kept}, and the document says ${wanted}` },
    summary: 'The monitor listens on another address, which cannot be changed in place',
    fix: 'Put the address of before into the document. To move a monitor, see the manual of Ceph.',
})

const otherCluster = (wanted: string, kept: string): Finding => ({
    ...{ severity: 'error', code: 'cluster-other', at: 'storage.ceph.fsid' },
    summary: 'This node is in another cluster than the document says',
    detail: `${kept}, and the document says ${wanted}`,
    fix: 'Leave storage.ceph.fsid out, or put the id of before into it.',
})
