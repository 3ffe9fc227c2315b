// The last tasks, as a card of the first page.
import { useMemo } from 'react'
import { State, type Task } from '../../gen/proto/capabilities/task/task_pb.js'
import { useSampled } from '../all-live.panel.tsx'
import { ago } from '../format.panel.tsx'
import { Anchor, Quiet } from '../parts.panel.tsx'
import { common } from '../words.panel.tsx'
import { TaskLink } from './rows.panel.tsx'
import { newestFirst, TaskProgress, tasks } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const LAST = 6

export function LastTasksCard() {
    const snapshot = useSampled(tasks)
    const rows = useMemo(() => lately(snapshot.list), [snapshot])
    if (snapshot.state === 'connecting') return <Quiet>{snapshot.trouble?.summary ?? common.loading}</Quiet>
    if (rows.length === 0) return <Quiet>{words.emptyHelp}</Quiet>
    return (
        <>
            <ul className="dv-lines">
                {rows.map(task => (
                    <li key={task.id} className="dv-line" data-task-line={task.id}>
                        <TaskLink task={task} />
                        <span className="dv-inline">
                            <span className="dv-quiet">{ago(task.ended ?? task.started)}</span>
                            <TaskProgress task={task} short />
                        </span>
                    </li>
                ))}
            </ul>
            <Anchor href="/tasks">{words.all}</Anchor>
        </>
    )
}

/** Those that run, then the last ones. */
function lately(list: readonly Task[]): Task[] {
    const sorted = newestFirst(list)
    const running = sorted.filter(task => task.state === State.RUNNING)
    return [...running, ...sorted.filter(task => task.state !== State.RUNNING)].slice(0, LAST)
}
