// What the tree, the search over everything and the first page say of networks.
import { useMemo } from 'react'
import { type Network, NetworkService } from '../../gen/proto/capabilities/network/network_pb.js'
import { act } from '../act.panel.tsx'
import { useSampled } from '../all-live.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { type Branch, type Find, type Finder, rankOf, type Warning } from '../pages.panel.tsx'
import { address } from '../parts.panel.tsx'
import { fill } from '../words.panel.tsx'
import { networks } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const placeOf = (network: Network): string => address('/networks', { network: network.name })

export const branch: Branch = {
    from: networks,
    leaves: () =>
        [...networks.get().list]
            .sort((a, b) => a.name.localeCompare(b.name))
            .map(network => ({
                key: network.uuid,
                label: network.name,
                to: placeOf(network),
                tone: network.active ? { look: 'good', word: words.active } : { look: 'idle', word: words.inactive },
            })),
}

export const finder: Finder = {
    permission: 'network.view',
    from: networks,
    find: ({ text }) =>
        text === ''
            ? []
            : networks.get().list.flatMap((network): Find[] => {
                  const rank = rankOf(network.name, text)
                  const to = placeOf(network)
                  return rank === undefined
                      ? []
                      : [{ key: `network ${network.uuid}`, label: network.name, kind: words.network, rank, to }]
              }),
}

/** A network that should start with the node, and does not run. */
export function useNetworkWarnings(): Warning[] {
    const snapshot = useSampled(networks)
    const may = useMay()
    return useMemo(
        () =>
            snapshot.list
                .filter(network => network.autostart && !network.active)
                .map(network => ({
                    key: `network ${network.uuid}`,
                    severity: 'warning',
                    title: fill(words.notStarted, { name: network.name }),
                    fix: words.notStartedFix,
                    to: placeOf(network),
                    act: may('network.manage')
                        ? {
                              label: words.start,
                              run: () => void act(() => clientOf(NetworkService).start({ network: network.name })),
                          }
                        : undefined,
                })),
        [snapshot, may],
    )
}
