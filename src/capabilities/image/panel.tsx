// The page of images and storage, and its place in the panel.
import ImagesIcon from '@patternfly/react-icons/dist/esm/icons/database-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'image',
    nav: [{ to: '/images', label: words.images, icon: ImagesIcon, permission: 'image.view', order: 20 }],
    pages: [{ path: '/images', component: lazy(() => import('./images.panel.tsx')), title: words.images }],
}
