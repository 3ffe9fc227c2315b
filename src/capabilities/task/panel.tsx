// The page of tasks, and its place in the panel.
import TasksIcon from '@patternfly/react-icons/dist/esm/icons/tasks-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'task',
    nav: [{ to: '/tasks', label: words.tasks, icon: TasksIcon, permission: '', order: 50 }],
    pages: [{ path: '/tasks', component: lazy(() => import('./tasks.panel.tsx')), title: words.tasks }],
}
