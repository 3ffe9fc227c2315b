// How volumes come to be: empty, as a copy that libvirt makes, or filled with bytes of ours; each under a durable intent.
import { asFault, Fault } from '../../base/fault.ts'
import { type Piece, poolRef, type StorageVolRef, volumeRef } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Clock } from '../../ports/ports.ts'
import type { Bytes } from './bytes.ts'
import type { Declarations } from './declared.ts'
import { isOnFiles, type VolumeEntry } from './entries.ts'
import { toolFormat } from './formats.ts'
import type { Inventory } from './inventory.ts'
import { patiently } from './patience.ts'
import { type VolumeWish, volumeXml } from './storage-xml.ts'
import { checkActive, taken } from './volume-checks.ts'

export interface MakeTarget {
    pool: string
    name: string
    format: string
    backingPath?: string
    /** Id of the task or upload that makes it. */
    by?: string
}

export interface CopyOptions {
    signal?: AbortSignal
    onProgress?: (fraction: number) => void
}

export interface FillTarget {
    pool: string
    name: string
    /** Bytes that the source gives: the length of the file. */
    sizeBytes: number
    /** Of the disk in it; left out where they are the same. */
    virtualSizeBytes?: number
    format: string
    by?: string
}

export interface Filling {
    /** The content; below `solidBytes` without holes. */
    source(solidBytes: number): AsyncIterable<Piece>
    signal?: AbortSignal
    onProgress?: (doneBytes: number) => void
}

export interface Making {
    isMaking(key: string): boolean
    empty(target: MakeTarget, wish: VolumeWish): Promise<VolumeEntry>
    /** A full copy. libvirt cannot be told to stop one: what was cancelled is removed when it is through. */
    copy(target: MakeTarget & { capacityBytes: number }, source: VolumeEntry, how: CopyOptions): Promise<VolumeEntry>
    fill(target: FillTarget, from: Filling): Promise<VolumeEntry>
    grow(volume: { pool: string; name: string }, capacityBytes: number): Promise<void>
    remove(volume: { pool: string; name: string }): Promise<void>
}

const POLL_MS = 250
const DELETE_MS = 600_000

export const volOf = (v: { pool: string; name: string }): StorageVolRef => volumeRef({ pool: v.pool, name: v.name })

