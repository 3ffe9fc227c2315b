// What a kind of storage offers for its disks: which it has, what takes the place of a failed one, how more are added.
import type { Resource } from '../../engine/resource.ts'
import type { Probe } from '../../ports/ports.ts'

/** A disk of a pool or a cluster. */
export interface StorageDisk {
    /** As the document calls it, or by the driver's own word when it is gone. */
    id: string
    /** All words by which it may be named on the command line. */
    names: readonly string[]
    /** The driver's word: ONLINE, FAULTED; up, down. */
    state: string
    works: boolean
    /** Where it stands: `mirror-0`, `osd.3`. */
    part: string
    errors: number
}

/** What is stored on disks, as a whole: a pool of ZFS, the OSDs of this node. */
export interface StorageSet {
    name: string
    state: string
    whole: boolean
    disks: readonly StorageDisk[]
    /** Copying that goes on by itself. */
    work?: { words: string; percent: number }
}

/** Code of the finding of a replacement that goes on when what is copied is whole. */
export const COPYING = 'copying'

export interface ReplaceWish {
    /** One of the names of a disk. */
    old: string
    /** By the name that stays; undefined: a disk of the same name is in the old one's place. */
    new?: string
}

export interface AddWish {
    disks: readonly string[]
    /** The set that gets them; the document's unless told. */
    to?: string
    /** `alike`: one more part as those that are there; or what people must ask for by name. */
    as: 'alike' | 'stripe' | 'spare' | { attachedTo: string }
}

/** `zfs`, `ceph`: handed to the verbs of `storage` by the table. */
export interface StorageDriver {
    name: string
    /** What there is; empty where this kind of storage is not set up. */
    look(machine: Probe): Promise<StorageSet[]>
    /** Plans one replacement. It is done again and again until its plan is empty. */
    replace(wish: ReplaceWish): Resource
    /** Undefined: nothing is ever added by hand. */
    add?(wish: AddWish): Resource
}
