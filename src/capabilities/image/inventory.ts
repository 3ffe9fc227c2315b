// Pools and volumes in memory: a full read when libvirt is up, then its events, our own changes, and a slow sweep.
import { asFault, Fault } from '../../base/fault.ts'
import { type Libvirt, poolRef, type StoragePoolRef, volumeRef } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import { createFeed } from '../../engine/feed.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import type { Declarations } from './declared.ts'
import { entryOf, isOnFiles, type PoolEntry, type VolumeEntry } from './entries.ts'
import { readPoolXml, readVolumeXml } from './storage-xml.ts'

export type Change =
    | { pool: PoolEntry; existing: boolean }
    | { volume: VolumeEntry; existing: boolean }
    | { removedPool: string }
    | { removedVolume: string }
    | { synced: true }

export interface Inventory {
    pools(): PoolEntry[]
    volumes(pool?: string): VolumeEntry[]
    /** @throws Fault `not-found` */
    pool(name: string): PoolEntry
    volume(pool: string, name: string): VolumeEntry | undefined
    /** From memory. A path that nobody knows makes its pool be looked through once more, in the background. */
    byPath(path: string): VolumeEntry | undefined
    standingOn(path: string): VolumeEntry[]
    /** Reads one volume now, and nothing of its pool; undefined when it is not there. */
    lookAgain(pool: string, name: string): Promise<VolumeEntry | undefined>
    /** Reads one volume again, and its pool's room; undefined when it is gone. */
    refreshVolume(pool: string, name: string): Promise<VolumeEntry | undefined>
    /** Reads a pool and what is in it again; with `deep` libvirt looks through its folder first. */
    refreshPool(name: string, deep?: boolean): Promise<void>
    /** Resolves when the first full read is through. */
    ready(): Promise<void>
    watch(signal: AbortSignal): AsyncGenerator<Change>
    close(): void
}

const SWEEP_MS = 60_000
const SETTLE_MS = 50
const LOOK_AGAIN_MS = 5_000
/** libvirt looks through the whole pool after every upload, and tells so: large pools are not read whole each time. */
const LARGE_POOL = 200
const LARGE_REST_MS = 30_000

export interface InventoryDeps {
    libvirt: LibvirtLink
    clock: Clock
    log: Log
    declared: Declarations
}

