// The certificate's tab on the page of the node, and what of it needs attention.
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { useCertificateWarnings } from './store.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'certificate',
    useWarnings: useCertificateWarnings,
    tabs: [
        {
            on: 'node',
            key: 'certificate',
            label: words.title,
            order: 35,
            permission: 'certificate.view',
            component: lazy(() => import('./certificate.panel.tsx')),
        },
    ],
}
