// One virtual machine: its head with state and power, and its tabs, each with an address of its own.
import { Alert, Button, List, ListItem } from '@patternfly/react-core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { type ComponentType, lazy, Suspense, useEffect } from 'react'
import { type Vm, type VmDetail, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { useObjectTabs } from '../pages.panel.tsx'
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
import { fits, power, useVmActions } from './actions.panel.tsx'
import { isOn, onTouched, StateLabel, vms } from './store.panel.tsx'
import { words } from './words.panel.tsx'

export interface VmTabProps {
    vm: Vm
    detail: VmDetail
}

const own: { key: string; label: string; order: number; component: ComponentType<VmTabProps> }[] = [
    { key: 'summary', label: words.summary, order: 0, component: lazy(() => import('./summary.panel.tsx')) },
    { key: 'hardware', label: words.hardware, order: 20, component: lazy(() => import('./hardware.panel.tsx')) },
    { key: 'cloud-init', label: words.cloudInit, order: 25, component: lazy(() => import('./seed.panel.tsx')) },
    { key: 'snapshots', label: words.snapshots, order: 30, component: lazy(() => import('./snapshots.panel.tsx')) },
    { key: 'settings', label: words.settings, order: 40, component: lazy(() => import('./settings.panel.tsx')) },
    { key: 'xml', label: words.xml, order: 90, component: lazy(() => import('./xml.panel.tsx')) },
]

const CRUMBS = [{ label: words.vms, to: '/vms' }]

/** The query of a machine's hardware; it is asked for again whenever the live list tells of more than load. */
export function useDetail(uuid: string, known: boolean) {
    return useQuery({
        queryKey: ['vm', uuid],
        queryFn: ({ signal }) => clientOf(VmService).get({ vm: uuid }, { signal }),
        enabled: known,
        placeholderData: keepPreviousData,
        select: answer => answer.detail,
    })
}

export default function VmPage() {
    const params = useParams({ strict: false }) as { vm: string; tab?: string }
    const navigate = useNavigate()
    const snapshot = useLive(vms)
    const may = useMay()
    const menu = useVmActions()
    const askAgain = useAskAgain()
    const vm = snapshot.items.get(params.vm) ?? snapshot.list.find(v => v.name === params.vm)
    const detail = useDetail(vm?.uuid ?? '', vm !== undefined)
    const others = useObjectTabs('vm')

    // virsh and Cockpit change hardware and take snapshots too: the server tells, with a line that may look the same.
    const uuid = vm?.uuid
    useEffect(
        () =>
            onTouched(one => {
                if (one !== uuid) return
                for (const key of ['vm', 'snapshots', 'xml', 'guest']) askAgain([key, one])
            }),
        [uuid, askAgain],
    )

    if (!vm) {
        if (snapshot.state === 'connecting') return <Connecting of={snapshot} />
        return (
            <PageBody>
                <EmptyHint title={words.gone} body={words.goneHelp}>
                    <Link to={'/vms' as string}>{words.vms}</Link>
                </EmptyHint>
            </PageBody>
        )
    }
    const tabs = [
        ...own.map(tab => ({ ...tab, outside: undefined, fills: false })),
        ...others
            .filter(tab => may(tab.permission, vm))
            .map(tab => ({
                key: tab.key,
                label: tab.label,
                order: tab.order,
                fills: tab.fills ?? false,
                component: undefined,
                outside: tab.component,
            })),
    ].sort((a, b) => a.order - b.order)
    const current = tabs.find(tab => tab.key === params.tab) ?? tabs[0]!
    const verb = (['start', 'resume', 'shutdown'] as const).find(v => fits(v, vm))
    return (
        <>
            <PageHead
                title={vm.name}
                crumbs={CRUMBS}
                aside={<StateLabel state={vm.state} />}
                below={
                    <>
                        <Freshness of={snapshot} />
                        {vm.pending && (detail.data?.pendingChanges.length ?? 0) > 0 && (
                            <Alert variant="info" isInline isPlain title={words.pendingTitle} data-pending>
                                <List isPlain>
                                    {detail.data?.pendingChanges.map(change => (
                                        <ListItem key={change}>{change}</ListItem>
                                    ))}
                                </List>
                            </Alert>
                        )}
                    </>
                }
            >
                {verb && may('vm.power', vm) && (
                    <Button
                        variant={verb === 'shutdown' ? 'secondary' : 'primary'}
                        data-action={verb}
                        onClick={() => void power(verb, vm)}
                    >
                        {words[verb]}
                    </Button>
                )}
                <ActionMenu label={common.actions} text={common.actions} actions={menu(vm, verb ? [verb] : [])} />
            </PageHead>
            <PageTabs
                id="vm-tab"
                label={vm.name}
                tabs={tabs}
                current={current.key}
                go={tab => void navigate({ to: '/vms/$vm/$tab' as string, params: { vm: vm.uuid, tab } as never })}
                fills={current.fills}
            >
                {detail.isError && !detail.data ? (
                    <TroubleNote trouble={troubleOf(detail.error)} retry={() => void detail.refetch()} />
                ) : !detail.data ? (
                    <Loading />
                ) : (
                    <Suspense fallback={<Loading />}>
                        {current.outside ? (
                            <current.outside
                                key={vm.uuid}
                                uuid={vm.uuid}
                                tags={vm.tags}
                                name={vm.name}
                                running={isOn(vm.state)}
                            />
                        ) : (
                            <current.component key={vm.uuid} vm={vm} detail={detail.data} />
                        )}
                    </Suspense>
                )}
            </PageTabs>
        </>
    )
}
