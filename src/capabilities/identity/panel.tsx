// The pages of users and of one's own account, and their place in the panel.
import UsersIcon from '@patternfly/react-icons/dist/esm/icons/users-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'identity',
    tabs: [
        {
            on: 'vm',
            key: 'permissions',
            label: words.permissions.title,
            order: 50,
            permission: 'identity.view',
            component: lazy(() => import('./object.panel.tsx')),
        },
    ],
    nav: [{ to: '/users', label: words.users, icon: UsersIcon, permission: 'identity.view', order: 70 }],
    pages: [
        { path: '/users', component: lazy(() => import('./users.panel.tsx')), title: words.usersTokens },
        { path: '/account', component: lazy(() => import('./account.panel.tsx')), title: words.account },
    ],
}
