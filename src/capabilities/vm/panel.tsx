// The virtual machines' pages and their place in the panel.
import VmIcon from '@patternfly/react-icons/dist/esm/icons/virtual-machine-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { BusiestCard, StatesCard, useVmWarnings } from './overview.panel.tsx'
import { branch, finder } from './tree.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'vm',
    finder,
    cards: [
        { key: 'states', title: words.over.byState, order: 10, permission: 'vm.view', component: StatesCard },
        { key: 'busiest', title: words.over.busiest, order: 40, permission: 'vm.view', component: BusiestCard },
    ],
    useWarnings: useVmWarnings,
    nav: [{ to: '/vms', label: words.vms, icon: VmIcon, permission: 'vm.view', order: 10, branch }],
    pages: [
        { path: '/vms', component: lazy(() => import('./list.panel.tsx')), title: words.vms },
        { path: '/vms/$vm', component: lazy(() => import('./detail.panel.tsx')), title: words.vm },
        { path: '/vms/$vm/$tab', component: lazy(() => import('./detail.panel.tsx')), title: words.vm },
        { path: '/create', component: lazy(() => import('./create.panel.tsx')), title: words.create },
    ],
}
