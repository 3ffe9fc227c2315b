// The page of tasks, and its place in the panel.
import TasksIcon from '@patternfly/react-icons/dist/esm/icons/tasks-icon'
import { lazy } from 'react'
import type { PanelEntry } from '../pages.panel.tsx'
import { LastTasksCard } from './overview.panel.tsx'
import { words } from './words.panel.tsx'

export const panel: PanelEntry = {
    name: 'task',
    cards: [{ key: 'tasks', title: words.last, order: 50, permission: '', component: LastTasksCard }],
    tabs: [
        {
            on: 'vm',
            key: 'tasks',
            label: words.tasks,
            order: 60,
            permission: '',
            component: lazy(() => import('./object.panel.tsx')),
        },
    ],
    nav: [{ to: '/tasks', label: words.tasks, icon: TasksIcon, permission: '', order: 50 }],
    pages: [{ path: '/tasks', component: lazy(() => import('./tasks.panel.tsx')), title: words.tasks }],
}
