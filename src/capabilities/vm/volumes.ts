// What the vm capability wants of whoever keeps volumes: the small interface that the daemon hands over.
import type { RunningTask, UndoStep } from '../../engine/task.ts'

/** Where a network pool is, and as whom: libvirt keeps the key itself, by the secret's id. */
export interface Remote {
    hosts: readonly { name: string; port?: string }[]
    auth?: { username: string; secretUuid: string }
}

export interface VolumeFacts {
    pool: string
    name: string
    /** Path or network source, as libvirt says it. */
    path: string
    /** libvirt's type of the pool: dir, logical, rbd, zfs, … */
    poolType: string
    /** How a pool that is in the network is reached. */
    remote?: Remote
    format: string
    capacityBytes: number
    allocationBytes: number
    /** Path of the backing volume, for a linked clone. */
    backingPath?: string
}

export interface NewVolume {
    pool: string
    name: string
    /** Ignored when smaller than the source with `from`. */
    capacityBytes: number
    /** qcow2 or raw; absent: what the pool is best at. */
    format?: string
    /** `pool/volume` whose content it gets. */
    from?: string
    /** With `from`: stands on it instead of copying it (qcow2 only). */
    linked?: boolean
    /** Id of the task that makes it: the undo step `volume.remove` names it, and takes back nothing that others made. */
    by?: string
    signal?: AbortSignal
    onProgress?: (fraction: number) => void
}

export interface Volumes {
    /** By `pool/volume`. @throws Fault `not-found` */
    find(ref: string): Promise<VolumeFacts>
    /**
     * Refuses a volume whose header, which a guest may have written, leads out of its pools or to files of its own
     * choosing. @throws Fault `denied`, `conflict`, `not-found`
     */
    checkExisting(ref: string): Promise<void>
    /** The volume at a source as definitions have it, a path or `pool/volume`, when it is in a pool. From memory: cheap. */
    at(source: string): VolumeFacts | undefined
    /** Volumes whose backing is that path. From memory: cheap. */
    standingOn(path: string): VolumeFacts[]
    /** Name of the pool that is taken when none is named. @throws Fault `precondition` when there is none. */
    defaultPool(): string
    /** Refuses what does not fit (`exhausted`), exists (`exists`), or has a bad name (`invalid`), before touching. */
    check(volume: NewVolume): Promise<void>
    create(volume: NewVolume): Promise<VolumeFacts>
    /** A part of the content, or all of it, as it lies in the pool. */
    read(
        volume: { pool: string; name: string },
        part?: { offsetBytes?: number; lengthBytes?: number },
    ): AsyncIterable<Uint8Array>
    /** Writes the whole content, from byte 0. */
    write(ref: string, data: Uint8Array): Promise<void>
    resize(ref: string, capacityBytes: number): Promise<void>
    /** Gone already is fine. */
    remove(ref: string): Promise<void>
    /** Removes what the task `by` has made, or begun to, and nothing that others made. @throws Fault `conflict` in use */
    takeBack(volume: { pool: string; name: string; by: string }): Promise<void>
    /**
     * Lets a pool be looked through for what came behind libvirt's back, such as an overlay that stands on one of its
     * volumes. While the pool is busy, what is known of it has to do.
     */
    lookThrough(pool: string): Promise<void>
}

/** `pool/volume` */
export const refOf = (volume: { pool: string; name: string }): string => `${volume.pool}/${volume.name}`

/** Before something is destroyed: what stands on it may have come behind libvirt's back. */
export async function lookThrough(
    deps: { volumes: Pick<Volumes, 'lookThrough'> },
    volumes: readonly Pick<VolumeFacts, 'pool'>[],
): Promise<void> {
    for (const pool of new Set(volumes.map(volume => volume.pool))) await deps.volumes.lookThrough(pool)
}

/**
 * How a volume is taken back that a task makes with `by: task.id`. Whoever keeps the volumes undoes it, and only what
 * that task has made: a volume that was there before is left alone.
 */
export const undoOf = (task: Pick<RunningTask, 'id'>, volume: Pick<NewVolume, 'pool' | 'name'>): UndoStep => ({
    kind: 'volume.remove',
    pool: volume.pool,
    name: volume.name,
    by: task.id,
})
