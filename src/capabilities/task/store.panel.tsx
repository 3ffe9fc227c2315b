// The live list of tasks, and how one looks.
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { Label, Progress } from '@patternfly/react-core'
import { State, type Task, TaskService, type WatchResponse } from '../../gen/proto/capabilities/task/task_pb.js'
import { act, begunHere, notifyTrouble } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { live } from '../live.panel.tsx'
import { words } from './words.panel.tsx'

const settled = new Set<(task: Task) => void>()

/** Tells of every task that ends from now on, whoever began it; the answer ends that. */
export function onSettled(listener: (task: Task) => void): () => void {
    settled.add(listener)
    return () => settled.delete(listener)
}

/** The tasks the person may see. One begun in this window that fails says so. */
export const tasks = live<WatchResponse, Task>({
    open: signal => clientOf(TaskService).watch({}, { signal }),
    keeps: true,
    apply(draft, { task, existing }) {
        if (!task) return
        const before = draft.get(task.id)
        draft.put(task.id, task)
        // One that ended while the connection was away is told as existing, and ended all the same.
        const isNews = before ? before.state !== task.state : !existing
        if (task.state !== State.RUNNING && isNews) for (const listener of [...settled]) listener(task)
        if (task.state === State.RUNNING || !begunHere.has(task.id)) return
        begunHere.delete(task.id)
        if (task.problem && (task.state === State.FAILED || task.state === State.INTERRUPTED)) {
            notifyTrouble({ ...task.problem, summary: `${task.title}: ${task.problem.summary}` })
        }
    },
})

export const newestFirst = (list: readonly Task[]): Task[] =>
    [...list].sort((a, b) => (b.started ? timestampMs(b.started) : 0) - (a.started ? timestampMs(a.started) : 0))

const looks: Record<number, 'blue' | 'green' | 'red' | 'grey' | 'orange'> = {
    [State.RUNNING]: 'blue',
    [State.DONE]: 'green',
    [State.FAILED]: 'red',
    [State.CANCELLED]: 'grey',
    [State.INTERRUPTED]: 'orange',
}

export const stateWord = (state: State): string => (words.states as Record<number, string>)[state] ?? words.states[0]

export const TaskLabel = (props: { state: State }) => (
    <Label isCompact color={looks[props.state] ?? 'grey'} data-task-state={State[props.state]}>
        {stateWord(props.state)}
    </Label>
)

/** How far a running task is. */
export function TaskProgress({ task, short }: { task: Task; short?: boolean }) {
    if (task.state !== State.RUNNING) return <TaskLabel state={task.state} />
    if (task.progress < 0) return <span className="dv-quiet">{task.phase || stateWord(task.state)}</span>
    return (
        <Progress
            value={task.progress * 100}
            size="sm"
            measureLocation="none"
            aria-label={`${task.title}: ${words.progress}`}
            title={short ? undefined : task.phase || undefined}
            className="dv-progress"
        />
    )
}

export const cancelTask = (task: Task): Promise<boolean> => act(() => clientOf(TaskService).cancel({ id: task.id }))
