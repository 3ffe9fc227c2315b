// The page of networks, and its place in the panel.
import NetworkIcon from '@patternfly/react-icons/dist/esm/icons/network-wired-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { branch, finder, useNetworkWarnings } from './overview.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'network',
    finder,
    useWarnings: useNetworkWarnings,
    nav: [{ to: '/networks', label: words.networks, icon: NetworkIcon, permission: 'network.view', order: 30, branch }],
    pages: [{ path: '/networks', component: lazy(() => import('./networks.panel.tsx')), title: words.networks }],
}
