// The tabs of an object's page, and what is in the one that is open.
import { Tab, Tabs, TabTitleText } from '@patternfly/react-core'
import type { ReactNode } from 'react'
import { PageBody } from './parts.panel.tsx'

export function PageTabs(props: {
    /** Of the element that holds the open tab. */
    id: string
    label: string
    tabs: readonly { key: string; label: string }[]
    current: string
    go: (key: string) => void
    /** It takes the height that is left, and scrolls by itself; as a column of parts. */
    fills?: boolean | 'column'
    children: ReactNode
}) {
    const { id, label, tabs, current, go, fills } = props
    return (
        <>
            <div className="dv-tabs">
                <Tabs activeKey={current} aria-label={label} usePageInsets onSelect={(_e, key) => go(String(key))}>
                    {tabs.map(tab => (
                        <Tab
                            key={tab.key}
                            eventKey={tab.key}
                            title={<TabTitleText>{tab.label}</TabTitleText>}
                            data-tab={tab.key}
                            tabContentId={id}
                        />
                    ))}
                </Tabs>
            </div>
            <PageBody fill={Boolean(fills)}>
                <section
                    id={id}
                    role="tabpanel"
                    aria-label={tabs.find(tab => tab.key === current)?.label ?? label}
                    className={fills ? `dv-fills ${fills === 'column' ? 'dv-column' : ''}`.trim() : undefined}
                >
                    {props.children}
                </section>
            </PageBody>
        </>
    )
}
