// The shell's tab on the page of the node.
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'shell',
    tabs: [
        {
            on: 'node',
            key: 'shell',
            label: words.title,
            order: 40,
            permission: 'node.shell',
            fills: true,
            component: lazy(() => import('./shell.panel.tsx')),
        },
    ],
}
