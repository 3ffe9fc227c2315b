// Pools and volumes in memory: a full read when libvirt is up, then its events, our own changes, and a slow sweep.
import { asFault, Fault } from '../../base/fault.ts'
import { type Libvirt, poolRef, type StoragePoolRef } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import type { Declarations } from './declared.ts'
import { isOnFiles, type PoolEntry, type VolumeEntry } from './entries.ts'
import { type Change, createKnown } from './known.ts'
import { patiently } from './patience.ts'
import { createReading, type Depth } from './reading.ts'

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
const AGAIN_MS = 5_000
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
    const known = createKnown()
    const reading = createReading({ libvirt, clock, log, declared, known })
    const soon = new Map<string, () => void>()
    const wholeMs = new Map<string, number>()
    const lookedMs = new Map<string, number>()
    let stopAgain = () => {}
    let isReady = false
    let setReady = () => {}
    const readied = new Promise<void>(resolve => {
        setReady = resolve
    })

    /** Events come in bursts: the pool is read once they rest. */
    function refreshSoon(ref: StoragePoolRef): void {
        if (soon.has(ref.name)) return
        soon.set(
            ref.name,
            clock.after(SETTLE_MS, () => {
                soon.delete(ref.name)
                reading.pool(ref, depthFor(ref.name)).catch(quiet)
            }),
        )
    }
    function depthFor(name: string): Depth {
        const sinceMs = clock.ticks() - (wholeMs.get(name) ?? Number.NEGATIVE_INFINITY)
        if (known.volumesOf(name).length > LARGE_POOL && sinceMs < LARGE_REST_MS) return 'new'
        wholeMs.set(name, clock.ticks())
        return 'all'
    }
    const quiet = (thrown: unknown) => {
        if (libvirt.up) log.warn('a storage pool could not be read', { why: asFault(thrown).message })
    }

    function poolNamed(name: string): PoolEntry {
        const found = known.pools.get(name)
        if (found) return found
        throw new Fault('not-found', {
            summary: 'There is no such storage pool',
            detail: JSON.stringify(name.slice(0, 80)),
            fix: 'List them: debvisor pool list',
            at: 'pool',
        })
    }

    /** Until it is through, or the connection ends: then the next one begins anew. */
    async function readAll(connection: Libvirt): Promise<void> {
        try {
            await reading.everything()
            isReady = true
            setReady()
            known.tellSynced()
        } catch (thrown) {
            if (connection.ended) return
            log.error('the storage pools could not be read', { err: thrown })
            stopAgain = clock.after(AGAIN_MS, () => void readAll(connection))
        }
    }
    const unUp = libvirt.onUp(connection => {
        const begin = async () => {
            await declared.ready()
            await connection.watch('storagePool', 'lifecycle', event => {
                refreshSoon(event.pool)
            })
            await connection.watch('storagePool', 'refresh', event => refreshSoon(event.pool))
            await readAll(connection)
        }
        begin().catch(thrown => {
            if (!connection.ended) log.error('the storage pools are not followed', { err: thrown })
        })
    })
    const unSweep = clock.every(SWEEP_MS, () => {
        if (!libvirt.up) return
        for (const pool of known.pools.values()) reading.pool(poolRef(pool), 'changed').catch(quiet)
    })

    /** A file that came into a pool's folder behind libvirt's back, such as a snapshot's overlay. */
    function lookFor(path: string): void {
        const pool = [...known.pools.values()].find(
            p => p.active && isOnFiles(p.type) && p.path && path.startsWith(`${p.path}/`),
        )
        if (!pool || clock.ticks() - (lookedMs.get(pool.name) ?? -LOOK_AGAIN_MS) < LOOK_AGAIN_MS) return
        lookedMs.set(pool.name, clock.ticks())
        self.refreshPool(pool.name, true).catch(quiet)
    }

    const self: Inventory = {
        pools: () => [...known.pools.values()].sort((a, b) => a.name.localeCompare(b.name)),
        volumes: pool =>
            (pool ? known.volumesOf(pool) : known.volumes()).sort(
                (a, b) => a.pool.localeCompare(b.pool) || a.name.localeCompare(b.name),
            ),
        pool: poolNamed,
        volume: known.volume,
        byPath: path => {
            const found = known.byPath(path)
            if (!found) lookFor(path)
            return found
        },
        standingOn: known.standingOn,
        lookAgain: async (pool, name) => reading.volume(poolNamed(pool), name),
        refreshVolume: async (pool, name) => {
            const entry = await reading.volume(poolNamed(pool), name)
            await reading.facts(poolRef(poolNamed(pool)))
            return entry
        },
        refreshPool: async (name, deep = false) => {
            const found = known.pools.get(name)
            const ref = found
                ? poolRef(found)
                : (await libvirt.connection().call('storagePoolLookupByName', { name })).pool
            if (deep)
                await patiently(clock, () =>
                    libvirt.connection().callAlone('storagePoolRefresh', { pool: ref, flags: 0 }),
                )
            await reading.pool(ref, 'all')
        },
        ready: async () => {
            // While libvirt has never answered, the reason is said, instead of waiting for it.
            if (!isReady && !libvirt.up) libvirt.connection()
            await readied
        },
        watch: known.watch,
        close: () => {
            unUp()
            unSweep()
            stopAgain()
            for (const stop of soon.values()) stop()
            known.close()
        },
    }
    return self
}
