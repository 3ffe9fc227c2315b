// The tasks of one object, as a tab on its page.
import { useMemo } from 'react'
import { useLive } from '../live.panel.tsx'
import type { ObjectTabProps } from '../pages.panel.tsx'
import { EmptyHint, Freshness } from '../parts.panel.tsx'
import { TaskTable } from './rows.panel.tsx'
import { newestFirst, tasks } from './store.panel.tsx'
import { words } from './words.panel.tsx'

export default function TasksOf(props: ObjectTabProps) {
    const snapshot = useLive(tasks)
    const rows = useMemo(
        () => newestFirst(snapshot.list.filter(task => task.onId === props.uuid)),
        [snapshot, props.uuid],
    )
    return (
        <>
            <Freshness of={snapshot} />
            {rows.length === 0 ? (
                <EmptyHint title={words.noneOfIt} body={words.emptyHelp} />
            ) : (
                <TaskTable tasks={rows} />
            )}
        </>
    )
}
