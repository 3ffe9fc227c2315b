// The list of virtual machines: live, searched, filtered, sorted, acted upon one by one or many at once.
import {
    Button,
    FormSelect,
    FormSelectOption,
    SearchInput,
    Toolbar,
    ToolbarContent,
    ToolbarItem,
} from '@patternfly/react-core'
import PlusIcon from '@patternfly/react-icons/dist/esm/icons/plus-circle-icon'
import VmIcon from '@patternfly/react-icons/dist/esm/icons/virtual-machine-icon'
import { useQuery } from '@tanstack/react-query'
import { useDeferredValue, useMemo, useState } from 'react'
import { ImageService } from '../../gen/proto/capabilities/image/image_pb.js'
import { State, type Vm } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { clientOf } from '../client.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { Anchor, EmptyHint, Forbidden, Freshness, Loading, PageBody, PageHead } from '../parts.panel.tsx'
import { common, fill, plural } from '../words.panel.tsx'
import { BulkBar } from './bulk.panel.tsx'
import { vms } from './store.panel.tsx'
import { type SortKey, VmTable } from './table.panel.tsx'
import { stateWord, words } from './words.panel.tsx'

const order: Record<SortKey, (a: Vm, b: Vm) => number> = {
    name: (a, b) => collator.compare(a.name, b.name),
    state: (a, b) => a.state - b.state || collator.compare(a.name, b.name),
    cpu: (a, b) => a.cpu - b.cpu || collator.compare(a.name, b.name),
    memory: (a, b) => Number(a.memoryBytes - b.memoryBytes) || collator.compare(a.name, b.name),
}
const collator = new Intl.Collator(undefined, { numeric: true })

export default function VmList() {
    const snapshot = useLive(vms)
    const may = useMay()
    const [search, setSearch] = useState('')
    const [state, setState] = useState('')
    const [tag, setTag] = useState('')
    const [sort, setSort] = useState<{ key: SortKey; down: boolean }>({ key: 'name', down: false })
    const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
    const wanted = useDeferredValue(search)

    const tags = useMemo(() => [...new Set(snapshot.list.flatMap(vm => vm.tags))].sort(collator.compare), [snapshot])
    const shown = useMemo(() => {
        const text = wanted.trim().toLowerCase()
        const rows = snapshot.list.filter(
            vm =>
                (state === '' || vm.state === Number(state)) &&
                (tag === '' || vm.tags.includes(tag)) &&
                (text === '' || `${vm.name}\n${vm.description}\n${vm.tags.join('\n')}`.toLowerCase().includes(text)),
        )
        rows.sort(order[sort.key])
        return sort.down ? rows.reverse() : rows
    }, [snapshot, wanted, state, tag, sort])
    const chosen = useMemo(
        () => [...selected].map(uuid => snapshot.items.get(uuid)).filter(vm => vm !== undefined),
        [selected, snapshot],
    )
    const filtered = search !== '' || state !== '' || tag !== ''
    const clear = (): void => {
        setSearch('')
        setState('')
        setTag('')
    }
    const createButton = may('vm.create') && (
        <Button variant="primary" icon={<PlusIcon />} component={Anchor} href="/create">
            {words.create}
        </Button>
    )

    if (snapshot.state === 'denied') return <Forbidden />
    if (snapshot.state === 'connecting') return <Loading />
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
                        <ToolbarItem className="dv-search">
                            <SearchInput
                                aria-label={words.searchHint}
                                placeholder={words.searchHint}
                                value={search}
                                onChange={(_e, value) => setSearch(value)}
                                onClear={() => setSearch('')}
                            />
                        </ToolbarItem>
                        <ToolbarItem>
                            <FormSelect aria-label={words.filterState} value={state} onChange={(_e, v) => setState(v)}>
                                <FormSelectOption value="" label={words.allStates} />
                                {[State.RUNNING, State.STOPPED, State.PAUSED, State.SHUTTING_DOWN, State.CRASHED].map(
                                    s => (
                                        <FormSelectOption key={s} value={String(s)} label={stateWord(s)} />
                                    ),
                                )}
                            </FormSelect>
                        </ToolbarItem>
                        {tags.length > 0 && (
                            <ToolbarItem>
                                <FormSelect aria-label={words.filterTag} value={tag} onChange={(_e, v) => setTag(v)}>
                                    <FormSelectOption value="" label={words.allTags} />
                                    {tags.map(t => (
                                        <FormSelectOption key={t} value={t} label={t} />
                                    ))}
                                </FormSelect>
                            </ToolbarItem>
                        )}
                        {chosen.length > 0 && <BulkBar chosen={chosen} clear={() => setSelected(new Set())} />}
                    </ToolbarContent>
                </Toolbar>
                {shown.length === 0 ? (
                    <EmptyHint title={common.nothingMatches}>
                        <Button variant="link" onClick={clear}>
                            {common.clearFilters}
                        </Button>
                    </EmptyHint>
                ) : (
                    <VmTable rows={shown} sort={sort} onSort={setSort} selected={selected} onSelect={setSelected} />
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
