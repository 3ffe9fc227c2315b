// The console is a tab on the page of a virtual machine.
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'console',
    pages: [
        { path: '/console/$vm', component: lazy(() => import('./alone.panel.tsx')), title: words.console, alone: true },
    ],
    tabs: [
        {
            on: 'vm',
            key: 'console',
            label: words.console,
            order: 10,
            permission: 'console.open',
            fills: true,
            component: lazy(() => import('./console.panel.tsx')),
        },
    ],
}
