// A machine's snapshots as a tree: take one, go back to one, delete one, with what is lost said before.
import { Button, Label } from '@patternfly/react-core'
import CameraIcon from '@patternfly/react-icons/dist/esm/icons/camera-icon'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { type Snapshot, type Vm, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { openDialog } from '../act.panel.tsx'
import { callOf, commandOf } from '../call.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { CheckField, ChoiceField, TextField } from '../fields.panel.tsx'
import { moment } from '../format.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { ActionMenu, actionsOf, EmptyHint, Loading, Section, TroubleNote } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import type { VmTabProps } from './detail.panel.tsx'
import { isOn, StateLabel, snapshotName } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const s = words.snap
const api = clientOf(VmService)

/** Parents before their children, with the depth of each; an orphan stands at the top. */
export function asTree(snapshots: readonly Snapshot[]): { snapshot: Snapshot; depth: number }[] {
    const names = new Set(snapshots.map(x => x.name))
    const rows: { snapshot: Snapshot; depth: number }[] = []
    const walk = (parent: string, depth: number): void => {
        for (const snapshot of snapshots) {
            const above = names.has(snapshot.parent) ? snapshot.parent : ''
            if (above !== parent || rows.some(row => row.snapshot === snapshot)) continue
            rows.push({ snapshot, depth })
            walk(snapshot.name, depth + 1)
        }
    }
    walk('', 0)
    return rows
}

export default function Snapshots({ vm, detail }: VmTabProps) {
    const may = useMay()
    const change = may('vm.snapshot', vm)
    const askAgain = useAskAgain()
    const query = useQuery({
        queryKey: ['snapshots', vm.uuid, detail.snapshots, detail.revision],
        queryFn: ({ signal }) => api.listSnapshots({ vm: vm.uuid }, { signal }),
        placeholderData: before => before,
    })
    const done = (): void => {
        askAgain(['snapshots', vm.uuid])
        askAgain(['vm', vm.uuid])
    }
    const take = change && (
        <Button
            variant="primary"
            data-action="snapshot"
            onClick={() => openDialog(close => <Take vm={vm} close={close} done={done} />)}
        >
            {s.create}
        </Button>
    )
    if (query.isError) return <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />
    if (!query.data) return <Loading />
    const rows = asTree(query.data.snapshots)
    if (rows.length === 0)
        return (
            <EmptyHint title={s.empty} icon={CameraIcon} body={s.emptyHelp}>
                {take}
            </EmptyHint>
        )
    return (
        <Section title={words.snapshots} actions={take}>
            <Table aria-label={words.snapshots} variant="compact">
                <Thead>
                    <Tr>
                        <Th width={30}>{s.name}</Th>
                        <Th>{s.taken}</Th>
                        <Th>{s.state}</Th>
                        <Th width={25}>{s.kind}</Th>
                        <Th width={30}>{s.description}</Th>
                        <Th screenReaderText={common.actions} />
                    </Tr>
                </Thead>
                <Tbody>
                    {rows.map(({ snapshot, depth }) => (
                        <Tr key={snapshot.name} data-snapshot={snapshot.name}>
                            <Td dataLabel={s.name}>
                                <span className="dv-branch" data-depth={Math.min(depth, 8)}>
                                    {depth > 0 && <span aria-hidden>└ </span>}
                                    {snapshot.name}
                                </span>
                                {snapshot.current && (
                                    <Label isCompact color="blue" className="dv-after">
                                        {s.current}
                                    </Label>
                                )}
                            </Td>
                            <Td dataLabel={s.taken} modifier="nowrap">
                                {moment(snapshot.created)}
                            </Td>
                            <Td dataLabel={s.state}>
                                <StateLabel state={snapshot.state} />
                            </Td>
                            <Td dataLabel={s.kind}>
                                {snapshot.kind === 'external' ? s.external : s.internal}
                                {snapshot.memory && `, ${s.withMemory}`}
                            </Td>
                            <Td dataLabel={s.description} className="dv-anywhere">
                                {snapshot.description}
                            </Td>
                            <Td isActionCell>
                                {change && (
                                    <ActionMenu
                                        label={actionsOf(snapshot.name)}
                                        actions={[
                                            {
                                                key: 'revert',
                                                label: s.revert,
                                                run: () =>
                                                    openDialog(close => (
                                                        <Revert vm={vm} snapshot={snapshot} close={close} done={done} />
                                                    )),
                                            },
                                            {
                                                key: 'delete-snapshot',
                                                label: common.delete,
                                                danger: true,
                                                run: () =>
                                                    openDialog(close => (
                                                        <Remove vm={vm} snapshot={snapshot} close={close} done={done} />
                                                    )),
                                            },
                                        ]}
                                    />
                                )}
                            </Td>
                        </Tr>
                    ))}
                </Tbody>
            </Table>
        </Section>
    )
}

interface Asked {
    vm: Vm
    close: () => void
    done: () => void
}

function Take(props: Asked) {
    const running = isOn(props.vm.state)
    const [name, setName] = useState(snapshotName)
    const [description, setDescription] = useState('')
    const [kind, setKind] = useState('')
    const [memory, setMemory] = useState(false)
    const [quiesce, setQuiesce] = useState(false)
    return (
        <FormDialog
            title={s.create}
            submit={s.create}
            close={props.close}
            disabled={name === ''}
            call={() => {
                const how = { description, kind, memory, quiesce }
                return callOf(
                    VmService.method.createSnapshot,
                    { vm: props.vm.uuid, name, ...how },
                    commandOf('vm snapshot', [props.vm.name, name], how),
                )
            }}
            done={props.done}
        >
            <TextField name="name" label={s.name} value={name} change={setName} required focus />
            <TextField name="description" label={s.description} value={description} change={setDescription} />
            {running && (
                <CheckField name="memory" label={s.memory} help={s.memoryHelp} value={memory} change={setMemory} />
            )}
            <ChoiceField
                name="kind"
                label={s.kind}
                value={kind}
                change={setKind}
                choices={[
                    { value: '', label: s.kindAuto },
                    { value: 'internal', label: s.internal },
                    { value: 'external', label: s.external },
                ]}
            />
            {running && kind === 'external' && !memory && (
                <CheckField name="quiesce" label={s.quiesce} value={quiesce} change={setQuiesce} />
            )}
        </FormDialog>
    )
}

function Revert(props: Asked & { snapshot: Snapshot }) {
    const [start, setStart] = useState(false)
    return (
        <PlanDialog
            title={fill(s.revertTitle, { name: props.snapshot.name })}
            submit={s.revert}
            close={props.close}
            basis={String(start)}
            ask={dryRun => api.revertSnapshot({ vm: props.vm.uuid, name: props.snapshot.name, start, dryRun })}
            done={props.done}
        >
            <CheckField name="start" label={s.revertStart} value={start} change={setStart} />
        </PlanDialog>
    )
}

function Remove(props: Asked & { snapshot: Snapshot }) {
    const [children, setChildren] = useState(false)
    return (
        <PlanDialog
            title={fill(s.deleteTitle, { name: props.snapshot.name })}
            submit={common.delete}
            close={props.close}
            basis={String(children)}
            ask={dryRun => api.deleteSnapshot({ vm: props.vm.uuid, name: props.snapshot.name, children, dryRun })}
            done={props.done}
        >
            {props.snapshot.children.length > 0 && (
                <CheckField name="children" label={s.children} value={children} change={setChildren} />
            )}
        </PlanDialog>
    )
}
