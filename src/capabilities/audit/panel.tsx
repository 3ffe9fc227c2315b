// The page of the audit log, and its place in the panel.
import AuditIcon from '@patternfly/react-icons/dist/esm/icons/clipboard-list-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'audit',
    tabs: [
        {
            on: 'vm',
            key: 'audit',
            label: words.audit,
            order: 70,
            permission: 'audit.view',
            component: lazy(() => import('./object.panel.tsx')),
        },
    ],
    nav: [{ to: '/audit', label: words.audit, icon: AuditIcon, permission: 'audit.view', order: 60 }],
    pages: [{ path: '/audit', component: lazy(() => import('./audit.panel.tsx')), title: words.audit }],
}
