// Applies of the document: one as it goes on, those that were, what each did, and taking one back.
import { Button, Label, Modal, ModalBody, ModalHeader, Spinner } from '@patternfly/react-core'
import CheckCircleIcon from '@patternfly/react-icons/dist/esm/icons/check-circle-icon'
import ExclamationCircleIcon from '@patternfly/react-icons/dist/esm/icons/exclamation-circle-icon'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import {
    type AppliedRecord,
    type ApplyEvent,
    ProvisionService,
} from '../../gen/proto/capabilities/node/provision_pb.js'
import { begun, openDialog } from '../act.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { useConfirmation } from '../confirm.panel.tsx'
import { duration, exactMoment, moment } from '../format.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { keepOn } from '../live.panel.tsx'
import { ActionMenu, actionsOf, CopyBlock, Loading, Quiet, TroubleNote } from '../parts.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { words } from './configuration-words.panel.tsx'
import { DocumentPlanView, Folded } from './document-plan.panel.tsx'

const api = clientOf(ProvisionService)
const COLOURS: Record<string, 'green' | 'red' | 'blue' | 'orange'> = {
    ...{ done: 'green', failed: 'red', running: 'blue', cancelled: 'orange', interrupted: 'orange' },
}

export const StateLabel = ({ state }: { state: string }) => (
    <Label isCompact color={COLOURS[state] ?? 'grey'} data-state={state}>
        {(words.state as Record<string, string>)[state] ?? state}
    </Label>
)

/** What is told of one apply, as it comes; through breaks of the connection. */
export function useApply(apply: string, ended: () => void): readonly ApplyEvent[] {
    const [events, setEvents] = useState<readonly ApplyEvent[]>([])
    // biome-ignore lint/correctness/useExhaustiveDependencies: `ended` is called, not followed
    useEffect(() => {
        setEvents([])
        if (apply === '') return
        const stop = new AbortController()
        void keepOn(stop.signal, {
            async run(alive) {
                const all: ApplyEvent[] = []
                for await (const { event } of api.watchApply({ apply }, { signal: stop.signal })) {
                    if (!event) continue
                    alive()
                    all.push(event)
                    setEvents([...all])
                    if (event.kind !== 'end') continue
                    stop.abort()
                    ended()
                }
            },
            broken: () => undefined,
        })
        return () => stop.abort()
    }, [apply])
    return events
}

interface Line {
    key: number
    state: 'now' | 'done' | 'failed' | 'note'
    text: string
    note: string
    said: string[]
}

/** A line a step, from what was told of it. */
function linesOf(events: readonly ApplyEvent[]): Line[] {
    const lines: Line[] = []
    const add = (event: ApplyEvent, line: Partial<Line>): void =>
        void lines.push({ key: event.number, state: 'note', text: '', note: '', said: [], ...line })
    for (const event of events) {
        const { kind, text, problem, step, of, tookMs } = event
        const last = lines.at(-1)
        if (kind === 'pass' && step > 1) add(event, { text: fill(words.pass, { summary: text }) })
        if (kind === 'step') add(event, { state: 'now', text, note: of > 0 ? fill(words.step, { at: step, of }) : '' })
        if (kind === 'skipped') add(event, { text: fill(words.skipped, { name: event.resource, why: text }) })
        if (kind === 'said') last?.said.push(text)
        if (kind === 'done' && last) Object.assign(last, { state: 'done', note: tookMs > 1000 ? duration(tookMs) : '' })
        if (kind === 'failed' && last) {
            const why = [problem?.summary, problem?.detail].filter(Boolean).join(': ')
            Object.assign(last, { state: 'failed', note: [why, problem?.fix].filter(Boolean).join('. ') })
        }
    }
    return lines
}

export function Events({ events }: { events: readonly ApplyEvent[] }) {
    const end = events.find(event => event.kind === 'end')
    const lines = linesOf(events)
    return (
        <>
            <ol className="dv-events" data-events>
                {lines.map(line => (
                    <li key={line.key} data-event={line.state === 'now' && end ? 'cut' : line.state}>
                        <span className="dv-event-mark" aria-hidden>
                            {line.state === 'now' && !end && <Spinner size="md" aria-label={line.text} />}
                            {line.state === 'done' && <CheckCircleIcon className="dv-good" />}
                            {(line.state === 'failed' || (line.state === 'now' && end)) && (
                                <ExclamationCircleIcon className="dv-bad" />
                            )}
                        </span>
                        <div className="dv-anywhere">
                            {line.text} {line.note && <span className="dv-quiet">{line.note}</span>}
                            {line.said.length > 0 && (
                                <Folded closed={words.saidBy} opened={words.saidBy}>
                                    <CopyBlock label={words.saidBy} text={line.said.join('\n')} />
                                </Folded>
                            )}
                        </div>
                    </li>
                ))}
            </ol>
            {end && (
                <p data-ended={end.state} className="dv-inline">
                    <StateLabel state={end.state} />
                    {end.problem?.summary
                        ? [end.problem.summary, end.problem.detail, end.problem.fix].filter(Boolean).join('. ')
                        : (words.ended as Record<string, string>)[end.state]}
                </p>
            )}
        </>
    )
}

