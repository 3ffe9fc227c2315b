// Pools and volumes as messages of the API.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
    type Pool,
    PoolSchema,
    type Volume,
    VolumeSchema,
    type WatchResponse,
    WatchResponseSchema,
} from '../../gen/proto/capabilities/image/image_pb.js'
import { healthOf, type PoolEntry, purposeOf, type VolumeEntry } from './entries.ts'
import type { Change } from './known.ts'
import type { Volumes } from './volumes.ts'

const whole = (value: number): bigint => BigInt(Number.isFinite(value) ? Math.max(0, Math.floor(value)) : 0)

export function poolMessage(pool: PoolEntry): Pool {
    const { uuid, name, type, active, autostart, path, volumes } = pool
    return create(PoolSchema, {
        ...{ uuid, name, type, active, autostart, path, volumes },
        capacityBytes: whole(pool.capacityBytes),
        allocationBytes: whole(pool.allocationBytes),
        availableBytes: whole(pool.availableBytes),
        health: healthOf(pool),
        problem: pool.problem ?? '',
    })
}

export function volumeMessage(entry: VolumeEntry, volumes: Volumes): Volume {
    const { pool, name, format, path, backingPath } = entry
    const backing = backingPath ? volumes.byPath(backingPath) : undefined
    return create(VolumeSchema, {
        ...{ pool, name, path },
        format: purposeOf(entry) === 'iso' && format === 'raw' ? 'iso' : format,
        capacityBytes: whole(entry.capacityBytes),
        allocationBytes: whole(entry.allocationBytes),
        backing: backing ? `${backing.pool}/${backing.name}` : (backingPath ?? ''),
        usedBy: volumes.usedBy(entry),
        modified: entry.modifiedMs > 0 ? timestampFromMs(entry.modifiedMs) : undefined,
        purpose: purposeOf(entry),
    })
}

export function watchMessage(change: Change, volumes: Volumes): WatchResponse {
    if ('synced' in change) return create(WatchResponseSchema, { synced: true })
    if ('pool' in change)
        return create(WatchResponseSchema, {
            item: { case: 'pool', value: poolMessage(change.pool) },
            existing: change.existing,
        })
    if ('volume' in change)
        return create(WatchResponseSchema, {
            item: { case: 'volume', value: volumeMessage(change.volume, volumes) },
            existing: change.existing,
        })
    if ('removedPool' in change)
        return create(WatchResponseSchema, { item: { case: 'removedPool', value: change.removedPool } })
    return create(WatchResponseSchema, { item: { case: 'removedVolume', value: change.removedVolume } })
}
