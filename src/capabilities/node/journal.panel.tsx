// The journal of the node: filtered by service, seriousness and text, and followed as it comes.
import {
    Button,
    Checkbox,
    FormSelect,
    FormSelectOption,
    SearchInput,
    Toolbar,
    ToolbarContent,
    ToolbarItem,
} from '@patternfly/react-core'
import { useEffect, useRef, useState } from 'react'
import { InspectService, type JournalEntry } from '../../gen/proto/capabilities/node/inspect_pb.js'
import { useFilters, useTyped } from '../address.panel.tsx'
import { clientOf, type Trouble } from '../client.panel.tsx'
import { exactMoment } from '../format.panel.tsx'
import { keepOn } from '../live.panel.tsx'
import { EmptyHint, Loading, Quiet, TroubleNote } from '../parts.panel.tsx'
import { plural } from '../words.panel.tsx'
import { words } from './machine-words.panel.tsx'
import { NodeTabs } from './tabs.panel.tsx'

const FILTERS = ['unit', 'text', 'priority'] as const
const PRIORITIES = ['3', '4', '5', '6'] as const
const PAST = 300
/** What came before these is let go, so that a page left open overnight does not grow. */
const KEPT = 2_000
/** So near to the end is at the end. */
const NEAR_PX = 40

interface Numbered {
    key: number
    entry: JournalEntry
}

function useJournal(filters: Record<(typeof FILTERS)[number], string>, follow: boolean) {
    const [entries, setEntries] = useState<readonly Numbered[]>()
    const [failure, setFailure] = useState<Trouble>()
    const [turn, setTurn] = useState(0)
    const { unit, text, priority } = filters
    // biome-ignore lint/correctness/useExhaustiveDependencies: `turn` is another try
    useEffect(() => {
        const stop = new AbortController()
        let next = 0
        setEntries(undefined)
        setFailure(undefined)
        void keepOn(stop.signal, {
            async run(alive) {
                let first = true
                const wish = {
                    unit,
                    text,
                    lines: PAST,
                    follow,
                    priority: priority === '' ? undefined : Number(priority),
                }
                for await (const answer of clientOf(InspectService).readJournal(wish, { signal: stop.signal })) {
                    alive()
                    setFailure(undefined)
                    const more = answer.entries.map(entry => ({ key: next++, entry }))
                    const fresh = first
                    first = false
                    // After a break all is read anew.
                    setEntries(before => (fresh ? more : [...(before ?? []), ...more]).slice(-KEPT))
                }
                if (!follow) stop.abort()
            },
            broken(why) {
                if (why) setFailure(why)
            },
        })
        return () => stop.abort()
    }, [unit, text, priority, follow, turn])
    return { entries, failure, again: () => setTurn(n => n + 1) }
}

export default function Journal() {
    const [filters, setFilters] = useFilters(FILTERS)
    const [unit, setUnit] = useTyped(filters.unit, value => setFilters({ unit: value }))
    const [text, setText] = useTyped(filters.text, value => setFilters({ text: value }))
    const [follow, setFollow] = useState(true)
    const { entries, failure, again } = useJournal(filters, follow)
    const box = useRef<HTMLElement>(null)
    const atEnd = useRef(true)
    // Whoever has scrolled up reads; the page moves only for those at the end.
    // biome-ignore lint/correctness/useExhaustiveDependencies: new entries are the event
    useEffect(() => {
        if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight
    }, [entries])
    return (
        <NodeTabs fill>
            <Toolbar inset={{ default: 'insetNone' }} className="dv-toolbar">
                <ToolbarContent>
                    <ToolbarItem className="dv-search">
                        <SearchInput
                            aria-label={words.unit}
                            placeholder={words.unit}
                            value={unit}
                            onChange={(_e, value) => setUnit(value)}
                            onClear={() => setUnit('')}
                        />
                    </ToolbarItem>
                    <ToolbarItem className="dv-search">
                        <SearchInput
                            aria-label={words.text}
                            placeholder={words.text}
                            value={text}
                            onChange={(_e, value) => setText(value)}
                            onClear={() => setText('')}
                        />
                    </ToolbarItem>
                    <ToolbarItem>
                        <FormSelect
                            aria-label={words.priority}
                            value={filters.priority}
                            onChange={(_e, value) => setFilters({ priority: value })}
                        >
                            <FormSelectOption value="" label={words.priorities.any} />
                            {PRIORITIES.map(value => (
                                <FormSelectOption key={value} value={value} label={words.priorities[value]} />
                            ))}
                        </FormSelect>
                    </ToolbarItem>
                    <ToolbarItem className="dv-middle">
                        <Checkbox
                            id="follow-journal"
                            label={words.follow}
                            isChecked={follow}
                            onChange={(_e, on) => setFollow(on)}
                        />
                    </ToolbarItem>
                    <ToolbarItem className="dv-middle">
                        <Button
                            variant="link"
                            isInline
                            onClick={() => {
                                atEnd.current = true
                                box.current?.scrollTo({ top: box.current.scrollHeight })
                            }}
                        >
                            {words.newest}
                        </Button>
                    </ToolbarItem>
                </ToolbarContent>
            </Toolbar>
            {failure && <TroubleNote trouble={failure} retry={again} />}
            {!entries && !failure && <Loading />}
            {entries && entries.length === 0 && (
                <EmptyHint title={words.nothing} body={follow ? words.following : undefined} />
            )}
            {entries && entries.length > 0 && (
                <section
                    ref={box}
                    className="dv-journal"
                    aria-label={words.journal}
                    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
                    tabIndex={0}
                    onScroll={event => {
                        const at = event.currentTarget
                        atEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < NEAR_PX
                    }}
                >
                    {entries.map(({ key, entry }) => (
                        <div key={key} className="dv-entry" data-priority={entry.priority} data-entry={entry.source}>
                            <time>{exactMoment(entry.at)}</time>
                            <span className="dv-anywhere">{entry.source}</span>
                            <span className="dv-notes">{entry.text}</span>
                        </div>
                    ))}
                </section>
            )}
            {entries && <Quiet>{plural(words.shown, entries.length)}</Quiet>}
        </NodeTabs>
    )
}
