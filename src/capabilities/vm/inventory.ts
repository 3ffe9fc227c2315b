// The VMs in memory: what the inventory promises to those who ask it (inventory-live.ts keeps it true to libvirt).
import { Fault } from '../../base/fault.ts'
import type { DomainRef } from '../../gen/libvirt/protocol.ts'
import type { State, Vm } from '../../gen/proto/capabilities/vm/vm_pb.js'

/** The names of a volume in definitions: its path, or its pool and name. */
export interface VolumeNames {
    pool: string
    name: string
    path: string
}

/** True where a source, as a definition has it, is that volume. */
export const isVolume = (source: string, { pool, name, path }: VolumeNames): boolean =>
    source !== '' && (source === path || source === `${pool}/${name}`)

/** What is kept of a VM. An entry never changes: a change makes a new one. */
export interface VmEntry {
    readonly uuid: string
    readonly name: string
    /** As libvirt's calls want it. */
    readonly dom: DomainRef
    readonly state: State
    /** libvirt's word for why: booted, shutdown, destroyed, … */
    readonly reason: string
    /** It has a QEMU: running, paused, shutting down, sleeping. */
    readonly active: boolean
    readonly persistent: boolean
    readonly autostart: boolean
    /** When the guest was started, ms since 1970, where that was seen. */
    readonly startedMs?: number
    readonly memoryBytes: number
    readonly maxMemoryBytes: number
    readonly vcpus: number
    readonly maxVcpus: number
    readonly firmware: 'bios' | 'uefi'
    readonly description: string
    readonly tags: readonly string[]
    readonly owner: string
    readonly template: boolean
    /** 0: no order. */
    readonly startOrder: number
    readonly startDelaySeconds: number
    /** DebVisor starts it when the node starts (libvirt's own autostart is off then). */
    readonly ordered: boolean
    /** Names of networks and bridges. */
    readonly networks: readonly string[]
    /** In lower case, of the next start and of the running guest. */
    readonly macs: readonly string[]
    /** Sources of its disks, of the next start and of the running guest, as the XML has them (with backing chains). */
    readonly paths: readonly string[]
    /** Of these, the sources of disks that it writes to. */
    readonly disks: readonly string[]
    /** Short hash of the inactive XML. */
    readonly revision: string
    /** The definition of the next start differs from what runs. */
    readonly pending: boolean
    readonly agentConnected: boolean
    /** Last figure: share of its vCPUs that is busy, 0 to 1. */
    readonly cpu: number
    /** How often more than the figures has changed; the store counts. */
    readonly changes?: number
    /** `pool/volume` of the cloud-init seed; empty where there is none. */
    readonly seed: string
}

/** What the figures tell the inventory of a running VM. */
export interface Sample {
    cpu: number
    vcpus?: number
    memoryBytes?: number
}

export interface InventoryChange {
    /** Entries that are new or other than before. */
    changed: VmEntry[]
    /** UUIDs of VMs that are gone. */
    removed: string[]
    /** True once, when all that existed has been handed out; again after a reconnect has healed. */
    synced: boolean
    /** libvirt cannot be reached at the moment: what is known may be old. */
    stale: boolean
}

export interface Wait {
    deadlineMs: number
    signal?: AbortSignal
}

export interface Inventory {
    /** True while libvirt is away or the full read after a reconnect is not through. */
    readonly stale: boolean
    /** By UUID or name. @throws Fault `not-found`, or `invalid` where it is the name of one and the UUID of another. */
    resolve(ref: string): VmEntry
    byUuid(uuid: string): VmEntry | undefined
    byName(name: string): VmEntry | undefined
    /** All, in order of their names. The array is shared: never change it. */
    list(): readonly VmEntry[]
    /** VMs that have this volume as a disk or in a backing chain, running or at the next start, however they name it. */
    usersOfVolume(volume: VolumeNames): VmEntry[]
    /** The same for a file that is no volume, such as UEFI variables; one that is may have another name too. */
    usersOfPath(path: string): VmEntry[]
    /** A moment, for `startedSince`. */
    moment(): number
    /** True where the VM was started after that moment, or may have been while libvirt was away. */
    startedSince(uuid: string, moment: number): boolean
    /** MAC in lower case → who has it. The map is shared: never change it. */
    macs(): ReadonlyMap<string, VmEntry>
    /** What there is, then every change, several of one VM as one; ends when the signal aborts. */
    watch(signal: AbortSignal): AsyncIterable<InventoryChange>
    /**
     * Resolves with what the VM is (undefined: gone) as soon as that holds.
     * @throws Fault `deadline` after `deadlineMs`, `cancelled` when the signal aborts
     */
    until(uuid: string, holds: (entry: VmEntry | undefined) => boolean, wait: Wait): Promise<VmEntry | undefined>
    /** Reads one VM again now, and answers what it is; undefined when libvirt has it no more. */
    refresh(uuid: string): Promise<VmEntry | undefined>
    /** The definition of the next start, read now, with secrets only where asked. @throws Fault `not-found` */
    inactiveXml(uuid: string, options?: { secure?: boolean }): Promise<{ xml: string; revision: string }>
    /** What runs, read now; undefined while it does not run. */
    activeXml(uuid: string): Promise<string | undefined>
    /**
     * Runs `work` alone among all edits of this VM; others wait. With `revision` it is refused with `conflict` when the
     * definition is not that one any more. `work` gets the definition as it is then (with secrets, fit to define again).
     */
    edit<T>(uuid: string, revision: string, work: (xml: string) => Promise<T>): Promise<T>
    /** The line of the list for a VM, made when first asked for. */
    line(entry: VmEntry): Vm
    /** The same as bytes of the protobuf message. */
    encoded(entry: VmEntry): Uint8Array
    /** The same as the bytes of its JSON. */
    json(entry: VmEntry): Uint8Array
    /** Takes the last figures of running VMs. */
    note(samples: ReadonlyMap<string, Sample>): void
    /** Resolves when the first full read is through (at once after that). */
    ready(): Promise<void>
    close(): Promise<void>
}

/** Refuses when `given` is set and not the present revision. @throws Fault `conflict` */
export function checkRevision(given: string, present: string): void {
    if (given === '' || given === present) return
    throw new Fault('conflict', {
        summary: 'The VM was changed since it was read',
        detail: `revision ${given} was read, ${present} is there now`,
        fix: 'Read the VM again, look at what changed, and repeat the change if it is still wanted.',
        at: 'revision',
    })
}
