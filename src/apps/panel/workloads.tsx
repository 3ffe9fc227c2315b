// Workloads: containers, stacks and virtual machines in one list, live, with their kind, what they use, and the way to each.
import { Button } from '@patternfly/react-core'
import LayersIcon from '@patternfly/react-icons/dist/esm/icons/layer-group-icon'
import { Th, Tr } from '@patternfly/react-table'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useDeferredValue, useMemo, useState } from 'react'
import {
    StateLabel as ContainerState,
    isOn as containerRuns,
    containers,
    Marked,
} from '../../capabilities/container/store.panel.tsx'
import { bytes, percent } from '../../capabilities/format.panel.tsx'
import { ListFrame } from '../../capabilities/list-frame.panel.tsx'
import { useLive } from '../../capabilities/live.panel.tsx'
import { Cell, LongTable, Tags } from '../../capabilities/long-table.panel.tsx'
import { useMay } from '../../capabilities/me.panel.tsx'
import type { PanelEntry } from '../../capabilities/pages.panel.tsx'
import { Anchor, Connecting, EmptyHint, Forbidden, Freshness } from '../../capabilities/parts.panel.tsx'
import { Marked as StackMarked, StateLabel as StackState, stacks } from '../../capabilities/stack/store.panel.tsx'
import { StateLabel as VmState, isOn as vmRuns, vms } from '../../capabilities/vm/store.panel.tsx'
import { common, plural } from '../../capabilities/words.panel.tsx'
import type { Container } from '../../gen/proto/capabilities/container/container_pb.js'
import { words } from './words.ts'

const w = words.workloads
const collator = new Intl.Collator(undefined, { numeric: true })

interface Workload {
    key: string
    kind: 'container' | 'stack' | 'vm'
    name: string
    to: string
    running: boolean
    state: ReactNode
    mark?: ReactNode
    cpu: number
    memoryBytes: bigint
    tags: readonly string[]
    /** What the search looks at beside the name. */
    more: string
}

function useWorkloads() {
    const ofContainers = useLive(containers)
    const ofStacks = useLive(stacks)
    const ofVms = useLive(vms)
    const byStack = useMemo(() => {
        const all = new Map<string, Container[]>()
        for (const one of ofContainers.list) if (one.stack) all.set(one.stack, [...(all.get(one.stack) ?? []), one])
        return all
    }, [ofContainers])
    const rows = useMemo(
        () =>
            [
                ...ofContainers.list.map(
                    (one): Workload => ({
                        ...{ key: one.id, kind: 'container', name: one.name, to: `/containers/${one.id}` },
                        ...{ running: containerRuns(one.state), state: <ContainerState of={one} /> },
                        ...{ mark: <Marked of={one} />, cpu: one.cpu, memoryBytes: one.memoryBytes, tags: one.tags },
                        more: `${one.image}\n${one.stack}`,
                    }),
                ),
                ...ofStacks.list.map((one): Workload => {
                    const own = byStack.get(one.name) ?? []
                    return {
                        ...{ key: `stack ${one.name}`, kind: 'stack', name: one.name, to: `/stacks/${one.name}` },
                        ...{ running: one.running > 0, state: <StackState of={one} />, mark: <StackMarked of={one} /> },
                        cpu: own.reduce((sum, { cpu }) => sum + cpu, 0),
                        memoryBytes: own.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0n),
                        ...{ tags: one.tags, more: one.services.join('\n') },
                    }
                }),
                ...ofVms.list.map(
                    (vm): Workload => ({
                        ...{
                            key: vm.uuid,
                            kind: 'vm',
                            name: vm.name,
                            to: `/vms/${vm.uuid}`,
                            running: vmRuns(vm.state),
                        },
                        ...{ state: <VmState state={vm.state} />, cpu: vm.cpu * vm.vcpus, memoryBytes: vm.memoryBytes },
                        ...{ tags: vm.tags, more: vm.description },
                    }),
                ),
            ].sort((a, b) => collator.compare(a.name, b.name) || collator.compare(a.kind, b.kind)),
        [ofContainers, ofStacks, ofVms, byStack],
    )
    return { rows, ofContainers, ofStacks, ofVms }
}

