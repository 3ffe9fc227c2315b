// The head of the node's pages: its name and one tab for each.
import { Button, Tab, Tabs, TabTitleText } from '@patternfly/react-core'
import { useNavigate, useRouterState } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useMay } from '../me.panel.tsx'
import { Anchor, PageBody, PageHead } from '../parts.panel.tsx'
import { words as configuration } from './configuration-words.panel.tsx'
import { words as inspect } from './machine-words.panel.tsx'
import { useFacts } from './overview.panel.tsx'
import { words } from './words.panel.tsx'

const tabs = [
    { to: '/node', label: inspect.summary, permission: 'node.view' },
    { to: '/node/disks', label: inspect.disks, permission: 'node.view' },
    { to: '/node/services', label: inspect.services, permission: 'node.view' },
    { to: '/node/journal', label: inspect.journal, permission: 'node.journal' },
    { to: '/node/about', label: inspect.about, permission: 'node.view' },
]

export function NodeTabs(props: { children: ReactNode; fill?: boolean }) {
    const may = useMay()
    const facts = useFacts()
    const navigate = useNavigate()
    const path = useRouterState({ select: s => s.location.pathname })
    const shown = tabs.filter(tab => may(tab.permission))
    return (
        <>
            <PageHead title={facts.data?.hostname ?? words.node}>
                {may('node.configure') && (
                    <Button variant="secondary" component={Anchor} href="/node/configuration" data-action="configure">
                        {configuration.open}
                    </Button>
                )}
            </PageHead>
            <div className="dv-tabs">
                <Tabs
                    activeKey={path}
                    aria-label={words.node}
                    usePageInsets
                    onSelect={(_e, key) => void navigate({ to: String(key) as string })}
                >
                    {shown.map(tab => (
                        <Tab
                            key={tab.to}
                            eventKey={tab.to}
                            title={<TabTitleText>{tab.label}</TabTitleText>}
                            data-tab={tab.to}
                            tabContentId="node-tab"
                        />
                    ))}
                </Tabs>
            </div>
            <PageBody fill={props.fill}>
                <section
                    id="node-tab"
                    role="tabpanel"
                    aria-label={shown.find(tab => tab.to === path)?.label ?? words.node}
                    className={props.fill ? 'dv-fills dv-column' : undefined}
                >
                    {props.children}
                </section>
            </PageBody>
        </>
    )
}
