// The services of the node: which run, which failed, and the way to what they said.
import { Checkbox, Label, SearchInput, Toolbar, ToolbarContent, ToolbarItem } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { InspectService } from '../../gen/proto/capabilities/node/inspect_pb.js'
import { useFilters, useTyped } from '../address.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { Anchor, address, EmptyHint, Loading, TroubleNote } from '../parts.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { words } from './machine-words.panel.tsx'
import { NodeTabs } from './tabs.panel.tsx'

const FILTERS = ['q', 'failed'] as const
const EVERY_MS = 15_000
const colors: Record<string, 'green' | 'red' | 'grey' | 'blue'> = {
    active: 'green',
    failed: 'red',
    activating: 'blue',
    deactivating: 'blue',
    reloading: 'blue',
}
/** What failed first; then by name. */
const weight = (active: string): number => (active === 'failed' ? 0 : 1)

export default function Services() {
    const may = useMay()
    const [filters, setFilters] = useFilters(FILTERS)
    const [search, setSearch] = useTyped(filters.q, q => setFilters({ q }))
    const query = useQuery({
        queryKey: ['node-units'],
        queryFn: ({ signal }) => clientOf(InspectService).listUnits({}, { signal }),
        // systemd tells nobody here; somebody who looks wants to see them come up.
        refetchInterval: EVERY_MS,
    })
    const rows = useMemo(() => {
        const text = search.trim().toLowerCase()
        return (query.data?.units ?? [])
            .filter(
                unit =>
                    (filters.failed === '' || unit.active === 'failed') &&
                    `${unit.name}\n${unit.description}`.toLowerCase().includes(text),
            )
            .sort((a, b) => weight(a.active) - weight(b.active) || a.name.localeCompare(b.name))
    }, [query.data, search, filters.failed])
    return (
        <NodeTabs>
            {query.isError && <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />}
            {query.isLoading && <Loading />}
            {query.data && (
                <>
                    <Toolbar inset={{ default: 'insetNone' }} className="dv-toolbar">
                        <ToolbarContent>
                            <ToolbarItem className="dv-search">
                                <SearchInput
                                    aria-label={words.find}
                                    placeholder={words.find}
                                    value={search}
                                    onChange={(_e, value) => setSearch(value)}
                                    onClear={() => setSearch('')}
                                />
                            </ToolbarItem>
                            <ToolbarItem className="dv-middle">
                                <Checkbox
                                    id="only-failed"
                                    label={words.onlyFailed}
                                    isChecked={filters.failed !== ''}
                                    onChange={(_e, on) => setFilters({ failed: on ? 'yes' : '' })}
                                />
                            </ToolbarItem>
                        </ToolbarContent>
                    </Toolbar>
                    {rows.length === 0 ? (
                        <EmptyHint title={query.data.units.length === 0 ? words.noServices : common.nothingMatches} />
                    ) : (
                        <Table aria-label={words.services} variant="compact">
                            <Thead>
                                <Tr>
                                    <Th>{words.service}</Th>
                                    <Th>{words.state}</Th>
                                    <Th>{words.what}</Th>
                                    <Th screenReaderText={common.actions} />
                                </Tr>
                            </Thead>
                            <Tbody>
                                {rows.map(unit => (
                                    <Tr key={unit.name} data-unit={unit.name}>
                                        <Td dataLabel={words.service} className="dv-anywhere">
                                            {unit.name}
                                        </Td>
                                        <Td dataLabel={words.state} modifier="nowrap">
                                            <Label isCompact color={colors[unit.active] ?? 'grey'}>
                                                {(words.states as Record<string, string>)[unit.active] ?? unit.active}
                                            </Label>{' '}
                                            <span className="dv-quiet">{unit.sub}</span>
                                        </Td>
                                        <Td dataLabel={words.what}>{unit.description}</Td>
                                        <Td modifier="nowrap">
                                            {may('node.journal') && (
                                                <Anchor
                                                    href={address('/node/journal', { unit: unit.name })}
                                                    aria-label={fill(words.itsJournal, { name: unit.name })}
                                                >
                                                    {words.journal}
                                                </Anchor>
                                            )}
                                        </Td>
                                    </Tr>
                                ))}
                            </Tbody>
                        </Table>
                    )}
                </>
            )}
        </NodeTabs>
    )
}