/** Begins at once, and heals after each reconnect. */
export function createInventory(deps: InventoryDeps): Inventory {
    const { libvirt, clock, log, declared } = deps
    const pools = new Map<string, PoolEntry>()
    const volumes = new Map<string, Map<string, VolumeEntry>>()
    const byPath = new Map<string, VolumeEntry>()
    const children = new Map<string, Set<VolumeEntry>>()
    const feed = createFeed<Change>()
    const reads = new Map<string, Promise<void>>()
    const soon = new Map<string, () => void>()
    const wholeMs = new Map<string, number>()
    const lookedMs = new Map<string, number>()
    let isReady = false
    let setReady = () => {}
    const readied = new Promise<void>(resolve => {
        setReady = resolve
    })

    function put(entry: VolumeEntry): void {
        const own = volumes.get(entry.pool) ?? new Map<string, VolumeEntry>()
        volumes.set(entry.pool, own)
        const before = own.get(entry.name)
        if (before && JSON.stringify(before) === JSON.stringify(entry)) return
        if (before) unlink(before)
        own.set(entry.name, entry)
        byPath.set(entry.path, entry)
        if (entry.backingPath) {
            const set = children.get(entry.backingPath) ?? new Set()
            children.set(entry.backingPath, set.add(entry))
        }
        feed.publish(`volume ${entry.pool}/${entry.name}`, { volume: entry, existing: false })
    }
    function unlink(entry: VolumeEntry): void {
        if (byPath.get(entry.path) === entry) byPath.delete(entry.path)
        const set = entry.backingPath ? children.get(entry.backingPath) : undefined
        set?.delete(entry)
        if (set?.size === 0) children.delete(entry.backingPath!)
    }
    function drop(pool: string, name: string): void {
        const entry = volumes.get(pool)?.get(name)
        if (!entry) return
        unlink(entry)
        volumes.get(pool)!.delete(name)
        feed.publish(`volume ${pool}/${name}`, { removedVolume: `${pool}/${name}` })
    }
    function dropPool(name: string): void {
        for (const volume of volumes.get(name)?.keys() ?? []) drop(name, volume)
        volumes.delete(name)
        if (pools.delete(name)) feed.publish(`pool ${name}`, { removedPool: name })
    }
    function putPool(entry: PoolEntry): void {
        if (JSON.stringify(pools.get(entry.name)) === JSON.stringify(entry)) return
        pools.set(entry.name, entry)
        feed.publish(`pool ${entry.name}`, { pool: entry, existing: false })
    }

    async function readVolume(connection: Libvirt, pool: { name: string; type: string }, name: string) {
        try {
            const vol = volumeRef({ pool: pool.name, name })
            const { xml } = await connection.call('storageVolGetXMLDesc', { vol, flags: 0 })
            const entry = entryOf(pool, readVolumeXml(xml), declared.get(pool.name, name))
            put(entry)
            return entry
        } catch (thrown) {
            if (asFault(thrown).code !== 'not-found') throw thrown
            drop(pool.name, name)
            return undefined
        }
    }
    async function readPoolFacts(connection: Libvirt, ref: StoragePoolRef): Promise<PoolEntry> {
        const [{ xml }, { active }, { autostart }, info] = await Promise.all([
            connection.call('storagePoolGetXMLDesc', { pool: ref, flags: 0 }),
            connection.call('storagePoolIsActive', { pool: ref }),
            connection.call('storagePoolGetAutostart', { pool: ref }),
            connection.call('storagePoolGetInfo', { pool: ref }),
        ])
        const { uuid, name, type, path } = readPoolXml(xml)
        const sizes = {
            capacityBytes: Number(info.capacity),
            allocationBytes: Number(info.allocation),
            availableBytes: Number(info.available),
        }
        return {
            uuid,
            name,
            type,
            path,
            active: active === 1,
            autostart: autostart === 1,
            ...sizes,
            volumes: volumes.get(name)?.size ?? 0,
        }
    }
    /** The pool with its volumes; `all` reads each again, else only those that are new. */
    async function readPool(connection: Libvirt, ref: StoragePoolRef, all: boolean): Promise<void> {
        let pool: PoolEntry
        try {
            pool = await readPoolFacts(connection, ref)
        } catch (thrown) {
            if (asFault(thrown).code !== 'not-found') throw thrown
            return dropPool(ref.name)
        }
        const names = new Set<string>()
        if (pool.active) {
            const { vols } = await connection.call('storagePoolListAllVolumes', {
                pool: ref,
                need_results: 1,
                flags: 0,
            })
            for (const vol of vols) names.add(vol.name)
        }
        for (const name of [...(volumes.get(pool.name)?.keys() ?? [])]) {
            // What was declared of it stays: a folder that is not mounted is empty too, and its volumes come back.
            if (!names.has(name)) drop(pool.name, name)
        }
        putPool({ ...pool, volumes: names.size })
        const wanted = all ? [...names] : [...names].filter(name => !volumes.get(pool.name)?.has(name))
        // One that cannot be read (a link that leads nowhere) must not hide the others.
        await eachOf(wanted, 2, name =>
            readVolume(connection, pool, name).catch(thrown => {
                if (connection.ended) throw thrown
                log.debug('a volume could not be read', { pool: pool.name, name, why: asFault(thrown).message })
            }),
        )
    }
    async function readAll(connection: Libvirt): Promise<void> {
        const { pools: refs } = await connection.call('connectListAllStoragePools', { need_results: 1, flags: 0 })
        const names = new Set(refs.map(ref => ref.name))
        for (const name of [...pools.keys()]) if (!names.has(name)) dropPool(name)
        for (const ref of refs) await readPool(connection, ref, true)
    }

    /** One read of a pool at a time; who asks while one runs gets the next. */
    function refresh(ref: StoragePoolRef, all = true): Promise<void> {
        const before = reads.get(ref.name) ?? Promise.resolve()
        const mine = before.catch(() => {}).then(() => readPool(libvirt.connection(), ref, all))
        reads.set(ref.name, mine)
        const over = () => reads.get(ref.name) === mine && reads.delete(ref.name)
        mine.then(over, over)
        return mine
    }
    /** Events come in bursts: the pool is read once they rest. */
    function refreshSoon(ref: StoragePoolRef): void {
        if (soon.has(ref.name)) return
        soon.set(
            ref.name,
            clock.after(SETTLE_MS, () => {
                soon.delete(ref.name)
                refresh(ref, wantsAll(ref.name)).catch(quiet)
            }),
        )
    }
    function wantsAll(name: string): boolean {
        const sinceMs = clock.ticks() - (wholeMs.get(name) ?? Number.NEGATIVE_INFINITY)
        if ((volumes.get(name)?.size ?? 0) > LARGE_POOL && sinceMs < LARGE_REST_MS) return false
        wholeMs.set(name, clock.ticks())
        return true
    }
    const quiet = (thrown: unknown) => {
        if (libvirt.up) log.warn('a storage pool could not be read', { why: asFault(thrown).message })
    }

    const refOf = (name: string): StoragePoolRef => poolRef(poolNamed(name))
    function poolNamed(name: string): PoolEntry {
        const found = pools.get(name)
        if (found) return found
        throw new Fault('not-found', {
            summary: 'There is no such storage pool',
            detail: JSON.stringify(name.slice(0, 80)),
            fix: 'List them: debvisor pool list',
            at: 'pool',
        })
    }

    const unUp = libvirt.onUp(connection => {
        const begin = async () => {
            await declared.ready()
            await connection.watch('storagePool', 'lifecycle', event => {
                refreshSoon(event.pool)
            })
            await connection.watch('storagePool', 'refresh', event => refreshSoon(event.pool))
            await readAll(connection)
            isReady = true
            setReady()
            feed.publish('synced', { synced: true })
        }
        begin().catch(thrown => {
            if (!connection.ended) log.error('the storage pools could not be read', { err: thrown })
        })
    })
    const unSweep = clock.every(SWEEP_MS, () => {
        if (!libvirt.up) return
        for (const pool of pools.values()) refresh(poolRef(pool), false).catch(quiet)
    })

    /** A file that came into a pool's folder behind libvirt's back, such as a snapshot's overlay. */
    function lookFor(path: string): void {
        const pool = [...pools.values()].find(
            p => p.active && isOnFiles(p.type) && p.path && path.startsWith(`${p.path}/`),
        )
        if (!pool || clock.ticks() - (lookedMs.get(pool.name) ?? -LOOK_AGAIN_MS) < LOOK_AGAIN_MS) return
        lookedMs.set(pool.name, clock.ticks())
        self.refreshPool(pool.name, true).catch(quiet)
    }

    const self: Inventory = {
        pools: () => [...pools.values()].sort((a, b) => a.name.localeCompare(b.name)),
        volumes: pool =>
            [...volumes.values()]
                .flatMap(own => [...own.values()])
                .filter(v => !pool || v.pool === pool)
                .sort((a, b) => a.pool.localeCompare(b.pool) || a.name.localeCompare(b.name)),
        pool: poolNamed,
        volume: (pool, name) => volumes.get(pool)?.get(name),
        byPath: path => {
            const found = byPath.get(path)
            if (!found) lookFor(path)
            return found
        },
        standingOn: path => [...(children.get(path) ?? [])],
        lookAgain: (pool, name) => readVolume(libvirt.connection(), poolNamed(pool), name),
        refreshVolume: async (pool, name) => {
            const entry = await readVolume(libvirt.connection(), poolNamed(pool), name)
            const facts = await readPoolFacts(libvirt.connection(), refOf(pool))
            putPool({ ...facts, volumes: volumes.get(pool)?.size ?? 0 })
            return entry
        },
        refreshPool: async (name, deep = false) => {
            const known = pools.get(name)
            const ref = known
                ? poolRef(known)
                : (await libvirt.connection().call('storagePoolLookupByName', { name })).pool
            if (deep)
                await patiently(clock, () =>
                    libvirt.connection().callAlone('storagePoolRefresh', { pool: ref, flags: 0 }),
                )
            await refresh(ref)
        },
        ready: async () => {
            // While libvirt has never answered, the reason is said, instead of waiting for it.
            if (!isReady && !libvirt.up) libvirt.connection()
            await readied
        },
        watch: signal =>
            feed.watch(signal, function* () {
                for (const pool of pools.values()) yield { pool, existing: true }
                for (const own of volumes.values()) for (const volume of own.values()) yield { volume, existing: true }
                yield { synced: true }
            }),
        close: () => {
            unUp()
            unSweep()
            for (const stop of soon.values()) stop()
            feed.close()
        },
    }
    return self
}

async function eachOf<T>(items: T[], atOnce: number, work: (item: T) => Promise<unknown>): Promise<void> {
    let next = 0
    const worker = async () => {
        while (next < items.length) await work(items[next++]!)
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
}

const JOBS = /asynchronous jobs? running|still being allocated|in use/i

/**
 * Runs a call on a pool again while libvirt says that the pool is busy: after every upload it looks through the pool
 * on its own, and refuses everything meanwhile (storage_driver.c: virStorageVolPoolRefreshThread).
 */
export async function patiently<T>(clock: Clock, work: () => Promise<T>, patienceMs = 15_000): Promise<T> {
    const endMs = clock.ticks() + patienceMs
    for (;;) {
        try {
            return await work()
        } catch (thrown) {
            const fault = asFault(thrown)
            if (!JOBS.test(`${fault.detail} ${(fault.cause as Error)?.message ?? ''}`) || clock.ticks() > endMs)
                throw thrown
            await new Promise<void>(resolve => void clock.after(50, resolve))
        }
    }
}
