// What is kept in memory of pools and volumes, and what is wanted of the rest of the daemon.
import type { Remote, VolumeXml } from './storage-xml.ts'

export interface PoolEntry {
    uuid: string
    name: string
    /** dir, logical, rbd, zfs, … */
    type: string
    /** Folder, for pools on files. */
    path: string
    active: boolean
    autostart: boolean
    capacityBytes: number
    allocationBytes: number
    availableBytes: number
    volumes: number
    remote?: Remote
    /** Why it cannot be read; left out where it can. Its sizes and volumes are then those of before. */
    problem?: string
}

export interface VolumeEntry {
    pool: string
    name: string
    path: string
    poolType: string
    remote?: Remote
    key: string
    /** What it is read as: what was declared when DebVisor made it, else what libvirt says. */
    format: string
    capacityBytes: number
    allocationBytes: number
    /** Length of the file or device: what a download gives. */
    physicalBytes: number
    backingPath?: string
    modifiedMs: number
    createdMs: number
    /** libvirt takes it for another format than it was made in: a guest may have written a header. */
    suspect: boolean
}

/** A VM that stands on a volume. */
export interface VolumeUser {
    kind: 'vm'
    name: string
    uuid: string
    /** Left out counts as running. */
    active?: boolean
    /** The volume is a disk of it, and not only below one, or a CD. */
    writes?: boolean
    /** It cannot be started. */
    template?: boolean
}

export interface Users {
    /** Whichever way a VM names the volume: by its path, or by pool and name. */
    ofVolume(volume: Pick<VolumeEntry, 'pool' | 'name' | 'path'>): VolumeUser[]
}

/** Words for a pool's room: ok, low (under 10% free), full (under 2%); away where it is not started; unreadable. */
export function healthOf(pool: PoolEntry): 'ok' | 'low' | 'full' | 'away' | 'unreadable' {
    if (pool.problem) return 'unreadable'
    if (!pool.active) return 'away'
    const free = pool.capacityBytes > 0 ? pool.availableBytes / pool.capacityBytes : 1
    return free < 0.02 ? 'full' : free < 0.1 ? 'low' : 'ok'
}

export function purposeOf(volume: Pick<VolumeEntry, 'name' | 'format'>): 'seed' | 'iso' | 'disk' {
    if (/-seed\.iso$/i.test(volume.name)) return 'seed'
    return volume.format === 'iso' || /\.iso$/i.test(volume.name) ? 'iso' : 'disk'
}

/** Pools whose volumes are files: any format, sparse, and a folder that can be looked into. */
export const isOnFiles = (poolType: string): boolean => ['dir', 'fs', 'netfs', 'gluster', 'vstorage'].includes(poolType)

/** An entry from libvirt's words and what was declared when it was made. */
export function entryOf(
    pool: { name: string; type: string; remote?: Remote },
    xml: VolumeXml,
    declared?: { format: string; backingPath?: string },
): VolumeEntry {
    const { name, path, key, allocationBytes, physicalBytes, modifiedMs, createdMs } = xml
    const seen = isOnFiles(pool.type) ? xml.format : 'raw'
    const same = !declared || plain(declared.format) === plain(seen)
    const backingPath = same ? xml.backingPath : declared.backingPath
    return {
        ...{ pool: pool.name, poolType: pool.type, name, path, key },
        ...(pool.remote ? { remote: pool.remote } : {}),
        ...{ allocationBytes, physicalBytes, modifiedMs, createdMs },
        format: declared?.format ?? seen,
        // With a false header the capacity that libvirt tells is that header's.
        capacityBytes: same ? xml.capacityBytes : physicalBytes,
        ...(backingPath ? { backingPath } : {}),
        // What libvirt does not know (vhdx) it calls raw: that is no lie of the content.
        suspect: !same && plain(seen) !== 'raw',
    }
}

const plain = (format: string) => (format === 'iso' ? 'raw' : format)
