// What a capability gives to the panel: its pages, its place in the navigation, and tabs on pages of others.
import type { ComponentType } from 'react'
import { createContext, useContext } from 'react'
import type { Covered } from './me.panel.tsx'

export interface Page {
    /** Route such as `/vms/$vm`. */
    path: string
    component: ComponentType
    title: string
}

export interface NavEntry {
    to: string
    label: string
    icon: ComponentType
    /** Not shown without it. */
    permission: string
    order: number
}

/** A tab that one capability puts on an object's page of another. */
export interface ObjectTab {
    on: 'vm'
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
