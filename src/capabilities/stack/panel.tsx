// The stacks' pages and their place in the panel.
import StackIcon from '@patternfly/react-icons/dist/esm/icons/process-automation-icon'
import { lazy } from 'react'
import { type PanelEntry, rankOf } from '../pages.panel.tsx'
import { stacks } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const Detail = lazy(() => import('./detail.panel.tsx'))

export const panel: PanelEntry = {
    name: 'stack',
    nav: [{ to: '/stacks', label: words.stacks, icon: StackIcon, permission: 'stack.view', order: 4 }],
    pages: [
        { path: '/stacks', component: lazy(() => import('./list.panel.tsx')), title: words.stacks },
        { path: '/create-stack', component: lazy(() => import('./create.panel.tsx')), title: words.create },
        { path: '/stacks/$stack', component: Detail, title: words.stack },
        { path: '/stacks/$stack/$tab', component: Detail, title: words.stack },
    ],
    finder: {
        permission: 'stack.view',
        from: stacks,
        find: ({ text }) =>
            stacks.get().list.flatMap(({ name }) => {
                const rank = rankOf(name, text)
                return rank === undefined
                    ? []
                    : [{ key: `stack-${name}`, label: name, kind: words.stack, rank, to: `/stacks/${name}` }]
            }),
    },
}
