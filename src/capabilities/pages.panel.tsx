// What a capability gives to the panel: pages, branches of the tree, things to find, cards, and tabs on pages of others.
import type { ComponentType } from 'react'
import { createContext, useContext } from 'react'
import type { Live } from './live.panel.tsx'
import type { Covered } from './me.panel.tsx'

export interface Page {
    /** Route such as `/vms/$vm`. */
    path: string
    component: ComponentType
    title: string
    /** Without the frame around it, for a window of its own. */
    alone?: boolean
}

export interface NavEntry {
    to: string
    label: string
    icon: ComponentType
    /** Not shown without it, or without any of them. */
    permission: string | readonly string[]
    order: number
    /** What hangs below it in the tree. */
    branch?: Branch
}

/** A thing, or a group of things, in the tree on the left. */
export interface Leaf {
    key: string
    label: string
    to?: string
    /** A dot before it, and what it means. */
    tone?: { look: 'good' | 'bad' | 'warn' | 'idle'; word: string }
    /** How many are in a group; the leaves themselves are only asked for while it is open. */
    count?: number
    leaves?: () => Leaf[]
}

export interface Branch {
    /** Followed while the branch is open. */
    from: Live<unknown>
    /** Ways to put things into groups, the first one unless the person chose another. */
    ways?: { key: string; label: string }[]
    leaves(way: string): Leaf[]
}

/** What somebody typed into the search over everything, in lower case. */
export interface Asked {
    text: string
    may: (permission: string, on?: Covered) => boolean
}

/** Something that was found: a place to go to, or something to do. */
export interface Find {
    key: string
    label: string
    /** What it is, in a word or two. */
    kind: string
    hint?: string
    /** Lower is better; `rankOf` says how well a name fits. */
    rank: number
    to?: string
    run?: () => void
}

export interface Finder {
    permission: string
    /** Followed while somebody searches. */
    from?: Live<unknown>
    find(asked: Asked): Find[]
}

/** A card of the first page. */
export interface Card {
    key: string
    title: string
    order: number
    permission: string
    /** Over the whole width. */
    wide?: boolean
    component: ComponentType
}

/** Something that needs attention, with its fix. */
export interface Warning {
    key: string
    severity: 'danger' | 'warning' | 'info'
    title: string
    detail?: string
    fix?: string
    /** Where to look. */
    to?: string
    /** What can be done right here. */
    act?: { label: string; run: () => void }
}

/** A tab that one capability puts on an object's page of another. */
export interface ObjectTab {
    on: 'vm' | 'node'
    key: string
    label: string
    order: number
    permission: string
    /** It takes the height that is left, and scrolls by itself. */
    fills?: boolean
    component: ComponentType<ObjectTabProps>
}

export interface ObjectTabProps extends Covered {
    name: string
    running: boolean
}

export interface PanelEntry {
    name: string
    nav?: NavEntry[]
    pages?: Page[]
    tabs?: ObjectTab[]
    finder?: Finder
    cards?: Card[]
    /** A hook: what of this capability needs attention now. */
    useWarnings?: () => Warning[]
}

/** How well a name fits what was typed: 0 it is the same, 3 it is somewhere in it; undefined where it is not. */
export function rankOf(name: string, text: string): number | undefined {
    const low = name.toLowerCase()
    if (low === text) return 0
    const at = low.indexOf(text)
    if (at < 0) return undefined
    return at === 0 ? 1 : /[^\p{L}\p{N}]/u.test(low[at - 1] ?? '') ? 2 : 3
}

export const PanelTable = createContext<readonly PanelEntry[]>([])

/** The tabs that capabilities put on the page of an object. */
export function useObjectTabs(on: ObjectTab['on']): ObjectTab[] {
    const table = useContext(PanelTable)
    return table
        .flatMap(entry => entry.tabs ?? [])
        .filter(tab => tab.on === on)
        .sort((a, b) => a.order - b.order)
}
