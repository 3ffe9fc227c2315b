// The table of virtual machines: columns as they were chosen, sorted, selected, acted upon.
import { Button, Checkbox, Tooltip } from '@patternfly/react-core'
import PendingIcon from '@patternfly/react-icons/dist/esm/icons/pending-icon'
import PlayIcon from '@patternfly/react-icons/dist/esm/icons/play-icon'
import PowerOffIcon from '@patternfly/react-icons/dist/esm/icons/power-off-icon'
import { Th, Tr } from '@patternfly/react-table'
import { Link } from '@tanstack/react-router'
import { memo, type ReactNode, useCallback, useMemo, useRef } from 'react'
import type { Vm } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { bytes, percent, since } from '../format.panel.tsx'
import { SmallLabel } from '../label.panel.tsx'
import { ActionCell, Cell, LongTable, Tags } from '../long-table.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { ActionMenu, actionsOf } from '../parts.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { fits, power, useVmActions, type VmActions } from './actions.panel.tsx'
import { type ColumnKey, columns, type Sort } from './columns.panel.tsx'
import { isOn, StateLabel } from './store.panel.tsx'
import { words } from './words.panel.tsx'

export function VmTable(props: {
    rows: readonly Vm[]
    shown: readonly ColumnKey[]
    sort: Sort
    onSort: (sort: Sort) => void
    selected: ReadonlySet<string>
    onSelect: (selected: ReadonlySet<string>) => void
}) {
    const { rows, selected, onSelect } = props
    const may = useMay()
    const actions = useVmActions()
    const drawn = useMemo(() => columns.filter(column => props.shown.includes(column.key)), [props.shown])
    const current = useRef(selected)
    current.current = selected
    const toggle = useCallback(
        (uuid: string, on: boolean) => {
            const next = new Set(current.current)
            if (on) next.add(uuid)
            else next.delete(uuid)
            onSelect(next)
        },
        [onSelect],
    )
    const all = rows.length > 0 && rows.every(vm => selected.has(vm.uuid))
    return (
        <LongTable
            label={words.vms}
            rows={rows}
            keyOf={vm => vm.uuid}
            head={
                <>
                    <Th
                        aria-label={words.selectAll}
                        select={{
                            isSelected: all,
                            onSelect: (_e, on) => onSelect(on ? new Set(rows.map(vm => vm.uuid)) : new Set()),
                        }}
                    />
                    {drawn.map((column, index) => (
                        <Th
                            key={column.key}
                            className={`dv-col-${column.key}`}
                            modifier="nowrap"
                            sort={{
                                columnIndex: index,
                                sortBy: {
                                    index: drawn.findIndex(c => c.key === props.sort.key),
                                    direction: props.sort.down ? 'desc' : 'asc',
                                },
                                onSort: (_e, _i, direction) =>
                                    props.onSort({ key: column.key, down: direction === 'desc' }),
                            }}
                        >
                            {column.label}
                        </Th>
                    ))}
                    <Th screenReaderText={common.actions} className="dv-col-actions" />
                </>
            }
            row={(vm, place) => (
                <Row
                    key={vm.uuid}
                    vm={vm}
                    drawn={drawn}
                    index={place}
                    selected={selected.has(vm.uuid)}
                    toggle={toggle}
                    may={may}
                    actions={actions}
                />
            )}
        />
    )
}

const Row = memo(function Row(props: {
    vm: Vm
    drawn: readonly { key: ColumnKey }[]
    index: number
    selected: boolean
    toggle: (uuid: string, on: boolean) => void
    may: ReturnType<typeof useMay>
    actions: VmActions
}) {
    const { vm, may, actions } = props
    const offered = may('vm.power', vm)
    const verb = fits('start', vm)
        ? 'start'
        : fits('shutdown', vm)
          ? 'shutdown'
          : fits('resume', vm)
            ? 'resume'
            : undefined
    return (
        <Tr data-vm={vm.name} data-uuid={vm.uuid} aria-rowindex={props.index + 2} isRowSelected={props.selected}>
            <Cell className="pf-v6-c-table__check">
                <Checkbox
                    id={`select-${vm.uuid}`}
                    aria-label={fill(words.selectOne, { name: vm.name })}
                    isChecked={props.selected}
                    onChange={(_e, on) => props.toggle(vm.uuid, on)}
                />
            </Cell>
            {props.drawn.map(({ key }) => (
                <Cell key={key} className={`dv-col-${key}`}>
                    {cells[key](vm)}
                </Cell>
            ))}
            <ActionCell>
                {offered && verb && (
                    <Button
                        variant="plain"
                        size="sm"
                        data-action={verb}
                        aria-label={`${words[verb]}: ${vm.name}`}
                        title={words[verb]}
                        icon={verb === 'shutdown' ? <PowerOffIcon /> : <PlayIcon />}
                        onClick={() => void power(verb, vm)}
                    />
                )}
                <ActionMenu label={actionsOf(vm.name)} actions={actions(vm, verb ? [verb] : [])} />
            </ActionCell>
        </Tr>
    )
})

function NameCell({ vm }: { vm: Vm }) {
    return (
        <>
            <Link to={'/vms/$vm' as string} params={{ vm: vm.uuid } as never} className="dv-link">
                {vm.name}
            </Link>
            {vm.template && (
                <SmallLabel outline className="dv-after">
                    {words.template}
                </SmallLabel>
            )}
            {vm.pending && (
                <Tooltip content={words.pending}>
                    <span className="dv-after" role="img" aria-label={words.pending}>
                        <PendingIcon />
                    </span>
                </Tooltip>
            )}
        </>
    )
}

const cells: Record<ColumnKey, (vm: Vm) => ReactNode> = {
    name: vm => <NameCell vm={vm} />,
    state: vm => <StateLabel state={vm.state} />,
    cpu: vm => (isOn(vm.state) ? fill(words.busy, { share: percent(vm.cpu), cpus: vm.vcpus }) : vm.vcpus),
    memory: vm => bytes(vm.memoryBytes),
    networks: vm => vm.networks.join(', '),
    tags: vm => <Tags of={vm.tags} />,
    uptime: vm => (isOn(vm.state) && vm.started ? since(vm.started) : ''),
    description: vm => vm.description,
    owner: vm => vm.owner,
    autostart: vm => (vm.autostart ? common.yes : common.no),
}