export function createMaking(deps: {
    libvirt: LibvirtLink
    inventory: Inventory
    declared: Declarations
    bytes: Bytes
    clock: Clock
}): Making {
    const { libvirt, inventory, declared, bytes, clock } = deps
    /** Names that are being made: the second of two at once hears so before anything is touched. */
    const names = new Set<string>()
    const keyOf = (v: { pool: string; name: string }) => `${v.pool}/${v.name}`
    /** Where nobody can say, it may be there. */
    const isThere = (v: { pool: string; name: string }) => inventory.lookAgain(v.pool, v.name).catch(() => true)

    /** Makes it by `work` under a durable intent; what fails leaves nothing but what was there before. */
    async function made(volume: MakeTarget, work: () => Promise<unknown>): Promise<VolumeEntry> {
        const key = keyOf(volume)
        if (names.has(key)) throw taken(volume.pool, volume.name)
        names.add(key)
        try {
            const before = declared.get(volume.pool, volume.name)
            // A record of one that somebody else removed meanwhile is of no use; of one that is there, it is kept.
            if (before && (await inventory.lookAgain(volume.pool, volume.name))) throw taken(volume.pool, volume.name)
            const { pool, name, format, backingPath } = volume
            await declared.intend({ pool, name, format, by: volume.by ?? '', ...(backingPath ? { backingPath } : {}) })
            try {
                await work()
            } catch (thrown) {
                const isLeft = asFault(thrown).code !== 'exists' && (await isThere(volume))
                if (!isLeft && before) await declared.intend(before)
                else if (!isLeft) await declared.forget(pool, name)
                throw thrown
            }
            await declared.made(volume.pool, volume.name)
            const entry = await inventory.refreshVolume(volume.pool, volume.name)
            if (entry) return entry
            throw new Fault('unknown', {
                summary: 'The volume was made, and is gone again',
                detail: key,
                fix: 'See who removed it.',
            })
        } finally {
            names.delete(key)
        }
    }

    const createXml = (pool: string, wish: VolumeWish) =>
        patiently(clock, () => {
            const ref = poolRef(inventory.pool(pool))
            return libvirt.connection().call('storageVolCreateXML', { pool: ref, xml: volumeXml(wish), flags: 0 })
        })

    async function copy(
        target: MakeTarget & { capacityBytes: number },
        source: VolumeEntry,
        how: CopyOptions,
    ): Promise<VolumeEntry> {
        const { name, capacityBytes, format } = target
        const pool = inventory.pool(target.pool)
        // libvirt would copy it as what it takes it for: bytes are copied as bytes. Of RBD it makes linked clones only.
        if (source.suspect || [pool.type, source.poolType].includes('rbd')) {
            const copied = await copyBytes(target, source, how)
            if (capacityBytes <= source.capacityBytes) return copied
            await grow(target, capacityBytes)
            return (await inventory.refreshVolume(pool.name, name)) ?? copied
        }
        const xml = volumeXml({ name, capacityBytes, ...(isOnFiles(pool.type) ? { format: toolFormat(format) } : {}) })
        const args = { pool: poolRef(pool), xml, clonevol: volOf(source), flags: 0 }
        const options = { deadlineMs: Number.POSITIVE_INFINITY }
        return made(target, async () => {
            const stop = followCopy(target, source, how.onProgress)
            try {
                await patiently(clock, () => libvirt.connection().callAlone('storageVolCreateXMLFrom', args, options))
            } finally {
                stop()
            }
            // The copy is as large as its source, whatever was asked for.
            if (capacityBytes > source.capacityBytes) await grow(target, capacityBytes)
            if (!how.signal?.aborted) return
            await removeNow(target)
            throw new Fault('cancelled', { summary: 'The copy was cancelled', detail: keyOf(target) })
        })
    }

    const grow = (volume: { pool: string; name: string }, capacityBytes: number): Promise<void> =>
        patiently(clock, () =>
            libvirt
                .connection()
                .call('storageVolResize', { vol: volOf(volume), capacity: BigInt(capacityBytes), flags: 0 }),
        )

    function copyBytes(target: MakeTarget, source: VolumeEntry, how: CopyOptions): Promise<VolumeEntry> {
        if (target.format !== source.format) {
            throw new Fault('precondition', {
                summary: 'The volume is only copied as it is, and what is wanted is another format',
                detail: `${source.pool}/${source.name} is ${source.format}, wanted is ${target.format}`,
                fix: `Convert it first: debvisor image convert ${source.pool}/${source.name} ${target.pool}/NAME --format ${toolFormat(target.format)}`,
                at: 'format',
            })
        }
        const onProgress = (doneBytes: number) => how.onProgress?.(doneBytes / source.capacityBytes)
        const filling = {
            source: () => bytes.downloadSparse(source, how.signal),
            signal: how.signal,
            onProgress,
        }
        const { pool, name, format, by } = target
        return fill({ pool, name, format, by, sizeBytes: source.capacityBytes }, filling)
    }

    /** libvirt says nothing of its copying: what the target takes so far is looked at. */
    function followCopy(
        target: { pool: string; name: string },
        source: VolumeEntry,
        tell?: (fraction: number) => void,
    ): () => void {
        if (!tell) return () => {}
        let asking = false
        return clock.every(POLL_MS, () => {
            if (asking || !libvirt.up) return
            asking = true
            libvirt
                .connection()
                .call('storageVolGetInfo', { vol: volOf(target) })
                .then(info => tell(Math.min(0.99, Number(info.allocation) / Math.max(1, source.allocationBytes))))
                .catch(() => {})
                .finally(() => {
                    asking = false
                })
        })
    }

    async function fill(target: FillTarget, from: Filling): Promise<VolumeEntry> {
        await inventory.ready()
        const pool = checkActive(inventory.pool(target.pool))
        const { name, sizeBytes, virtualSizeBytes = sizeBytes } = target
        // libvirt makes an empty one of the same format, so that it knows the format without looking into strangers' bytes.
        const known =
            target.format === 'qcow2'
                ? { format: 'qcow2', capacityBytes: virtualSizeBytes }
                : { format: 'raw', capacityBytes: sizeBytes }
        const wish = {
            name,
            capacityBytes: known.capacityBytes,
            ...(isOnFiles(pool.type) ? { format: known.format } : {}),
        }
        return made({ ...target, pool: pool.name }, async () => {
            await createXml(pool.name, wish)
            try {
                const sparse = bytes.isSparse(pool)
                const { signal, onProgress } = from
                // Where the empty one has bytes of its own, zeros are written and not skipped.
                const solidBytes = !sparse
                    ? Number.POSITIVE_INFINITY
                    : known.format === 'raw'
                      ? 0
                      : ((await inventory.lookAgain(pool.name, name))?.physicalBytes ?? 0)
                const how = { lengthBytes: sizeBytes, sparse, signal, onProgress }
                await bytes.upload({ pool: pool.name, name }, from.source(solidBytes), how)
                // Formats that libvirt cannot make empty it learns by looking.
                if (!['raw', 'iso', 'qcow2'].includes(target.format)) await inventory.refreshPool(pool.name, true)
            } catch (thrown) {
                await removeNow({ pool: pool.name, name }).catch(() => {})
                throw thrown
            }
        })
    }

    async function removeNow(volume: { pool: string; name: string }): Promise<void> {
        try {
            await patiently(clock, () =>
                libvirt
                    .connection()
                    .call('storageVolDelete', { vol: volOf(volume), flags: 0 }, { deadlineMs: DELETE_MS }),
            )
        } catch (thrown) {
            if (asFault(thrown).code !== 'not-found') throw thrown
        }
        await declared.forget(volume.pool, volume.name)
        await inventory.refreshVolume(volume.pool, volume.name)
    }

    return {
        isMaking: key => names.has(key),
        empty: (target, wish) => made(target, () => createXml(target.pool, wish)),
        copy,
        fill,
        grow,
        remove: removeNow,
    }
}
