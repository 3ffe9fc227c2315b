// The versions of a stack, and the way back to an older one.
import { Button, Label } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { moment } from '../format.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { CopyBlock, Loading, Quiet, TroubleNote } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import type { TabProps } from './detail.panel.tsx'
import { covered } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const w = words.history
const api = clientOf(StackService)

export default function History({ stack, detail }: TabProps) {
    const may = useMay()
    const [shown, setShown] = useState(0)
    const mayChange = may('stack.update', covered(stack))
    return (
        <>
            <Table aria-label={words.tab.history} variant="compact">
                <Thead>
                    <Tr>
                        <Th>{w.version}</Th>
                        <Th>{w.at}</Th>
                        <Th>{w.by}</Th>
                        <Th>{w.note}</Th>
                        <Th screenReaderText={common.actions} />
                    </Tr>
                </Thead>
                <Tbody>
                    {detail.versions.map(({ number, at, by, note }) => (
                        <Tr key={number} data-version={number}>
                            <Td>
                                {number}{' '}
                                {number === stack.applied && (
                                    <Label isCompact color="green" data-runs={number}>
                                        {w.runs}
                                    </Label>
                                )}
                            </Td>
                            <Td>{moment(at)}</Td>
                            <Td>{by}</Td>
                            <Td className="dv-anywhere">{note}</Td>
                            <Td isActionCell>
                                {mayChange && (
                                    <Button
                                        variant="link"
                                        size="sm"
                                        data-action="show"
                                        onClick={() => setShown(shown === number ? 0 : number)}
                                    >
                                        {w.show}
                                    </Button>
                                )}
                                {mayChange && number !== stack.version && (
                                    <Button
                                        variant="link"
                                        size="sm"
                                        data-action="rollback"
                                        onClick={() => askRollback(stack.name, number)}
                                    >
                                        {w.back}
                                    </Button>
                                )}
                            </Td>
                        </Tr>
                    ))}
                </Tbody>
            </Table>
            {shown > 0 && <Older stack={stack.name} version={shown} />}
        </>
    )
}

function Older(props: { stack: string; version: number }) {
    const { stack, version } = props
    const query = useQuery({
        queryKey: ['stack-version', stack, version],
        queryFn: ({ signal }) => api.getVersion({ stack, version }, { signal }),
    })
    if (query.isError) return <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />
    if (!query.data) return <Loading />
    return <CopyBlock label={fill(w.fileOf, { version })} text={query.data.composeFile} tall />
}

const askRollback = (stack: string, version: number): void =>
    openDialog(close => (
        <PlanDialog
            title={fill(w.backTitle, { name: stack, version })}
            submit={w.back}
            ask={dryRun => api.rollback({ stack, version, dryRun })}
            close={close}
            calm
        >
            <Quiet>{w.backHelp}</Quiet>
        </PlanDialog>
    ))
