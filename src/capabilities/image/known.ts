// Pools and volumes in memory, found by name, by path and by what stands on them; every change is told.
import { createFeed } from '../../engine/feed.ts'
import type { PoolEntry, VolumeEntry } from './entries.ts'

export type Change =
    | { pool: PoolEntry; existing: boolean }
    | { volume: VolumeEntry; existing: boolean }
    | { removedPool: string }
    | { removedVolume: string }
    | { synced: true }

export interface Known {
    /** By name; not to be written to. */
    pools: ReadonlyMap<string, PoolEntry>
    volume(pool: string, name: string): VolumeEntry | undefined
    /** Of one pool, in no order. */
    volumesOf(pool: string): VolumeEntry[]
    /** Of all pools, in no order. */
    volumes(): VolumeEntry[]
    byPath(path: string): VolumeEntry | undefined
    standingOn(path: string): VolumeEntry[]
    put(entry: VolumeEntry): void
    putPool(entry: PoolEntry): void
    drop(pool: string, name: string): void
    dropPool(name: string): void
    tellSynced(): void
    watch(signal: AbortSignal): AsyncGenerator<Change>
    close(): void
}

/** Empty at first. What is put in as it was is no change. */
export function createKnown(): Known {
    const pools = new Map<string, PoolEntry>()
    const volumes = new Map<string, Map<string, VolumeEntry>>()
    const byPath = new Map<string, VolumeEntry>()
    const children = new Map<string, Set<VolumeEntry>>()
    const feed = createFeed<Change>()

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

    return {
        pools,
        volume: (pool, name) => volumes.get(pool)?.get(name),
        volumesOf: pool => [...(volumes.get(pool)?.values() ?? [])],
        volumes: () => [...volumes.values()].flatMap(own => [...own.values()]),
        byPath: path => byPath.get(path),
        standingOn: path => [...(children.get(path) ?? [])],
        put(entry) {
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
        },
        putPool(entry) {
            if (JSON.stringify(pools.get(entry.name)) === JSON.stringify(entry)) return
            pools.set(entry.name, entry)
            feed.publish(`pool ${entry.name}`, { pool: entry, existing: false })
        },
        drop,
        dropPool(name) {
            for (const volume of volumes.get(name)?.keys() ?? []) drop(name, volume)
            volumes.delete(name)
            if (pools.delete(name)) feed.publish(`pool ${name}`, { removedPool: name })
        },
        tellSynced: () => feed.publish('synced', { synced: true }),
        watch: signal =>
            feed.watch(signal, function* () {
                for (const pool of pools.values()) yield { pool, existing: true }
                for (const own of volumes.values()) for (const volume of own.values()) yield { volume, existing: true }
                yield { synced: true }
            }),
        close: () => feed.close(),
    }
}
