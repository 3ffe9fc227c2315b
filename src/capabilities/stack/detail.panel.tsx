// One stack: its head with state and what is to be done, and its tabs, each with an address of its own.
import { Alert, Button } from '@patternfly/react-core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { type ComponentType, lazy, Suspense } from 'react'
import { type Detail, type Stack, StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { openDialog } from '../act.panel.tsx'
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
import { common, fill } from '../words.panel.tsx'
import { askUp, useActions } from './actions.panel.tsx'
import { covered, Marked, StateLabel, stacks } from './store.panel.tsx'
import { TakeInDialog } from './take-in.panel.tsx'
import { words } from './words.panel.tsx'

export interface TabProps {
    stack: Stack
    detail: Detail
}

interface Own {
    key: keyof typeof words.tab
    permission: string
    /** Only of one whose file is kept here. */
    managed?: boolean
    fills?: boolean
    component: ComponentType<TabProps>
}

const own: Own[] = [
    { key: 'services', permission: 'stack.view', component: lazy(() => import('./services.panel.tsx')) },
    { key: 'file', permission: 'stack.update', managed: true, component: lazy(() => import('./file.panel.tsx')) },
    { key: 'history', permission: 'stack.view', managed: true, component: lazy(() => import('./history.panel.tsx')) },
    { key: 'logs', permission: 'stack.logs', fills: true, component: lazy(() => import('./logs.panel.tsx')) },
]

/** What of the line tells that the rest may be another. */
const basisOf = (one: Stack | undefined): unknown[] =>
    one
        ? [one.name, one.managed, one.version, one.applied, one.unfinished, one.running, one.containers, ...one.drift]
        : []

export default function StackPage() {
    const params = useParams({ strict: false }) as { stack: string; tab?: string }
    const navigate = useNavigate()
    const snapshot = useLive(stacks)
    const may = useMay()
    const menu = useActions()
    const one = snapshot.items.get(params.stack)
    const detail = useQuery({
        queryKey: ['stack', ...basisOf(one)],
        queryFn: ({ signal }) => clientOf(StackService).get({ stack: params.stack }, { signal }),
        enabled: one !== undefined,
        placeholderData: keepPreviousData,
        select: answer => answer.detail,
    })
    if (!one) {
        if (snapshot.state === 'connecting') return <Connecting of={snapshot} />
        return (
            <PageBody>
                <EmptyHint title={words.gone} body={words.goneHelp}>
                    <Link to={'/stacks' as string}>{words.stacks}</Link>
                </EmptyHint>
            </PageBody>
        )
    }
    const tabs = own.filter(tab => (one.managed || !tab.managed) && may(tab.permission, covered(one)))
    const current = tabs.find(tab => tab.key === params.tab) ?? tabs[0] ?? own[0]!
    const waits = one.managed && (one.applied !== one.version || one.drift.length > 0 || one.unfinished > 0)
    return (
        <>
            <PageHead
                title={one.name}
                aside={
                    <span>
                        <StateLabel of={one} /> <Marked of={one} />
                    </span>
                }
                below={
                    <>
                        <Freshness of={snapshot} stale={words.stale} />
                        <Waiting of={one} />
                    </>
                }
            >
                {waits && may('stack.power', covered(one)) && (
                    <Button variant="primary" data-action="up" onClick={() => askUp(one.name)}>
                        {words.up}
                    </Button>
                )}
                {!one.managed && may('stack.create') && (
                    <Button
                        variant="primary"
                        data-action="take-in"
                        onClick={() => openDialog(close => <TakeInDialog stack={one} close={close} />)}
                    >
                        {words.takeIn}
                    </Button>
                )}
                <ActionMenu
                    label={common.actions}
                    text={common.actions}
                    actions={menu(one, detail.data?.volumes).filter(({ key }) => !(waits && key === 'up'))}
                />
            </PageHead>
            <PageTabs
                id="stack-tab"
                label={one.name}
                tabs={tabs.map(({ key }) => ({ key, label: words.tab[key] }))}
                current={current.key}
                go={tab =>
                    void navigate({
                        to: '/stacks/$stack/$tab' as string,
                        params: { stack: one.name, tab } as never,
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
                        <current.component key={one.name} stack={one} detail={detail.data} />
                    </Suspense>
                )}
            </PageTabs>
        </>
    )
}

/** What is not as it is meant to be, in words. */
function Waiting({ of }: { of: Stack }) {
    if (!of.managed) return <Alert isInline isPlain variant="info" title={words.foreign} data-waiting="foreign" />
    if (of.unfinished > 0)
        return (
            <Alert
                isInline
                isPlain
                variant="warning"
                data-waiting="unfinished"
                title={fill(words.unfinished, { version: of.unfinished })}
            >
                {words.unfinishedHelp}
            </Alert>
        )
    if (of.drift.length > 0)
        return (
            <Alert
                isInline
                isPlain
                variant="warning"
                data-waiting="drift"
                title={fill(words.driftTitle, { version: of.applied })}
            >
                {of.drift.slice(0, 5).join('; ')}. {words.driftHelp}
            </Alert>
        )
    if (of.applied !== of.version)
        return (
            <Alert
                isInline
                isPlain
                variant="info"
                data-waiting="version"
                title={of.applied ? fill(words.pending, { version: of.version }) : words.pendingNone}
            />
        )
    return null
}
