// The tree on the left: every page, and below it what there is, each with an address; by mouse and by keyboard.
import AngleIcon from '@patternfly/react-icons/dist/esm/icons/angle-right-icon'
import { useNavigate } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, useContext, useEffect, useMemo, useRef, useState } from 'react'
import { useAllLive } from '../../capabilities/all-live.panel.tsx'
import { isTexts, useKept } from '../../capabilities/kept.panel.tsx'
import { useMay } from '../../capabilities/me.panel.tsx'
import { type Leaf, type NavEntry, PanelTable } from '../../capabilities/pages.panel.tsx'
import { Anchor, placeOf } from '../../capabilities/parts.panel.tsx'
import { fill } from '../../capabilities/words.panel.tsx'
import { words } from './words.ts'

interface Row {
    id: string
    depth: number
    label: string
    to?: string
    entry?: NavEntry
    leaf?: Leaf
    /** Undefined where nothing hangs below it. */
    open?: boolean
    /** The row below which this one hangs. */
    above: string
}

const ROW_PX = 32
const EVERY_MS = 1_000
const NOTHING: string[] = []

/** The pages the person may see, in their order. */
export function useEntries(): NavEntry[] {
    const table = useContext(PanelTable)
    const may = useMay()
    return useMemo(
        () =>
            table
                .flatMap(entry => entry.nav ?? [])
                .filter(entry => entry.permission === '' || [entry.permission].flat().some(one => may(one)))
                .sort((a, b) => a.order - b.order),
        [table, may],
    )
}

export function Tree(props: { path: string; search: string }) {
    const entries = useEntries()
    const [open, setOpen] = useKept('tree.open', isTexts, NOTHING)
    const [ways, setWays] = useKept('tree.ways', isTexts, NOTHING)
    const [at, setAt] = useState('')
    const scroller = useRef<HTMLDivElement>(null)
    const navigate = useNavigate()
    const isOpen = useMemo(() => new Set(open), [open])
    const followed = useMemo(
        () => entries.filter(entry => isOpen.has(entry.to)).flatMap(entry => (entry.branch ? [entry.branch.from] : [])),
        [entries, isOpen],
    )
    const turn = useAllLive(followed, EVERY_MS)
    // biome-ignore lint/correctness/useExhaustiveDependencies: `turn` says that a list has changed
    const rows = useMemo(() => rowsOf(entries, isOpen, ways), [entries, isOpen, ways, turn])
    const virtual = useVirtualizer({
        count: rows.length,
        getScrollElement: () => scroller.current,
        estimateSize: () => ROW_PX,
        overscan: 10,
        getItemKey: index => rows[index]?.id ?? index,
    })
    const current = currentRow(rows, props.path, props.search)
    const focused = rows.some(row => row.id === at) ? at : (current?.id ?? rows[0]?.id ?? '')

    const toggle = (row: Row, to: boolean): void => {
        if (row.open === undefined || row.open === to) return
        setOpen(to ? [...open, row.id] : open.filter(id => id !== row.id))
    }
    const visit = (row: Row): void => {
        if (row.to) void navigate(placeOf(row.to) as never)
        else toggle(row, !row.open)
    }
    const moved = useRef(false)
    const move = (index: number): void => {
        const row = rows[Math.max(0, Math.min(rows.length - 1, index))]
        if (!row) return
        moved.current = true
        setAt(row.id)
        virtual.scrollToIndex(rows.indexOf(row))
    }
    // Focus goes to a row that is drawn only after it was scrolled to.
    // biome-ignore lint/correctness/useExhaustiveDependencies: what was moved to is the event
    useEffect(() => {
        if (!moved.current) return
        const frame = requestAnimationFrame(() => {
            moved.current = false
            scroller.current?.querySelector<HTMLElement>('[role=treeitem][tabindex="0"]')?.focus()
        })
        return () => cancelAnimationFrame(frame)
    }, [at])
    const onKeyDown = (event: KeyboardEvent): void => {
        const index = rows.findIndex(row => row.id === focused)
        const row = rows[index]
        if (!row || event.ctrlKey || event.metaKey || event.altKey) return
        switch (event.key) {
            case 'ArrowDown':
                move(index + 1)
                break
            case 'ArrowUp':
                move(index - 1)
                break
            case 'Home':
                move(0)
                break
            case 'End':
                move(rows.length - 1)
                break
            case 'ArrowRight':
                if (row.open === false) toggle(row, true)
                else if (row.open) move(index + 1)
                break
            case 'ArrowLeft':
                if (row.open) toggle(row, false)
                else if (row.above) move(rows.findIndex(other => other.id === row.above))
                break
            case 'Enter':
            case ' ':
                visit(row)
                break
            default:
                return
        }
        event.preventDefault()
    }

    return (
        <nav aria-label={words.navigation} className="dv-tree-box" ref={scroller}>
            <div
                role="tree"
                tabIndex={-1}
                aria-label={words.navigation}
                className="dv-tree"
                style={{ height: virtual.getTotalSize() }}
                onKeyDown={onKeyDown}
            >
                {virtual.getVirtualItems().map(item => {
                    const row = rows[item.index]
                    if (!row) return null
                    const chooser = row.open && row.entry?.branch?.ways
                    return (
                        <div
                            key={row.id}
                            role="treeitem"
                            aria-level={row.depth + 1}
                            aria-expanded={row.open}
                            aria-selected={row.id === current?.id}
                            aria-label={spoken(row)}
                            tabIndex={row.id === focused ? 0 : -1}
                            className="dv-tree-row"
                            data-depth={row.depth}
                            data-tree={row.label}
                            style={{ transform: `translateY(${item.start}px)` }}
                            onFocus={event => event.target === event.currentTarget && setAt(row.id)}
                        >
                            <button
                                type="button"
                                tabIndex={-1}
                                className="dv-tree-toggle"
                                disabled={row.open === undefined}
                                aria-label={fill(row.open ? words.closeBranch : words.openBranch, { name: row.label })}
                                onClick={() => toggle(row, !row.open)}
                            >
                                {row.open !== undefined && <AngleIcon className={row.open ? 'dv-turned' : undefined} />}
                            </button>
                            <Label row={row} toggle={() => toggle(row, !row.open)} />
                            {chooser && (
                                <select
                                    className="dv-tree-way"
                                    aria-label={fill(words.groupBy, { name: row.label })}
                                    value={wayOf(row.entry!, ways)}
                                    onChange={event =>
                                        setWays([
                                            ...ways.filter(way => !way.startsWith(`${row.id} `)),
                                            `${row.id} ${event.target.value}`,
                                        ])
                                    }
                                    onKeyDown={event => event.stopPropagation()}
                                >
                                    {chooser.map(way => (
                                        <option key={way.key} value={way.key}>
                                            {way.label}
                                        </option>
                                    ))}
                                </select>
                            )}
                        </div>
                    )
                })}
            </div>
        </nav>
    )
}

