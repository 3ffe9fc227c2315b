// What the tree, the search over everything and the first page say of storage: pools, their use, and what is wrong with them.
import { Label } from '@patternfly/react-core'
import { useMemo } from 'react'
import type { Pool } from '../../gen/proto/capabilities/image/image_pb.js'
import { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import { act } from '../act.panel.tsx'
import { useSampled } from '../all-live.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { bytes } from '../format.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { type Branch, type Find, type Finder, type Leaf, rankOf, type Warning } from '../pages.panel.tsx'
import { Anchor, address, Meter, Quiet } from '../parts.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { healthColor, healthWord, shareOf } from './health.panel.tsx'
import { storage } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const MOST = 6
const looks: Record<string, NonNullable<Leaf['tone']>['look']> = {
    ok: 'good',
    low: 'warn',
    full: 'bad',
    unreadable: 'bad',
}
const placeOf = (pool: string): string => address('/images', { pool })
const pools = (): Pool[] =>
    storage
        .get()
        .list.flatMap(item => (item.pool ? [item.pool] : []))
        .sort((a, b) => a.name.localeCompare(b.name))

export const branch: Branch = {
    from: storage,
    leaves: () =>
        pools().map(pool => ({
            key: pool.uuid,
            label: pool.name,
            to: placeOf(pool.name),
            tone: { look: looks[pool.health] ?? 'idle', word: healthWord(pool.health) },
        })),
}

export const finder: Finder = {
    permission: 'image.view',
    from: storage,
    find({ text, may }) {
        if (text === '') return []
        const finds: Find[] = []
        const take = rankOf(words.import, text)
        if (take !== undefined && may('image.import'))
            finds.push({
                key: 'image import',
                label: words.import,
                kind: words.action,
                rank: take,
                to: '/images?do=import',
            })
        const volumes: Find[] = []
        for (const { pool, volume } of storage.get().list) {
            const name = pool?.name ?? volume?.name ?? ''
            const rank = rankOf(name, text)
            if (rank === undefined) continue
            if (pool) finds.push({ key: `pool ${name}`, label: name, kind: words.pool, rank, to: placeOf(name) })
            else if (volume)
                volumes.push({
                    key: `volume ${volume.pool}/${name}`,
                    label: name,
                    kind: words.volume,
                    hint: volume.pool,
                    // A machine of the same name is what is meant more often than its disk.
                    rank: rank + 0.2,
                    to: address('/images', { pool: volume.pool, q: name }),
                })
        }
        return [...finds, ...volumes.sort((a, b) => a.rank - b.rank).slice(0, MOST)]
    },
}

export function StorageCard() {
    const snapshot = useSampled(storage)
    // biome-ignore lint/correctness/useExhaustiveDependencies: the list is where they come from
    const all = useMemo(pools, [snapshot])
    if (all.length === 0)
        return (
            <Quiet>
                {snapshot.state === 'connecting' ? (snapshot.trouble?.summary ?? common.loading) : words.noPools}
            </Quiet>
        )
    return (
        <ul className="dv-lines">
            {all.slice(0, MOST).map(pool => (
                <li key={pool.uuid} data-pool-line={pool.name}>
                    <span className="dv-inline">
                        <Anchor href={placeOf(pool.name)} className="dv-anywhere">
                            {pool.name}
                        </Anchor>
                        {pool.health !== 'ok' && (
                            <Label isCompact color={healthColor[pool.health] ?? 'grey'}>
                                {healthWord(pool.health)}
                            </Label>
                        )}
                    </span>
                    {pool.active && (
                        <Meter
                            share={shareOf(pool)}
                            label={pool.name}
                            text={fill(words.free, {
                                free: bytes(pool.availableBytes),
                                total: bytes(pool.capacityBytes),
                            })}
                        />
                    )}
                </li>
            ))}
        </ul>
    )
}

const severities: Record<string, Warning['severity']> = { low: 'warning', full: 'danger', unreadable: 'danger' }

export function usePoolWarnings(): Warning[] {
    const snapshot = useSampled(storage)
    const may = useMay()
    // biome-ignore lint/correctness/useExhaustiveDependencies: the list is where they come from
    return useMemo(
        () =>
            pools()
                .filter(pool => pool.health in severities || (pool.health === 'away' && pool.autostart))
                .map(pool => ({
                    key: `pool ${pool.name}`,
                    severity: severities[pool.health] ?? 'warning',
                    title: fill((words.wrong as Record<string, string>)[pool.health] ?? words.pool, {
                        name: pool.name,
                    }),
                    detail:
                        pool.problem ||
                        (pool.active
                            ? fill(words.free, {
                                  free: bytes(pool.availableBytes),
                                  total: bytes(pool.capacityBytes),
                              })
                            : ''),
                    fix: (words.wrongFix as Record<string, string>)[pool.health],
                    to: placeOf(pool.name),
                    act:
                        pool.health === 'away' && may('image.pools')
                            ? {
                                  label: words.startPool,
                                  run: () => void act(() => clientOf(ImageService).startPool({ pool: pool.name })),
                              }
                            : undefined,
                })),
        [snapshot, may],
    )
}
