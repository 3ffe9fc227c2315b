// Reads pools and volumes from libvirt into memory: one pool at a time, and whatever one of them does, the others too.
import { asFault, Fault } from '../../base/fault.ts'
import { type Libvirt, type StoragePoolRef, uuidFromBytes, volumeRef } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import type { Declarations } from './declared.ts'
import { entryOf, type PoolEntry, type VolumeEntry } from './entries.ts'
import type { Known } from './known.ts'
import { readPoolXml, readVolumeXml } from './storage-xml.ts'

/** Which of the volumes that are known already are read again: all, none, or those that have grown since. */
export type Depth = 'all' | 'new' | 'changed'

export interface Reading {
    /** undefined when it is not there. */
    volume(pool: { name: string; type: string }, name: string): Promise<VolumeEntry | undefined>
    /** The pool's room and state, with as many volumes as are known. */
    facts(ref: StoragePoolRef): Promise<void>
    /** One read of a pool at a time; who asks while one runs gets the next. */
    pool(ref: StoragePoolRef, depth: Depth): Promise<void>
    /** All pools. One that cannot be read is kept as it was known, with the reason; the others are read. */
    everything(): Promise<void>
}

/** A file system that does not answer makes libvirt wait: for one pool nobody here waits longer than so. */
const POOL_MS = 10_000
const POOLS_AT_ONCE = 4
/** So many volumes of a pool are looked at in one sweep; the next sweep goes on behind them. */
const PART = 500