export function Applies(props: { applies: readonly AppliedRecord[]; begun: (apply: string) => void }) {
    if (props.applies.length === 0) return <Quiet>{words.noHistory}</Quiet>
    return (
        <Table aria-label={words.history} variant="compact">
            <Thead>
                <Tr>
                    <Th>{words.when}</Th>
                    <Th>{words.by}</Th>
                    <Th>{common.state}</Th>
                    <Th>{words.steps}</Th>
                    <Th>{words.failed}</Th>
                    <Th screenReaderText={common.actions} />
                </Tr>
            </Thead>
            <Tbody>
                {props.applies.map(one => (
                    <Tr key={one.id} data-apply={one.id}>
                        <Td dataLabel={words.when}>
                            <Button
                                variant="link"
                                isInline
                                className="dv-left"
                                aria-label={`${words.details}: ${moment(one.started)}`}
                                onClick={() => openDialog(close => <ApplyDialog record={one} close={close} />)}
                            >
                                {moment(one.started)}
                            </Button>
                            {one.summary && <div className="dv-quiet dv-anywhere">{one.summary}</div>}
                        </Td>
                        <Td dataLabel={words.by}>{one.by}</Td>
                        <Td dataLabel={common.state}>
                            <StateLabel state={one.state} />
                        </Td>
                        <Td dataLabel={words.steps}>{one.steps}</Td>
                        <Td dataLabel={words.failed}>{one.failed}</Td>
                        <Td isActionCell>
                            <ActionMenu
                                label={actionsOf(exactMoment(one.started))}
                                actions={[
                                    {
                                        key: 'rollback',
                                        label: words.rollback,
                                        disabled: one.state === 'running',
                                        run: () =>
                                            openDialog(close => (
                                                <RollbackDialog record={one} close={close} begun={props.begun} />
                                            )),
                                    },
                                ]}
                            />
                        </Td>
                    </Tr>
                ))}
            </Tbody>
        </Table>
    )
}

function ApplyDialog(props: { record: AppliedRecord; close: () => void }) {
    const { id, started, by, state } = props.record
    const query = useQuery({
        queryKey: ['node', 'apply', id, state],
        queryFn: ({ signal }) => api.getApply({ apply: id }, { signal }),
    })
    return (
        <Modal isOpen variant="large" onClose={props.close} aria-labelledby="apply-title" data-dialog="apply">
            <ModalHeader title={fill(words.detailsTitle, { when: moment(started) })} labelId="apply-title" />
            <ModalBody>
                {query.isError && <TroubleNote trouble={troubleOf(query.error)} />}
                {query.isLoading && <Loading />}
                {query.data && (
                    <>
                        <div className="dv-inline dv-gap">
                            <StateLabel state={query.data.record?.state ?? state} />
                            <span className="dv-quiet">{[by, id].join(' · ')}</span>
                        </div>
                        <Events events={query.data.events} />
                        <CopyBlock label={words.itsDocument} text={query.data.document} />
                    </>
                )}
            </ModalBody>
        </Modal>
    )
}

function RollbackDialog(props: { record: AppliedRecord; close: () => void; begun: (apply: string) => void }) {
    const { id, started } = props.record
    const confirmation = useConfirmation()
    const query = useQuery({
        queryKey: ['node', 'rollback', id],
        queryFn: ({ signal }) => api.planRollback({ apply: id }, { signal }),
        gcTime: 0,
        staleTime: 0,
    })
    const plan = query.data?.plan
    return (
        <FormDialog
            wide
            danger
            title={fill(words.rollbackTitle, { when: moment(started) })}
            description={words.rollbackText}
            submit={words.rollback}
            close={props.close}
            disabled={!plan || plan.groups.length === 0 || confirmation.missing}
            run={async () => {
                const answer = await confirmation.with(confirmationToken =>
                    api.rollback({ apply: id, hash: plan!.hash, confirmationToken }),
                )
                begun(answer)
                props.begun(answer.object)
            }}
        >
            {query.isError && <TroubleNote trouble={troubleOf(query.error)} />}
            {query.isLoading && <Loading />}
            {plan &&
                (plan.groups.length > 0 ? <DocumentPlanView plan={plan} /> : <Quiet>{words.rollbackNothing}</Quiet>)}
            {plan && plan.groups.length > 0 && confirmation.field}
        </FormDialog>
    )
}
