// One container: its head with state and power, and its tabs, each with an address of its own.
import { Button } from '@patternfly/react-core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { type ComponentType, lazy, Suspense } from 'react'
import { type Container, ContainerService, type Detail } from '../../gen/proto/capabilities/container/container_pb.js'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { useMay } from '../me.panel.tsx'
import {
    ActionMenu,
    Connecting,
    EmptyHint,
    Freshness,
    Loading,
    PageBody,
    PageHead,
    TroubleNote,
} from '../parts.panel.tsx'
import { PageTabs } from '../tabs.panel.tsx'
import { common } from '../words.panel.tsx'
import { fits, power, useActions } from './actions.panel.tsx'
import { containers, covered, Marked, StateLabel } from './store.panel.tsx'
import { words } from './words.panel.tsx'

export interface TabProps {
    container: Container
    detail: Detail
}

interface Own {
    key: keyof typeof words.tab
    permission: string
    fills?: boolean
    component: ComponentType<TabProps>
}

const own: Own[] = [
    { key: 'summary', permission: 'container.view', component: lazy(() => import('./summary.panel.tsx')) },
    { key: 'logs', permission: 'container.logs', fills: true, component: lazy(() => import('./logs.panel.tsx')) },
    {
        key: 'terminal',
        permission: 'container.exec',
        fills: true,
        component: lazy(() => import('./terminal.panel.tsx')),
    },
    { key: 'files', permission: 'container.exec', component: lazy(() => import('./files.panel.tsx')) },
    { key: 'environment', permission: 'container.view', component: lazy(() => import('./environment.panel.tsx')) },
    { key: 'inspect', permission: 'container.view', component: lazy(() => import('./inspect.panel.tsx')) },
]

/** What of the line tells that the settings may differ; its load does not. */
const basisOf = (one: Container | undefined): unknown[] =>
    one
        ? [
              one.id,
              one.state,
              one.health,
              one.restarts,
              Number(one.started?.seconds ?? 0n),
              one.name,
              one.restart,
          ].concat([one.networks.join(), one.cpuLimit, Number(one.memoryLimitBytes)])
        : []

export default function ContainerPage() {
    const params = useParams({ strict: false }) as { container: string; tab?: string }
    const navigate = useNavigate()
    const snapshot = useLive(containers)
    const may = useMay()
    const menu = useActions()
    const one = snapshot.items.get(params.container) ?? snapshot.list.find(c => c.name === params.container)
    const detail = useQuery({
        queryKey: ['container', ...basisOf(one)],
        queryFn: ({ signal }) => clientOf(ContainerService).get({ container: one!.id }, { signal }),
        enabled: one !== undefined,
        placeholderData: keepPreviousData,
        select: answer => answer.detail,
    })
    if (!one) {
        if (snapshot.state === 'connecting') return <Connecting of={snapshot} />
        return (
            <PageBody>
                <EmptyHint title={words.gone} body={words.goneHelp}>
                    <Link to={'/containers' as string}>{words.containers}</Link>
                </EmptyHint>
            </PageBody>
        )
    }
    const tabs = own.filter(tab => may(tab.permission, covered(one)))
    const current = tabs.find(tab => tab.key === params.tab) ?? tabs[0] ?? own[0]!
    const verb = (['start', 'unpause', 'stop'] as const).find(v => fits(v, one))
    return (
        <>
            <PageHead
                title={one.name}
                aside={
                    <span>
                        <StateLabel of={one} /> <Marked of={one} />
                    </span>
                }
                below={<Freshness of={snapshot} stale={words.stale} />}
            >
                {verb && may('container.power', covered(one)) && (
                    <Button
                        variant={verb === 'stop' ? 'secondary' : 'primary'}
                        data-action={verb}
                        onClick={() => void power(verb, one)}
                    >
                        {words[verb]}
                    </Button>
                )}
                <ActionMenu label={common.actions} text={common.actions} actions={menu(one, verb ? [verb] : [])} />
            </PageHead>
            <PageTabs
                id="container-tab"
                label={one.name}
                tabs={tabs.map(({ key }) => ({ key, label: words.tab[key] }))}
                current={current.key}
                go={tab =>
                    void navigate({
                        to: '/containers/$container/$tab' as string,
                        params: { container: one.id, tab } as never,
                    })
                }
                fills={current.fills}
            >
                {detail.isError && !detail.data ? (
                    <TroubleNote trouble={troubleOf(detail.error)} retry={() => void detail.refetch()} />
                ) : !detail.data ? (
                    <Loading />
                ) : (
                    <Suspense fallback={<Loading />}>
                        <current.component key={one.id} container={one} detail={detail.data} />
                    </Suspense>
                )}
            </PageTabs>
        </>
    )
}
