// The pane at the bottom of every page: what runs, what is done, what failed.
import { Button } from '@patternfly/react-core'
import DownIcon from '@patternfly/react-icons/dist/esm/icons/angle-down-icon'
import UpIcon from '@patternfly/react-icons/dist/esm/icons/angle-up-icon'
import WarningIcon from '@patternfly/react-icons/dist/esm/icons/exclamation-triangle-icon'
import { Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { State } from '../../gen/proto/capabilities/task/task_pb.js'
import { isAway } from '../client.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { Quiet } from '../parts.panel.tsx'
import { plural } from '../words.panel.tsx'
import { TaskTable } from './rows.panel.tsx'
import { newestFirst, TaskProgress, tasks } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const SHOWN = 30

export function TaskPane() {
    const snapshot = useLive(tasks)
    const [open, setOpen] = useState(false)
    const rows = useMemo(() => newestFirst(snapshot.list).slice(0, SHOWN), [snapshot])
    const running = rows.filter(t => t.state === State.RUNNING)
    const latest = running[0] ?? rows[0]
    const lost = snapshot.state === 'lost' || (snapshot.state === 'connecting' && snapshot.trouble !== undefined)
    return (
        <aside className="dv-pane" aria-label={words.tasks} data-pane={open ? 'open' : 'closed'}>
            <div className="dv-pane-bar">
                <Button
                    variant="plain"
                    size="sm"
                    className="dv-pane-toggle"
                    aria-expanded={open}
                    aria-label={open ? words.hide : words.show}
                    icon={open ? <DownIcon /> : <UpIcon />}
                    onClick={() => setOpen(!open)}
                >
                    {words.tasks}
                </Button>
                {/* The one stream that every page has: it knows first that the server is away. */}
                {lost ? (
                    <span className="dv-away" role="status" data-server="lost">
                        <WarningIcon aria-hidden /> {isAway(snapshot.trouble) ? words.away : snapshot.trouble?.summary}
                    </span>
                ) : (
                    <span className="dv-quiet" data-server={snapshot.state} data-running={running.length}>
                        {running.length > 0 ? plural(words.runningNow, running.length) : words.quiet}
                    </span>
                )}
                {latest && !open && (
                    <span className="dv-pane-latest">
                        <span className="dv-pane-title">{latest.title}</span> <TaskProgress task={latest} short />
                    </span>
                )}
                {open && (
                    <Link to={'/tasks' as string} className="dv-pane-all">
                        {words.all}
                    </Link>
                )}
            </div>
            {open && (
                // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
                <section className="dv-pane-body" tabIndex={0} aria-label={words.tasks}>
                    {rows.length === 0 ? <Quiet>{words.emptyHelp}</Quiet> : <TaskTable tasks={rows} />}
                </section>
            )}
        </aside>
    )
}
