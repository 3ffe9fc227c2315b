// The list of virtual machines: live, searched, filtered, sorted, acted upon one by one or many at once.
import { Button, FormSelect, FormSelectOption, Toolbar, ToolbarContent, ToolbarItem } from '@patternfly/react-core'
import PlusIcon from '@patternfly/react-icons/dist/esm/icons/plus-circle-icon'
import VmIcon from '@patternfly/react-icons/dist/esm/icons/virtual-machine-icon'
import { useQuery } from '@tanstack/react-query'
import { useDeferredValue, useMemo, useState } from 'react'
import { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import { useFilters, useTyped } from '../address.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { Anchor, Connecting, EmptyHint, Forbidden, Freshness, PageBody, PageHead } from '../parts.panel.tsx'
import { SearchField } from '../search.panel.tsx'
import { common, fill, plural } from '../words.panel.tsx'
import { BulkBar } from './bulk.panel.tsx'
import { filterStates, readSort, sorted, writeSort } from './columns.panel.tsx'
import { stateKey, vms } from './store.panel.tsx'
import { VmTable } from './table.panel.tsx'
import { ColumnChooser, useColumns, Views } from './views.panel.tsx'
import { stateWord, words } from './words.panel.tsx'

const FILTERS = ['q', 'state', 'tag', 'network', 'sort'] as const
const collator = new Intl.Collator(undefined, { numeric: true })

export default function VmList() {
    const snapshot = useLive(vms)
    const may = useMay()
    const [filters, setFilters] = useFilters(FILTERS)
    const { state, tag, network } = filters
    const [search, setSearch] = useTyped(filters.q, q => setFilters({ q }))
    const [shownColumns] = useColumns()
    const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
    const wanted = useDeferredValue(search)
    const sort = useMemo(() => readSort(filters.sort), [filters.sort])

    const tags = useMemo(() => [...new Set(snapshot.list.flatMap(vm => vm.tags))].sort(collator.compare), [snapshot])
    const networks = useMemo(
        () => [...new Set(snapshot.list.flatMap(vm => vm.networks))].sort(collator.compare),
        [snapshot],
    )
    const shown = useMemo(() => {
        const text = wanted.trim().toLowerCase()
        const rows = snapshot.list.filter(
            vm =>
                (state === '' || stateKey(vm.state) === state) &&
                (tag === '' || vm.tags.includes(tag)) &&
                (network === '' || vm.networks.includes(network)) &&
                (text === '' || `${vm.name}\n${vm.description}\n${vm.tags.join('\n')}`.toLowerCase().includes(text)),
        )
        return sorted(rows, sort)
    }, [snapshot, wanted, state, tag, network, sort])
    const chosen = useMemo(
        () => [...selected].map(uuid => snapshot.items.get(uuid)).filter(vm => vm !== undefined),
        [selected, snapshot],
    )
    const filtered = search !== '' || state !== '' || tag !== '' || network !== ''
    const clear = (): void => {
        setSearch('')
        setFilters({ q: '', state: '', tag: '', network: '' })
    }
    const choices = [
        {
            key: 'state',
            label: words.filterState,
            any: words.allStates,
            of: filterStates.map(one => ({ value: stateKey(one), label: stateWord(one) })),
        },
        { key: 'tag', label: words.filterTag, any: words.allTags, of: tags.map(one => ({ value: one, label: one })) },
        {
            key: 'network',
            label: words.filterNetwork,
            any: words.allNetworks,
            of: networks.map(one => ({ value: one, label: one })),
        },
    ] as const
    const createButton = may('vm.create') && (
        <Button variant="primary" icon={<PlusIcon />} component={Anchor} href="/create">
            {words.create}
        </Button>
    )

    if (snapshot.state === 'denied') return <Forbidden />
    if (snapshot.state === 'connecting') return <Connecting of={snapshot} title={words.vms} />
    if (snapshot.list.length === 0) {
        return (
            <>
                <PageHead title={words.vms} below={<Freshness of={snapshot} />} />
                <PageBody>
                    <NothingYet create={createButton} />
                </PageBody>
            </>
        )
    }
    return (
        <>
            <PageHead
                title={words.vms}
                aside={
                    <span className="dv-quiet" data-count={shown.length}>
                        {filtered
                            ? fill(words.countedOf, {
                                  shown: shown.length,
                                  all: plural(words.counted, snapshot.list.length),
                              })
                            : plural(words.counted, snapshot.list.length)}
                    </span>
                }
                below={<Freshness of={snapshot} />}
            >
                {createButton}
            </PageHead>
            <PageBody fill>
                <Toolbar inset={{ default: 'insetNone' }} className="dv-toolbar">
                    <ToolbarContent>
                        <SearchField hint={words.searchHint} value={search} change={setSearch} />
                        {choices.map(
                            choice =>
                                (choice.of.length > 0 || filters[choice.key] !== '') && (
                                    <ToolbarItem key={choice.key} className="dv-filter">
                                        <FormSelect
                                            aria-label={choice.label}
                                            value={filters[choice.key]}
                                            onChange={(_e, value) => setFilters({ [choice.key]: value })}
                                        >
                                            <FormSelectOption value="" label={choice.any} />
                                            {choice.of.map(one => (
                                                <FormSelectOption key={one.value} {...one} />
                                            ))}
                                            {filters[choice.key] !== '' &&
                                                !choice.of.some(one => one.value === filters[choice.key]) && (
                                                    <FormSelectOption
                                                        value={filters[choice.key]}
                                                        label={filters[choice.key]}
                                                    />
                                                )}
                                        </FormSelect>
                                    </ToolbarItem>
                                ),
                        )}
                        <ToolbarItem align={{ default: 'alignEnd' }} className="dv-list-tools">
                            {filtered && shown.length > 0 && (
                                <Button variant="link" onClick={clear} data-action="clear-filters">
                                    {common.clearFilters}
                                </Button>
                            )}
                            <Views
                                now={{ q: search, state, tag, network, sort: filters.sort }}
                                filtered={filtered}
                                show={({ q, state, tag, network, sort }) => {
                                    setSearch(q)
                                    setFilters({ q, state, tag, network, sort })
                                }}
                            />
                            <ColumnChooser />
                        </ToolbarItem>
                    </ToolbarContent>
                </Toolbar>
                {shown.length === 0 ? (
                    <EmptyHint title={common.nothingMatches}>
                        <Button variant="link" onClick={clear}>
                            {common.clearFilters}
                        </Button>
                    </EmptyHint>
                ) : (
                    <VmTable
                        rows={shown}
                        shown={shownColumns}
                        sort={sort}
                        onSort={next => setFilters({ sort: writeSort(next) })}
                        selected={selected}
                        onSelect={setSelected}
                    />
                )}
                {chosen.length > 0 && (
                    <Toolbar inset={{ default: 'insetNone' }} className="dv-toolbar dv-bulk" data-bulk={chosen.length}>
                        <ToolbarContent>
                            <BulkBar chosen={chosen} clear={() => setSelected(new Set())} />
                        </ToolbarContent>
                    </Toolbar>
                )}
            </PageBody>
        </>
    )
}

/** Says what to do first: without an image there is nothing to create from. */
function NothingYet(props: { create: React.ReactNode }) {
    const may = useMay()
    const volumes = useQuery({
        queryKey: ['volumes'],
        queryFn: ({ signal }) => clientOf(ImageService).listVolumes({}, { signal }),
        enabled: may('image.view'),
    })
    const ready = (volumes.data?.volumes ?? []).some(v => v.purpose !== 'seed')
    return (
        <EmptyHint
            title={words.emptyTitle}
            icon={VmIcon}
            body={props.create ? (ready ? words.emptyReady : words.emptyNoImage) : undefined}
        >
            {!ready && may('image.import') && (
                <Button variant="primary" component={Anchor} href="/images">
                    {words.getImage}
                </Button>
            )}
            {ready && props.create}
        </EmptyHint>
    )
}
