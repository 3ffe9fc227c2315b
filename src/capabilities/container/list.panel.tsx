// The list of containers: live, searched and filtered.
import { Button } from '@patternfly/react-core'
import CubeIcon from '@patternfly/react-icons/dist/esm/icons/cube-icon'
import PlusIcon from '@patternfly/react-icons/dist/esm/icons/plus-circle-icon'
import { Th, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { memo, useDeferredValue, useMemo, useState } from 'react'
import { type Container, ContainerService, State } from '../../gen/proto/capabilities/container/container_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { bytes, percent, since } from '../format.panel.tsx'
import { type ListFilter, ListFrame } from '../list-frame.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { ActionCell, Cell, LongTable, Tags } from '../long-table.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { ActionMenu, actionsOf, Connecting, EmptyHint, Forbidden, Freshness, TroubleNote } from '../parts.panel.tsx'
import { common, fill, plural } from '../words.panel.tsx'
import { type Actions, fits, power, useActions } from './actions.panel.tsx'
import { CreateDialog } from './create.panel.tsx'
import { containers, covered, Marked, Ports, StateLabel } from './store.panel.tsx'
import { stateName, words } from './words.panel.tsx'

const NO_STACK = '-'
const LISTED = [State.RUNNING, State.EXITED, State.PAUSED, State.RESTARTING, State.CREATED]
const collator = new Intl.Collator(undefined, { numeric: true })

export default function ContainerList() {
    const snapshot = useLive(containers)
    const may = useMay()
    const [search, setSearch] = useState('')
    const [state, setState] = useState('')
    const [stack, setStack] = useState('')
    const wanted = useDeferredValue(search)
    const stacks = useMemo(
        () => [...new Set(snapshot.list.map(one => one.stack).filter(name => name !== ''))].sort(collator.compare),
        [snapshot],
    )
    const shown = useMemo(() => {
        const text = wanted.trim().toLowerCase()
        return snapshot.list
            .filter(
                one =>
                    (state === '' || one.state === Number(state)) &&
                    (stack === '' || one.stack === (stack === NO_STACK ? '' : stack)) &&
                    (text === '' ||
                        `${one.name}\n${one.image}\n${one.stack}\n${one.tags.join('\n')}`.toLowerCase().includes(text)),
            )
            .sort((a, b) => collator.compare(a.name, b.name))
    }, [snapshot, wanted, state, stack])
    const filtered = search !== '' || state !== '' || stack !== ''
    const create = may('container.create') && (
        <Button
            variant="primary"
            icon={<PlusIcon />}
            data-action="create-container"
            onClick={() => openDialog(close => <CreateDialog close={close} />)}
        >
            {words.create}
        </Button>
    )
    if (snapshot.state === 'denied') return <Forbidden />
    if (snapshot.state === 'connecting') return <Connecting of={snapshot} title={words.containers} />
    const all = plural(words.counted, snapshot.list.length)
    const empty =
        snapshot.state === 'stale' ? (
            <EngineTrouble />
        ) : (
            <EmptyHint title={words.emptyTitle} icon={CubeIcon} body={create ? words.emptyHelp : undefined}>
                {create}
            </EmptyHint>
        )
    const filters: ListFilter[] = [
        {
            ...{ label: words.filterState, any: words.allStates, value: state, change: setState },
            of: LISTED.map(one => ({ value: String(one), label: stateName(one) })),
        },
    ]
    if (stacks.length > 0)
        filters.push({
            ...{ label: words.filterStack, any: words.allStacks, value: stack, change: setStack },
            of: [{ value: NO_STACK, label: words.noStack }, ...stacks.map(name => ({ value: name, label: name }))],
        })
    return (
        <ListFrame
            title={words.containers}
            below={<Freshness of={snapshot} stale={words.stale} />}
            create={create}
            empty={snapshot.list.length === 0 && empty}
            shown={shown.length}
            counted={filtered ? fill(words.countedOf, { shown: shown.length, all }) : all}
            search={{ hint: words.searchHint, value: search, change: setSearch }}
            filters={filters}
        >
            <Rows rows={shown} />
        </ListFrame>
    )
}

/** Nothing is known, and Docker is away: why, and what to do. */
function EngineTrouble() {
    const engine = useQuery({
        queryKey: ['docker-engine'],
        queryFn: ({ signal }) => clientOf(ContainerService).getEngine({}, { signal }),
        refetchInterval: 5_000,
    })
    const finding = engine.data?.findings[0]
    if (!finding) return <EmptyHint title={words.awayTitle} />
    return <TroubleNote trouble={{ ...finding, findings: [] }} retry={() => void engine.refetch()} />
}

function Rows({ rows }: { rows: readonly Container[] }) {
    const may = useMay()
    const actions = useActions()
    return (
        <LongTable
            label={words.containers}
            className="dv-containers dv-published"
            rows={rows}
            keyOf={one => one.id}
            head={
                <>
                    <Th className="dv-col-name" modifier="nowrap">
                        {common.name}
                    </Th>
                    <Th className="dv-col-state" modifier="nowrap">
                        {common.state}
                    </Th>
                    <Th className="dv-col-image" modifier="nowrap">
                        {words.image}
                    </Th>
                    <Th className="dv-col-cpu" modifier="nowrap">
                        {words.cpu}
                    </Th>
                    <Th className="dv-col-memory" modifier="nowrap">
                        {words.memory}
                    </Th>
                    <Th className="dv-col-ports" modifier="nowrap">
                        {words.ports}
                    </Th>
                    <Th className="dv-col-tags" modifier="nowrap">
                        {words.tags}
                    </Th>
                    <Th className="dv-col-uptime" modifier="nowrap">
                        {words.uptime}
                    </Th>
                    <Th screenReaderText={common.actions} className="dv-col-actions" />
                </>
            }
            row={(one, place) => <Row key={one.id} one={one} index={place} may={may} actions={actions} />}
        />
    )
}

const Row = memo(function Row(props: {
    one: Container
    index: number
    may: ReturnType<typeof useMay>
    actions: Actions
}) {
    const { one, may, actions } = props
    const verb = (['start', 'unpause', 'stop'] as const).find(v => fits(v, one))
    const running = one.state === State.RUNNING
    return (
        <Tr data-container={one.name} aria-rowindex={props.index + 2}>
            <Cell className="dv-col-name">
                <Link
                    to={'/containers/$container' as string}
                    params={{ container: one.id } as never}
                    className="dv-link"
                >
                    {one.name}
                </Link>{' '}
                <Marked of={one} />
            </Cell>
            <Cell className="dv-col-state">
                <StateLabel of={one} />
            </Cell>
            <Cell className="dv-col-image">{one.image}</Cell>
            <Cell className="dv-col-cpu">{running ? percent(one.cpu) : ''}</Cell>
            <Cell className="dv-col-memory">{running ? bytes(one.memoryBytes) : ''}</Cell>
            <Cell className="dv-col-ports">
                <Ports of={one.ports} />
            </Cell>
            <Cell className="dv-col-tags">
                <Tags of={one.tags.slice(0, 3)} />
            </Cell>
            <Cell className="dv-col-uptime">{running ? since(one.started) : ''}</Cell>
            <ActionCell>
                {verb && may('container.power', covered(one)) && (
                    <Button variant="link" size="sm" data-action={verb} onClick={() => void power(verb, one)}>
                        {words[verb]}
                    </Button>
                )}
                <ActionMenu label={actionsOf(one.name)} actions={actions(one, verb ? [verb] : [])} />
            </ActionCell>
        </Tr>
    )
})
