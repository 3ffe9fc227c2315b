// The virtual machines' pages and their place in the panel.
import VmIcon from '@patternfly/react-icons/dist/esm/icons/virtual-machine-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import VmList from './list.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'vm',
    nav: [{ to: '/vms', label: words.vms, icon: VmIcon, permission: 'vm.view', order: 10 }],
    pages: [
        { path: '/vms', component: VmList, title: words.vms },
        { path: '/vms/$vm', component: lazy(() => import('./detail.panel.tsx')), title: words.vm },
        { path: '/vms/$vm/$tab', component: lazy(() => import('./detail.panel.tsx')), title: words.vm },
        { path: '/create', component: lazy(() => import('./create.panel.tsx')), title: words.create },
    ],
}
