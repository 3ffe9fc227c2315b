// The last step of an image: from the staging folder into its pool, beside or in place of the volume that is there.
import { Fault } from '../../base/fault.ts'
import type { Piece } from '../../drivers/libvirt/libvirt.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { ReadableFile } from '../../ports/ports.ts'
import { isOnFiles, type VolumeEntry } from './entries.ts'
import type { Format } from './formats.ts'
import type { Inventory } from './inventory.ts'
import { noRoom, taken } from './volume-checks.ts'
import type { Volumes } from './volumes.ts'

export interface Target {
    pool: string
    name: string
    keepAs: Format
    overwrite: boolean
}

export interface Load extends Target {
    virtualSizeBytes: number
    /** Id of the task or upload that brings it. */
    by: string
}

interface How {
    task: RunningTask
    tell: (fraction: number) => void
}

export interface Carrying {
    /** The volume that is there. @throws Fault `exists` unless it is to be overwritten, `conflict` when it is in use */
    existing(target: Target): Promise<VolumeEntry | undefined>
    /**
     * Into the pool. Where one is overwritten there is room for the new one before the old one is touched: it is made
     * beside it and takes its place in one moment. Where that cannot be the old one goes first, and from then on
     * nobody can cancel.
     */
    carry(load: Load, source: ReadableFile, how: How): Promise<VolumeEntry>
}

export const PIECE_BYTES = 1024 * 1024

export function createCarrying(deps: { inventory: Inventory; volumes: Volumes }): Carrying {
    const { inventory, volumes } = deps

    async function existing(target: Target): Promise<VolumeEntry | undefined> {
        const entry = await inventory.lookAgain(target.pool, target.name)
        if (!entry) return undefined
        if (!target.overwrite) throw taken(target.pool, target.name)
        volumes.checkUnused(entry)
        return entry
    }

    async function put(load: Load, source: ReadableFile, how: How & { signal?: AbortSignal }): Promise<VolumeEntry> {
        const { pool, name, virtualSizeBytes, by } = load
        const { sizeBytes } = source
        await how.task.undo({ kind: 'volume.remove', pool, name, by })
        const entry = await volumes.fill(
            { pool, name, sizeBytes, virtualSizeBytes, format: load.keepAs, by },
            {
                source: solidBytes => pieces(source.read(), solidBytes),
                signal: how.signal,
                onProgress: done => how.tell(done / sizeBytes),
            },
        )
        const isWhole = load.keepAs === 'qcow2' ? entry.physicalBytes >= sizeBytes : entry.physicalBytes === sizeBytes
        if (isWhole || !isOnFiles(entry.poolType)) return entry
        throw new Fault('unavailable', {
            summary: 'The volume does not have the size of the image',
            detail: `${entry.physicalBytes} instead of ${sizeBytes} bytes`,
            fix: 'Look at the log of libvirtd and the room in the pool, then try again.',
        })
    }

    /** The new one is whole in the pool before the old one goes. Undefined where that cannot be. */
    async function putBeside(load: Load, source: ReadableFile, how: How): Promise<VolumeEntry | undefined> {
        const { signal } = how.task
        // Its own ending stays at the end: by that seeds and ISO files are known.
        const name = `new-${load.by.slice(0, 8)}-${load.name}`
        // What an earlier life of the daemon had begun.
        if (volumes.madeBy(load.pool, name) === load.by) await volumes.remove(`${load.pool}/${name}`)
        const made = await put({ ...load, name }, source, { ...how, signal })
        signal.throwIfAborted()
        const before = await existing(load)
        if (before && (await volumes.replace(made, before))) return volumes.find(`${load.pool}/${load.name}`)
        await volumes.remove(`${load.pool}/${name}`)
        return undefined
    }

    return {
        existing,
        async carry(load, source, how) {
            const before = await existing(load)
            if (!before) return put(load, source, { ...how, signal: how.task.signal })
            const needBytes = await solidBytesOf(source)
            await inventory.refreshVolume(load.pool, load.name)
            const pool = inventory.pool(load.pool)
            if (needBytes <= pool.availableBytes && (await volumes.mayReplace(pool))) {
                const made = await putBeside(load, source, how)
                if (made) return made
            }
            if (needBytes > pool.availableBytes + before.allocationBytes) throw noRoom(pool, needBytes)
            how.task.signal.throwIfAborted()
            await existing(load)
            await volumes.remove(`${load.pool}/${load.name}`)
            return put(load, source, how)
        },
    }
}

/** How much room the content takes: zeros are holes. */
async function solidBytesOf(source: ReadableFile): Promise<number> {
    let solidBytes = 0
    for await (const chunk of source.read()) if (!isZero(chunk)) solidBytes += chunk.length
    return solidBytes
}

/** The bytes, runs of zeros as holes; below `solidBytes` zeros are given as they are. */
async function* pieces(chunks: AsyncIterable<Uint8Array>, solidBytes: number): AsyncGenerator<Piece> {
    let atBytes = 0
    let holeBytes = 0
    for await (const chunk of chunks) {
        atBytes += chunk.length
        if (atBytes - chunk.length >= solidBytes && isZero(chunk)) {
            holeBytes += chunk.length
            continue
        }
        if (holeBytes > 0) yield { holeBytes }
        holeBytes = 0
        yield chunk
    }
    if (holeBytes > 0) yield { holeBytes }
}

const ZEROS = Buffer.alloc(PIECE_BYTES)
const isZero = (chunk: Uint8Array) =>
    chunk.length <= ZEROS.length && Buffer.compare(chunk, ZEROS.subarray(0, chunk.length)) === 0
