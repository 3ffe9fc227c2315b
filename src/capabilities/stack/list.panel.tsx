// The list of stacks: live and searched, with those that only Compose knows of.
import { Button } from '@patternfly/react-core'
import PlusIcon from '@patternfly/react-icons/dist/esm/icons/plus-circle-icon'
import StackIcon from '@patternfly/react-icons/dist/esm/icons/process-automation-icon'
import { Th, Tr } from '@patternfly/react-table'
import { Link, useNavigate } from '@tanstack/react-router'
import { useDeferredValue, useMemo, useState } from 'react'
import type { Stack } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { moment } from '../format.panel.tsx'
import { ListFrame } from '../list-frame.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { ActionCell, Cell, LongTable, Tags } from '../long-table.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { ActionMenu, actionsOf, Connecting, EmptyHint, Forbidden, Freshness, Quiet } from '../parts.panel.tsx'
import { common, fill, plural } from '../words.panel.tsx'
import { type Actions, useActions } from './actions.panel.tsx'
import { Marked, StateLabel, stacks } from './store.panel.tsx'
import { versionWord, words } from './words.panel.tsx'

const collator = new Intl.Collator(undefined, { numeric: true })

export default function StackList() {
    const snapshot = useLive(stacks)
    const may = useMay()
    const navigate = useNavigate()
    const actions = useActions()
    const [search, setSearch] = useState('')
    const wanted = useDeferredValue(search)
    const shown = useMemo(() => {
        const text = wanted.trim().toLowerCase()
        return snapshot.list
            .filter(one =>
                `${one.name}\n${one.services.join('\n')}\n${one.tags.join('\n')}`.toLowerCase().includes(text),
            )
            .sort((a, b) => collator.compare(a.name, b.name))
    }, [snapshot, wanted])
    const create = may('stack.create') && (
        <Button
            variant="primary"
            icon={<PlusIcon />}
            data-action="create-stack"
            onClick={() => void navigate({ to: '/create-stack' as string })}
        >
            {words.create}
        </Button>
    )
    if (snapshot.state === 'denied') return <Forbidden />
    if (snapshot.state === 'connecting') return <Connecting of={snapshot} title={words.stacks} />
    const all = plural(words.counted, snapshot.list.length)
    const empty = (
        <EmptyHint title={words.emptyTitle} icon={StackIcon} body={words.emptyHelp}>
            {create}
        </EmptyHint>
    )
    return (
        <ListFrame
            title={words.stacks}
            below={<Freshness of={snapshot} stale={words.stale} />}
            create={create}
            empty={snapshot.list.length === 0 && empty}
            shown={shown.length}
            counted={search === '' ? all : fill(words.countedOf, { shown: shown.length, all })}
            search={{ hint: words.searchHint, value: search, change: setSearch }}
        >
            <LongTable
                label={words.stacks}
                className="dv-containers"
                rows={shown}
                keyOf={one => one.name}
                head={
                    <>
                        <Th className="dv-col-name" modifier="nowrap">
                            {common.name}
                        </Th>
                        <Th className="dv-col-state" modifier="nowrap">
                            {common.state}
                        </Th>
                        <Th modifier="nowrap">{words.version}</Th>
                        <Th modifier="nowrap">{words.services}</Th>
                        <Th className="dv-col-tags" modifier="nowrap">
                            {words.tags}
                        </Th>
                        <Th className="dv-col-uptime" modifier="nowrap">
                            {words.changed}
                        </Th>
                        <Th screenReaderText={common.actions} className="dv-col-actions" />
                    </>
                }
                row={(one, place) => <Row key={one.name} one={one} index={place} actions={actions} />}
            />
        </ListFrame>
    )
}

const Row = ({ one, index, actions }: { one: Stack; index: number; actions: Actions }) => (
    <Tr data-stack={one.name} aria-rowindex={index + 2}>
        <Cell className="dv-col-name">
            <Link to={'/stacks/$stack' as string} params={{ stack: one.name } as never} className="dv-link">
                {one.name}
            </Link>{' '}
            <Marked of={one} />
            {!one.managed && <Quiet>{words.foreign}</Quiet>}
        </Cell>
        <Cell className="dv-col-state">
            <StateLabel of={one} />
        </Cell>
        <Cell>{versionWord(one)}</Cell>
        <Cell>{one.services.join(', ')}</Cell>
        <Cell className="dv-col-tags">
            <Tags of={one.tags.slice(0, 3)} />
        </Cell>
        <Cell className="dv-col-uptime">{one.changed ? moment(one.changed) : ''}</Cell>
        <ActionCell>
            <ActionMenu label={actionsOf(one.name)} actions={actions(one)} />
        </ActionCell>
    </Tr>
)
