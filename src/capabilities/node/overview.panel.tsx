// What the first page says of the node: how busy it is now and was, and what its checks found.
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { NodeService } from '../../gen/proto/capabilities/node/node_pb.js'
import { clientOf } from '../client.panel.tsx'
import { Chart, FiguresLost } from '../figures.panel.tsx'
import { bytes, percent } from '../format.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { type Find, type Finder, rankOf, type Warning } from '../pages.panel.tsx'
import { words as configuration } from './configuration-words.panel.tsx'
import { useLoad } from './load.panel.tsx'
import { words as inspect } from './machine-words.panel.tsx'
import { words } from './words.panel.tsx'

export const useFacts = (enabled = true) =>
    useQuery({
        queryKey: ['node'],
        queryFn: ({ signal }) => clientOf(NodeService).getFacts({}, { signal }),
        enabled,
    })

export function LoadCard() {
    const { history, lost } = useLoad()
    const facts = useFacts()
    const times = useMemo(() => history.map(h => Number(h.at?.seconds ?? 0n)), [history])
    const series = useMemo(
        () => ({
            cpu: [{ label: words.cpu, values: history.map(h => h.cpu) }],
            memory: [{ label: words.memory, values: history.map(h => Number(h.memoryUsedBytes)) }],
        }),
        [history],
    )
    const total = Number(facts.data?.memoryBytes ?? history[history.length - 1]?.memoryTotalBytes ?? 0n)
    return (
        <>
            {lost && <FiguresLost />}
            <div className="dv-row">
                <Chart title={words.cpu} times={times} series={series.cpu} format={percent} max={1} />
                <Chart
                    // Drawn anew with its scale when that is known.
                    key={total}
                    title={words.memory}
                    times={times}
                    series={series.memory}
                    format={bytes}
                    max={total || undefined}
                    binary
                />
            </div>
        </>
    )
}

const severities: Record<string, Warning['severity']> = { error: 'danger', warning: 'warning' }

export function useNodeWarnings(): Warning[] {
    const may = useMay()
    const facts = useFacts(may('node.view'))
    return useMemo(
        () =>
            (facts.data?.findings ?? []).map(({ code, at, severity, summary, detail, fix }) => ({
                key: `node ${code} ${at}`,
                severity: severities[severity] ?? 'info',
                title: summary,
                detail,
                fix,
                to: '/node',
            })),
        [facts.data],
    )
}

const places = [
    { to: '/node/disks', label: inspect.disks, permission: 'node.view' },
    { to: '/node/services', label: inspect.services, permission: 'node.view' },
    { to: '/node/journal', label: inspect.journal, permission: 'node.journal' },
    { to: '/node/about', label: inspect.about, permission: 'node.view' },
    { to: '/node/configuration', label: configuration.title, permission: 'node.configure' },
]

export const finder: Finder = {
    permission: 'node.view',
    find: ({ text, may }) =>
        text === ''
            ? []
            : places.flatMap((place): Find[] => {
                  const rank = may(place.permission) ? rankOf(place.label, text) : undefined
                  return rank === undefined
                      ? []
                      : [{ key: `page ${place.to}`, label: place.label, kind: words.node, rank, to: place.to }]
              }),
}
