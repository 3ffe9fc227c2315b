// A tab that another capability puts on the page of the node.
import { useParams } from '@tanstack/react-router'
import { Suspense } from 'react'
import { useMay } from '../me.panel.tsx'
import { useObjectTabs } from '../pages.panel.tsx'
import { EmptyHint, Forbidden, Loading } from '../parts.panel.tsx'
import { common } from '../words.panel.tsx'
import { useFacts } from './overview.panel.tsx'
import { NodeTabs } from './tabs.panel.tsx'

export default function OtherTab() {
    const { tab } = useParams({ strict: false }) as { tab: string }
    const may = useMay()
    const facts = useFacts()
    const found = useObjectTabs('node').find(one => one.key === tab)
    if (!found) return <EmptyHint title={common.notFound} />
    return (
        <NodeTabs fill={found.fills}>
            {may(found.permission) ? (
                <Suspense fallback={<Loading />}>
                    <found.component uuid="" tags={[]} name={facts.data?.hostname ?? ''} running />
                </Suspense>
            ) : (
                <Forbidden />
            )}
        </NodeTabs>
    )
}
