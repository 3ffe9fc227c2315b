// The pages of the node, and its place in the panel.
import ServerIcon from '@patternfly/react-icons/dist/esm/icons/server-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { words as configuration } from './configuration-words.panel.tsx'
import { words as inspect } from './machine-words.panel.tsx'
import { finder, LoadCard, useNodeWarnings } from './overview.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'node',
    finder,
    cards: [{ key: 'load', title: words.load, order: 5, permission: 'node.view', wide: true, component: LoadCard }],
    useWarnings: useNodeWarnings,
    nav: [{ to: '/node', label: words.node, icon: ServerIcon, permission: 'node.view', order: 40 }],
    pages: [
        { path: '/node', component: lazy(() => import('./node.panel.tsx')), title: words.node },
        { path: '/node/disks', component: lazy(() => import('./disks.panel.tsx')), title: inspect.disks },
        { path: '/node/services', component: lazy(() => import('./services.panel.tsx')), title: inspect.services },
        { path: '/node/journal', component: lazy(() => import('./journal.panel.tsx')), title: inspect.journal },
        { path: '/node/about', component: lazy(() => import('./about.panel.tsx')), title: inspect.about },
        {
            path: '/node/configuration',
            component: lazy(() => import('./configuration.panel.tsx')),
            title: configuration.title,
        },
        { path: '/node/$tab', component: lazy(() => import('./other.panel.tsx')), title: words.node },
    ],
}
