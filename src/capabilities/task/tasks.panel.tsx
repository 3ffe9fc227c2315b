// All tasks the person may see.
import { FormSelect, FormSelectOption, Toolbar, ToolbarContent, ToolbarItem } from '@patternfly/react-core'
import TasksIcon from '@patternfly/react-icons/dist/esm/icons/tasks-icon'
import { useMemo, useState } from 'react'
import { useLive } from '../live.panel.tsx'
import { Connecting, EmptyHint, Freshness, PageBody, PageHead } from '../parts.panel.tsx'
import { common } from '../words.panel.tsx'
import { TaskTable } from './rows.panel.tsx'
import { newestFirst, stateWord, tasks } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const SHOWN = 300

export default function Tasks() {
    const snapshot = useLive(tasks)
    const [state, setState] = useState('')
    const rows = useMemo(
        () => newestFirst(snapshot.list.filter(t => state === '' || t.state === Number(state))).slice(0, SHOWN),
        [snapshot, state],
    )
    if (snapshot.state === 'connecting') return <Connecting of={snapshot} title={words.tasks} />
    return (
        <>
            <PageHead title={words.tasks} below={<Freshness of={snapshot} />} />
            <PageBody>
                {snapshot.list.length === 0 ? (
                    <EmptyHint title={words.empty} body={words.emptyHelp} icon={TasksIcon} />
                ) : (
                    <>
                        <Toolbar inset={{ default: 'insetNone' }} className="dv-toolbar">
                            <ToolbarContent>
                                <ToolbarItem>
                                    <FormSelect
                                        aria-label={words.filterState}
                                        value={state}
                                        onChange={(_e, v) => setState(v)}
                                    >
                                        <FormSelectOption value="" label={words.anyState} />
                                        {[1, 2, 3, 4, 5].map(s => (
                                            <FormSelectOption key={s} value={String(s)} label={stateWord(s)} />
                                        ))}
                                    </FormSelect>
                                </ToolbarItem>
                            </ToolbarContent>
                        </Toolbar>
                        {rows.length === 0 ? <EmptyHint title={common.nothingMatches} /> : <TaskTable tasks={rows} />}
                    </>
                )}
            </PageBody>
        </>
    )
}
