// A table of tasks; a click shows the log and what went wrong.

import { timestampMs } from '@bufbuild/protobuf/wkt'
import { Button, Modal, ModalBody, ModalHeader } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { State, type Task, TaskService } from '../../gen/proto/capabilities/task/task_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { duration, exactMoment, moment } from '../format.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { CopyBlock, Loading, Quiet, TroubleNote } from '../parts.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { cancelTask, TaskLabel, TaskProgress, tasks } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const took = (task: Task): string =>
    task.started && task.ended ? duration(Math.max(0, timestampMs(task.ended) - timestampMs(task.started))) : ''

export const showTask = (id: string): void => openDialog(close => <TaskDialog id={id} close={close} />)

/** Its title; a click shows the log. */
export const TaskLink = ({ task }: { task: Task }) => (
    <Button
        variant="link"
        isInline
        className="dv-anywhere dv-left"
        aria-label={fill(words.details, { title: task.title })}
        onClick={() => showTask(task.id)}
    >
        {task.title}
    </Button>
)

export function TaskTable(props: { tasks: readonly Task[] }) {
    return (
        <Table aria-label={words.tasks} variant="compact">
            <Thead>
                <Tr>
                    <Th width={35}>{words.task}</Th>
                    <Th width={20}>{common.state}</Th>
                    <Th>{words.by}</Th>
                    <Th>{words.started}</Th>
                    <Th>{words.took}</Th>
                    <Th screenReaderText={common.actions} />
                </Tr>
            </Thead>
            <Tbody>
                {props.tasks.map(task => (
                    <Tr key={task.id} data-task={task.id} data-kind={task.kind}>
                        <Td dataLabel={words.task}>
                            <TaskLink task={task} />
                            {task.problem && task.state !== State.RUNNING && (
                                <div className="dv-quiet dv-anywhere">{task.problem.summary}</div>
                            )}
                        </Td>
                        <Td dataLabel={common.state}>
                            <TaskProgress task={task} />
                        </Td>
                        <Td dataLabel={words.by}>{task.owner}</Td>
                        <Td dataLabel={words.started} modifier="nowrap">
                            {moment(task.started)}
                        </Td>
                        <Td dataLabel={words.took}>{took(task)}</Td>
                        <Td>
                            {task.state === State.RUNNING && task.cancellable && (
                                <Button
                                    variant="link"
                                    isInline
                                    data-action="cancel-task"
                                    aria-label={`${words.cancel}: ${task.title}`}
                                    onClick={() => void cancelTask(task)}
                                >
                                    {words.cancel}
                                </Button>
                            )}
                        </Td>
                    </Tr>
                ))}
            </Tbody>
        </Table>
    )
}

function TaskDialog(props: { id: string; close: () => void }) {
    // The log is told only where one task is asked for: it is asked for again whenever the list tells of this one.
    const told = useLive(tasks).items.get(props.id)
    const query = useQuery({
        queryKey: ['task', props.id],
        queryFn: ({ signal }) => clientOf(TaskService).get({ id: props.id }, { signal }),
    })
    const { refetch } = query
    // biome-ignore lint/correctness/useExhaustiveDependencies: what was told is the event
    useEffect(() => void refetch(), [told, refetch])
    const task = query.data?.task
    return (
        <Modal isOpen variant="medium" onClose={props.close} aria-labelledby="task-title" data-dialog="task">
            <ModalHeader title={task?.title ?? words.task} labelId="task-title" />
            <ModalBody>
                {query.isError && <TroubleNote trouble={troubleOf(query.error)} />}
                {!task && !query.isError && <Loading />}
                {task && (
                    <>
                        <div className="dv-inline dv-gap">
                            <TaskLabel state={task.state} />
                            <span className="dv-quiet">
                                {[task.phase, task.owner, moment(task.started), took(task)].filter(Boolean).join(' · ')}
                            </span>
                            {task.state === State.RUNNING && task.cancellable && (
                                <Button variant="link" isInline onClick={() => void cancelTask(task)}>
                                    {words.cancel}
                                </Button>
                            )}
                        </div>
                        {task.problem && task.problem.summary !== '' && <TroubleNote trouble={task.problem} />}
                        {task.log.length === 0 ? (
                            <Quiet>{words.noLog}</Quiet>
                        ) : (
                            <CopyBlock
                                label={words.log}
                                tall
                                text={task.log.map(line => `${exactMoment(line.at)}  ${line.text}`).join('\n')}
                            />
                        )}
                    </>
                )}
            </ModalBody>
        </Modal>
    )
}
