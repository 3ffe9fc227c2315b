// The search over everything: Ctrl-K, then the name of a thing, a page, or what to do with a thing, such as 'start web1'.
import { Modal, ModalBody, TextInputGroup, TextInputGroupMain } from '@patternfly/react-core'
import SearchIcon from '@patternfly/react-icons/dist/esm/icons/search-icon'
import { useNavigate } from '@tanstack/react-router'
import { type KeyboardEvent, useContext, useDeferredValue, useEffect, useId, useMemo, useRef, useState } from 'react'
import { openDialog } from '../../capabilities/act.panel.tsx'
import { useAllLive } from '../../capabilities/all-live.panel.tsx'
import { useMay } from '../../capabilities/me.panel.tsx'
import { type Find, PanelTable, rankOf } from '../../capabilities/pages.panel.tsx'
import { placeOf } from '../../capabilities/parts.panel.tsx'
import { fill } from '../../capabilities/words.panel.tsx'
import { setTheme } from './theme.ts'
import { useEntries } from './tree.tsx'
import { words } from './words.ts'

const SHOWN = 12
const EVERY_MS = 500

let isOpen = false

/** Opens the search, once. */
export function openPalette(): void {
    if (isOpen) return
    isOpen = true
    openDialog(close => (
        <Palette
            close={() => {
                isOpen = false
                close()
            }}
        />
    ))
}

/** Ctrl-K, and on a Mac ⌘K, open it from anywhere but from inside a console, which gets its keys itself. */
export function usePaletteKey(): void {
    useEffect(() => {
        const onKey = (event: globalThis.KeyboardEvent): void => {
            if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey)
                return
            if (event.target instanceof Element && event.target.closest('[role=application]')) return
            event.preventDefault()
            openPalette()
        }
        window.addEventListener('keydown', onKey)
        return () => window.removeEventListener('keydown', onKey)
    }, [])
}

function Palette(props: { close: () => void }) {
    const [text, setText] = useState('')
    const [at, setAt] = useState(0)
    const [entered, setEntered] = useState(false)
    const wanted = useDeferredValue(text)
    const finds = useFinds(wanted)
    const navigate = useNavigate()
    const id = useId()
    const list = useRef<HTMLDivElement>(null)
    const chosen = Math.min(at, Math.max(0, finds.length - 1))
    const run = (find: Find | undefined): void => {
        if (!find) return
        props.close()
        if (find.to) void navigate(placeOf(find.to) as never)
        else find.run?.()
    }
    // Enter is for what was typed, also where it comes before what fits was found.
    const ready = entered && wanted === text && finds.length > 0
    // biome-ignore lint/correctness/useExhaustiveDependencies: it is run once
    useEffect(() => {
        if (ready) run(finds[chosen])
    }, [ready])
    // biome-ignore lint/correctness/useExhaustiveDependencies: the choice is the event
    useEffect(() => {
        list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' })
    }, [chosen])
    const onKeyDown = (event: KeyboardEvent): void => {
        const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 6, PageUp: -6 }[event.key]
        if (step !== undefined) {
            event.preventDefault()
            setAt(Math.max(0, Math.min(finds.length - 1, chosen + step)))
        } else if (event.key === 'Enter') {
            event.preventDefault()
            setEntered(true)
        }
    }
    return (
        <Modal
            isOpen
            variant="medium"
            position="top"
            aria-label={words.search}
            onClose={props.close}
            className="dv-palette"
            data-dialog="palette"
            elementToFocus={`#${CSS.escape(`${id}-input`)}`}
        >
            <ModalBody>
                <TextInputGroup>
                    <TextInputGroupMain
                        icon={<SearchIcon />}
                        value={text}
                        type="text"
                        role="combobox"
                        isExpanded
                        aria-controls={`${id}-list`}
                        aria-activedescendant={finds.length > 0 ? `${id}-${chosen}` : undefined}
                        aria-label={words.search}
                        inputId={`${id}-input`}
                        placeholder={words.searchExample}
                        onChange={(_e, value) => {
                            setText(value)
                            setAt(0)
                            setEntered(false)
                        }}
                        onKeyDown={onKeyDown}
                        inputProps={{ 'data-palette': '', autoComplete: 'off', spellCheck: false }}
                    />
                </TextInputGroup>
                <div role="listbox" id={`${id}-list`} aria-label={words.found} className="dv-finds" ref={list}>
                    {finds.map((find, index) => (
                        // biome-ignore lint/a11y/useKeyWithClickEvents: the field above has the keys
                        <div
                            key={find.key}
                            role="option"
                            id={`${id}-${index}`}
                            tabIndex={-1}
                            aria-selected={index === chosen}
                            className="dv-find"
                            data-find={find.key}
                            onMouseMove={() => index !== chosen && setAt(index)}
                            onClick={() => run(find)}
                        >
                            <span className="dv-anywhere">
                                {find.label}
                                {find.hint && <span className="dv-quiet dv-after">{find.hint}</span>}
                            </span>
                            <span className="dv-quiet">{find.kind}</span>
                        </div>
                    ))}
                </div>
                {finds.length === 0 && (
                    <p className="dv-quiet dv-finds-none" role="status">
                        {fill(words.notFound, { text: wanted.trim() })}
                    </p>
                )}
                <p className="dv-quiet dv-finds-help">{words.searchHelp}</p>
            </ModalBody>
        </Modal>
    )
}

/** What fits, the best first. */
function useFinds(typed: string): Find[] {
    const table = useContext(PanelTable)
    const may = useMay()
    const entries = useEntries()
    const finders = useMemo(
        () => table.flatMap(entry => (entry.finder && may(entry.finder.permission) ? [entry.finder] : [])),
        [table, may],
    )
    const lists = useMemo(() => finders.flatMap(finder => (finder.from ? [finder.from] : [])), [finders])
    const turn = useAllLive(lists, EVERY_MS)
    // biome-ignore lint/correctness/useExhaustiveDependencies: `turn` says that a list has changed
    return useMemo(() => {
        const text = typed.trim().toLowerCase().replace(/\s+/g, ' ')
        // 'go to images' is 'images'.
        const verb = words.goTo.split('|').find(word => text.startsWith(`${word} `))
        const bare = verb ? text.slice(verb.length + 1) : text
        const pages: Find[] = entries.flatMap(entry => {
            const rank = rankOf(entry.label, bare)
            return rank === undefined
                ? []
                : [{ key: `page ${entry.to}`, label: entry.label, kind: words.page, rank, to: entry.to }]
        })
        const themes: Find[] = (['system', 'light', 'dark'] as const).flatMap(theme => {
            const label = `${words.theme}: ${words[theme]}`
            const rank = text === '' ? undefined : rankOf(label, bare)
            return rank === undefined
                ? []
                : [{ key: `theme ${theme}`, label, kind: words.todo, rank, run: () => setTheme(theme) }]
        })
        const found = finders.flatMap(finder => finder.find({ text: bare, may }))
        return [...pages, ...themes, ...found].sort((a, b) => a.rank - b.rank).slice(0, SHOWN)
    }, [typed, entries, finders, may, turn])
}
