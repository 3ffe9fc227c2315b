// The page of images and storage, and its place in the panel.
import ImagesIcon from '@patternfly/react-icons/dist/esm/icons/database-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { branch, finder, StorageCard, usePoolWarnings } from './overview.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'image',
    finder,
    cards: [{ key: 'storage', title: words.storage, order: 15, permission: 'image.view', component: StorageCard }],
    useWarnings: usePoolWarnings,
    nav: [{ to: '/images', label: words.images, icon: ImagesIcon, permission: 'image.view', order: 20, branch }],
    pages: [{ path: '/images', component: lazy(() => import('./images.panel.tsx')), title: words.images }],
}