function Label({ row, toggle }: { row: Row; toggle: () => void }) {
    const inside = (
        <>
            {row.entry && <row.entry.icon />}
            {row.leaf?.tone && (
                <span className={`dv-dot dv-dot-${row.leaf.tone.look}`} title={row.leaf.tone.word} aria-hidden />
            )}
            <span className="dv-tree-text">{row.label}</span>
            {row.leaf?.count !== undefined && <span className="dv-quiet">{row.leaf.count}</span>}
        </>
    )
    if (row.to)
        return (
            <Anchor href={row.to} tabIndex={-1} className="dv-tree-label" data-nav={row.entry?.to} title={row.label}>
                {inside}
            </Anchor>
        )
    return (
        <button type="button" tabIndex={-1} className="dv-tree-label" onClick={toggle} title={row.label}>
            {inside}
        </button>
    )
}

const spoken = (row: Row): string =>
    [row.label, row.leaf?.tone?.word, row.leaf?.count].filter(part => part !== undefined).join(', ')

const wayOf = (entry: NavEntry, ways: readonly string[]): string => {
    const kept = ways.find(way => way.startsWith(`${entry.to} `))?.slice(entry.to.length + 1)
    const known = entry.branch?.ways ?? []
    return known.find(way => way.key === kept)?.key ?? known[0]?.key ?? ''
}

function rowsOf(entries: readonly NavEntry[], open: ReadonlySet<string>, ways: readonly string[]): Row[] {
    const rows: Row[] = []
    const put = (leaves: readonly Leaf[], above: string, depth: number): void => {
        for (const leaf of leaves) {
            const id = `${above}\n${leaf.key}`
            const isOpen = leaf.leaves ? open.has(id) : undefined
            rows.push({ id, depth, label: leaf.label, to: leaf.to, leaf, open: isOpen, above })
            if (isOpen) put(leaf.leaves?.() ?? [], id, depth + 1)
        }
    }
    for (const entry of entries) {
        const isOpen = entry.branch ? open.has(entry.to) : undefined
        rows.push({ id: entry.to, depth: 0, label: entry.label, to: entry.to, entry, open: isOpen, above: '' })
        if (isOpen && entry.branch) put(entry.branch.leaves(wayOf(entry, ways)), entry.to, 1)
    }
    return rows
}

/** The row of the page that is shown: the one whose address fits the longest. */
function currentRow(rows: readonly Row[], path: string, search: string): Row | undefined {
    const whole = path + search
    let best: Row | undefined
    for (const row of rows) {
        if (!row.to) continue
        const fits =
            row.to === whole ||
            row.to === path ||
            (path.startsWith(`${row.to}/`) && !row.to.includes('?')) ||
            (row.to === '/vms' && path === '/create')
        if (fits && (!best || row.to.length > best.to!.length)) best = row
    }
    return best
}