function Workloads() {
    const { rows, ofContainers, ofStacks, ofVms } = useWorkloads()
    const [search, setSearch] = useState('')
    const [kind, setKind] = useState('')
    const [state, setState] = useState('')
    const wanted = useDeferredValue(search)
    const shown = useMemo(() => {
        const text = wanted.trim().toLowerCase()
        return rows.filter(
            one =>
                (kind === '' || one.kind === kind) &&
                (state === '' || one.running === (state === 'on')) &&
                (text === '' || `${one.name}\n${one.more}\n${one.tags.join('\n')}`.toLowerCase().includes(text)),
        )
    }, [rows, wanted, kind, state])
    const may = useMay()
    const states = [ofContainers.state, ofStacks.state, ofVms.state]
    if (states.every(one => one === 'denied')) return <Forbidden />
    // Who may see the one only waits for that one.
    const waiting = [ofContainers, ofStacks, ofVms].filter(one => one.state === 'connecting')
    if (rows.length === 0 && waiting.length > 0)
        return <Connecting of={waiting.find(one => one.trouble) ?? waiting[0]!} title={w.title} />
    const below = (
        <>
            {ofContainers.state !== 'denied' && <Freshness of={ofContainers} stale={w.staleContainers} />}
            {ofVms.state === 'stale' && <Freshness of={ofVms} />}
        </>
    )
    const empty = (
        <EmptyHint title={w.empty} icon={LayersIcon} body={w.emptyHelp}>
            {may('container.create') && (
                <Button component={Anchor} href="/containers">
                    {w.toContainers}
                </Button>
            )}
            {may('vm.create') && (
                <Button variant="link" component={Anchor} href="/create">
                    {w.createVm}
                </Button>
            )}
        </EmptyHint>
    )
    const kinds = (['container', 'stack', 'vm'] as const).map(value => ({ value, label: w.kinds[value] }))
    const onOff = (['on', 'off'] as const).map(value => ({ value, label: w[value] }))
    return (
        <ListFrame
            title={w.title}
            below={below}
            empty={rows.length === 0 && empty}
            shown={shown.length}
            counted={plural(w.counted, shown.length)}
            search={{ hint: w.searchHint, value: search, change: setSearch }}
            filters={[
                { label: w.kind, any: w.allKinds, value: kind, change: setKind, of: kinds },
                { label: common.state, any: w.allStates, value: state, change: setState, of: onOff },
            ]}
        >
            <Rows rows={shown} />
        </ListFrame>
    )
}

const Rows = ({ rows }: { rows: readonly Workload[] }) => (
    <LongTable
        label={w.title}
        className="dv-containers"
        rows={rows}
        keyOf={one => one.key}
        head={
            <>
                <Th className="dv-col-name" modifier="nowrap">
                    {common.name}
                </Th>
                <Th modifier="nowrap">{w.kind}</Th>
                <Th className="dv-col-state" modifier="nowrap">
                    {common.state}
                </Th>
                <Th className="dv-col-cpu" modifier="nowrap">
                    {w.cpu}
                </Th>
                <Th className="dv-col-memory" modifier="nowrap">
                    {w.memory}
                </Th>
                <Th className="dv-col-tags" modifier="nowrap">
                    {w.tags}
                </Th>
            </>
        }
        row={(one, place) => <Row key={one.key} one={one} index={place} />}
    />
)

const Row = ({ one, index }: { one: Workload; index: number }) => (
    <Tr data-workload={one.name} data-kind={one.kind} aria-rowindex={index + 2}>
        <Cell className="dv-col-name">
            <Link to={one.to as string} className="dv-link">
                {one.name}
            </Link>{' '}
            {one.mark}
        </Cell>
        <Cell>{w.kinds[one.kind]}</Cell>
        <Cell className="dv-col-state">{one.state}</Cell>
        <Cell className="dv-col-cpu">{one.running ? percent(one.cpu) : ''}</Cell>
        <Cell className="dv-col-memory">{one.running ? bytes(one.memoryBytes) : ''}</Cell>
        <Cell className="dv-col-tags">
            <Tags of={one.tags.slice(0, 3)} />
        </Cell>
    </Tr>
)

export const workloads: PanelEntry = {
    name: 'workloads',
    nav: [
        {
            to: '/workloads',
            label: w.title,
            icon: LayersIcon,
            permission: ['vm.view', 'container.view', 'stack.view'],
            order: 1,
        },
    ],
    pages: [{ path: '/workloads', component: Workloads, title: w.title }],
}
