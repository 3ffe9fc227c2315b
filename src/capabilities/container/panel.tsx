// The containers' pages and their place in the panel.
import CubeIcon from '@patternfly/react-icons/dist/esm/icons/cube-icon'
import CubesIcon from '@patternfly/react-icons/dist/esm/icons/cubes-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { words } from './words.panel.tsx'

const Detail = lazy(() => import('./detail.panel.tsx'))

export const panel: PanelEntry = {
    name: 'container',
    nav: [
        { to: '/containers', label: words.containers, icon: CubeIcon, permission: 'container.view', order: 5 },
        { to: '/container-images', label: words.stores, icon: CubesIcon, permission: 'container.view', order: 25 },
    ],
    pages: [
        { path: '/containers', component: lazy(() => import('./list.panel.tsx')), title: words.containers },
        { path: '/containers/$container', component: Detail, title: words.container },
        { path: '/containers/$container/$tab', component: Detail, title: words.container },
        { path: '/container-images', component: lazy(() => import('./stores.panel.tsx')), title: words.stores },
    ],
}