export function createReading(deps: {
    libvirt: LibvirtLink
    clock: Clock
    log: Log
    declared: Declarations
    known: Known
}): Reading {
    const { libvirt, clock, log, declared, known } = deps
    const reads = new Map<string, Promise<void>>()
    const swept = new Map<string, number>()
    /** Pools of which libvirt has been asked, and has not answered. */
    const hanging = new Set<string>()

    async function readVolume(connection: Libvirt, pool: { name: string; type: string }, name: string) {
        try {
            const vol = volumeRef({ pool: pool.name, name })
            const { xml } = await connection.call('storageVolGetXMLDesc', { vol, flags: 0 })
            const entry = entryOf(pool, readVolumeXml(xml), declared.get(pool.name, name))
            known.put(entry)
            return entry
        } catch (thrown) {
            if (asFault(thrown).code !== 'not-found') throw thrown
            known.drop(pool.name, name)
            return undefined
        }
    }

    async function readFacts(connection: Libvirt, ref: StoragePoolRef, xml: string): Promise<PoolEntry> {
        const options = { deadlineMs: POOL_MS }
        const [{ active }, { autostart }, info] = await Promise.all([
            connection.call('storagePoolIsActive', { pool: ref }, options),
            connection.call('storagePoolGetAutostart', { pool: ref }, options),
            connection.call('storagePoolGetInfo', { pool: ref }, options),
        ])
        const said = readPoolXml(xml)
        const sizes = {
            capacityBytes: Number(info.capacity),
            allocationBytes: Number(info.allocation),
            availableBytes: Number(info.available),
        }
        const volumes = known.volumesOf(said.name).length
        return { ...said, active: active === 1, autostart: autostart === 1, ...sizes, volumes }
    }

    async function readPool(connection: Libvirt, ref: StoragePoolRef, how: { xml: string; depth: Depth }) {
        const pool = await readFacts(connection, ref, how.xml)
        const names = new Set<string>()
        if (pool.active) {
            const listed = { pool: ref, need_results: 1, flags: 0 }
            const { vols } = await connection.call('storagePoolListAllVolumes', listed, { deadlineMs: POOL_MS })
            for (const vol of vols) names.add(vol.name)
        }
        const before = new Set(known.volumesOf(pool.name).map(volume => volume.name))
        // What was declared of it stays: a folder that is not mounted is empty too, and its volumes come back.
        for (const name of before) if (!names.has(name)) known.drop(pool.name, name)
        known.putPool({ ...pool, volumes: names.size })
        const wanted = how.depth === 'all' ? [...names] : [...names].filter(name => !before.has(name))
        // One that cannot be read (a link that leads nowhere) must not hide the others.
        const readable = (name: string, work: Promise<unknown>) =>
            work.catch(thrown => {
                if (connection.ended) throw thrown
                log.debug('a volume could not be read', { pool: pool.name, name, why: asFault(thrown).message })
            })
        await eachOf(wanted, 2, name => readable(name, readVolume(connection, pool, name)))
        if (how.depth === 'changed')
            await eachOf(partOf(pool.name), 2, entry => readable(entry.name, readWhenChanged(connection, pool, entry)))
    }

    function partOf(pool: string): VolumeEntry[] {
        const own = known.volumesOf(pool)
        const from = swept.get(pool) ?? 0
        swept.set(pool, from + PART < own.length ? from + PART : 0)
        return own.slice(from, from + PART)
    }

    /** Guests write, and others resize: libvirt tells nobody. Its sizes are asked for first, which costs little. */
    async function readWhenChanged(connection: Libvirt, pool: PoolEntry, entry: VolumeEntry): Promise<void> {
        const { capacity, allocation } = await connection.call('storageVolGetInfo', { vol: volumeRef(entry) })
        const isSame = Number(allocation) === entry.allocationBytes && Number(capacity) === entry.capacityBytes
        if (!isSame) await readVolume(connection, pool, entry.name)
    }

    const refuseHanging = (name: string): void => {
        if (!hanging.has(name)) return
        throw new Fault('unavailable', {
            summary: 'The storage pool does not answer',
            detail: name,
            fix: 'See that its file system is there: what libvirt has begun there has not ended yet.',
            at: 'pool',
        })
    }

    /**
     * On a connection of its own. A pool that hangs (a file server that is away) holds that one, and one worker of
     * libvirtd: it is not asked again before it has answered.
     */
    async function read(ref: StoragePoolRef, depth: Depth): Promise<void> {
        refuseHanging(ref.name)
        const connection = await libvirt.dedicated()
        const options = { deadlineMs: Number.POSITIVE_INFINITY }
        const described = connection.call('storagePoolGetXMLDesc', { pool: ref, flags: 0 }, options)
        let stopLate = () => {}
        const late = new Promise<void>(resolve => {
            stopLate = clock.after(POOL_MS, () => {
                hanging.add(ref.name)
                resolve()
            })
        })
        const answered = () => {
            stopLate()
            hanging.delete(ref.name)
        }
        const over = described.then(answered, answered)
        try {
            await Promise.race([over, late])
            refuseHanging(ref.name)
            const { xml } = await described
            await readPool(connection, ref, { xml, depth })
        } catch (thrown) {
            const fault = asFault(thrown)
            if (fault.code === 'not-found') return known.dropPool(ref.name)
            if (libvirt.up) keepUnread(ref, fault.message)
            throw thrown
        } finally {
            void over.then(() => connection.close())
        }
    }

    function pool(ref: StoragePoolRef, depth: Depth): Promise<void> {
        const before = reads.get(ref.name) ?? Promise.resolve()
        const mine = before.catch(() => {}).then(() => read(ref, depth))
        reads.set(ref.name, mine)
        const over = () => reads.get(ref.name) === mine && reads.delete(ref.name)
        mine.then(over, over)
        return mine
    }

    /** It is shown, with the reason, and nothing is made in it until it can be read. */
    function keepUnread(ref: StoragePoolRef, problem: string): void {
        const blank = {
            ...{ uuid: uuidFromBytes(ref.uuid), name: ref.name, type: '', path: '', autostart: false, volumes: 0 },
            ...{ capacityBytes: 0, allocationBytes: 0, availableBytes: 0 },
        }
        known.putPool({ ...(known.pools.get(ref.name) ?? blank), active: false, problem })
    }

    return {
        volume: async (pool, name) => {
            refuseHanging(pool.name)
            return readVolume(libvirt.connection(), pool, name)
        },
        facts: async ref => {
            refuseHanging(ref.name)
            const connection = libvirt.connection()
            const { xml } = await connection.call('storagePoolGetXMLDesc', { pool: ref, flags: 0 })
            known.putPool(await readFacts(connection, ref, xml))
        },
        pool,
        async everything() {
            const connection = libvirt.connection()
            const { pools } = await connection.call('connectListAllStoragePools', { need_results: 1, flags: 0 })
            const names = new Set(pools.map(ref => ref.name))
            for (const name of known.pools.keys()) if (!names.has(name)) known.dropPool(name)
            await eachOf(pools, POOLS_AT_ONCE, ref =>
                pool(ref, 'all').catch(thrown => {
                    if (connection.ended) throw thrown
                    log.warn('a storage pool could not be read', { pool: ref.name, why: asFault(thrown).message })
                }),
            )
        },
    }
}

async function eachOf<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<unknown>): Promise<void> {
    let next = 0
    const worker = async () => {
        while (next < items.length) await work(items[next++]!)
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
}
