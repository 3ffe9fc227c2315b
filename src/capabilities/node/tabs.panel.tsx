// The head of the node's pages: its name and one tab for each.
import { Button } from '@patternfly/react-core'
import { useNavigate, useRouterState } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useMay } from '../me.panel.tsx'
import { useObjectTabs } from '../pages.panel.tsx'
import { Anchor, PageHead } from '../parts.panel.tsx'
import { PageTabs } from '../tabs.panel.tsx'
import { words as configuration } from './configuration-words.panel.tsx'
import { words as inspect } from './machine-words.panel.tsx'
import { useFacts } from './overview.panel.tsx'
import { words } from './words.panel.tsx'

const own = [
    { key: '/node', label: inspect.summary, permission: 'node.view', order: 0 },
    { key: '/node/disks', label: inspect.disks, permission: 'node.view', order: 10 },
    { key: '/node/services', label: inspect.services, permission: 'node.view', order: 20 },
    { key: '/node/journal', label: inspect.journal, permission: 'node.journal', order: 30 },
    { key: '/node/about', label: inspect.about, permission: 'node.view', order: 90 },
]

export function NodeTabs(props: { children: ReactNode; fill?: boolean }) {
    const may = useMay()
    const facts = useFacts()
    const navigate = useNavigate()
    const path = useRouterState({ select: s => s.location.pathname })
    const others = useObjectTabs('node').map(tab => ({ ...tab, key: `/node/${tab.key}` }))
    const shown = [...own, ...others].filter(tab => may(tab.permission)).sort((a, b) => a.order - b.order)
    return (
        <>
            <PageHead title={facts.data?.hostname ?? words.node}>
                {may('node.configure') && (
                    <Button variant="secondary" component={Anchor} href="/node/configuration" data-action="configure">
                        {configuration.open}
                    </Button>
                )}
            </PageHead>
            <PageTabs
                id="node-tab"
                label={words.node}
                tabs={shown}
                current={path}
                go={to => void navigate({ to: to as string })}
                fills={props.fill && 'column'}
            >
                {props.children}
            </PageTabs>
        </>
    )
}
