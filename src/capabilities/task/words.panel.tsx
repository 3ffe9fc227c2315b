// The words of tasks.
import { catalogue } from '../words.panel.tsx'

export const words = catalogue('task', {
    tasks: 'Tasks',
    task: 'Task',
    states: {
        0: 'Unknown',
        1: 'Running',
        2: 'Done',
        3: 'Failed',
        4: 'Cancelled',
        5: 'Interrupted',
    },
    by: 'By',
    started: 'Started',
    took: 'Took',
    progress: 'Progress',
    cancel: 'Cancel',
    log: 'Log',
    noLog: 'It has said nothing.',
    empty: 'No task yet',
    emptyHelp: 'Whatever takes longer than a moment shows up here.',
    last: 'Last tasks',
    noneOfIt: 'No task here yet',
    show: 'Show tasks',
    hide: 'Hide tasks',
    runningNow: { one: '{count} running', other: '{count} running' },
    quiet: 'None running',
    all: 'All tasks',
    anyState: 'Any state',
    filterState: 'Filter by state',
    details: 'Details of {title}',
})
