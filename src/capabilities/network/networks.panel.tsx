// The networks that machines join, live, and the bridges of the node.
import { Button, Label, Tooltip } from '@patternfly/react-core'
import NetworkIcon from '@patternfly/react-icons/dist/esm/icons/network-wired-icon'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { type Network, NetworkService } from '../../gen/proto/capabilities/network/network_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { useFilters } from '../address.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { useLive } from '../live.panel.tsx'
import { useMay } from '../me.panel.tsx'
import {
    ActionMenu,
    Anchor,
    actionsOf,
    address,
    Connecting,
    EmptyHint,
    Forbidden,
    Freshness,
    PageBody,
    PageHead,
    Quiet,
    Section,
} from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill, plural } from '../words.panel.tsx'
import { CreateDialog, StopDialog } from './dialogs.panel.tsx'
import { networks } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(NetworkService)

const FILTERS = ['network'] as const

const modeWord = (mode: string): string => (words.modes as Record<string, string>)[mode] ?? mode

export default function Networks() {
    const snapshot = useLive(networks)
    const may = useMay()
    const [filters] = useFilters(FILTERS)
    const manage = may('network.manage')
    const view = may('network.view')
    const bridges = useQuery({
        queryKey: ['bridges'],
        queryFn: ({ signal }) => api.listBridges({}, { signal }),
        enabled: view,
    })
    // A network that is made, started or stopped brings its bridge or takes it away.
    const { refetch } = bridges
    // biome-ignore lint/correctness/useExhaustiveDependencies: a change of the networks is the event
    useEffect(() => {
        if (view) void refetch()
    }, [snapshot.list, view, refetch])
    if (snapshot.state === 'denied') return <Forbidden />
    if (snapshot.state === 'connecting') return <Connecting of={snapshot} title={words.networks} />
    const rows = [...snapshot.list].sort((a, b) => a.name.localeCompare(b.name))
    const shown = rows.find(network => network.name === filters.network)
    const create = manage && (
        <Button
            variant="primary"
            data-action="create-network"
            onClick={() =>
                openDialog(close => (
                    <CreateDialog bridges={bridges.data?.bridges.map(b => b.name) ?? []} close={close} />
                ))
            }
        >
            {words.create}
        </Button>
    )
    return (
        <>
            <PageHead title={words.networks} below={<Freshness of={snapshot} />}>
                {rows.length > 0 && create}
            </PageHead>
            <PageBody>
                {rows.length === 0 ? (
                    <EmptyHint title={words.empty} body={words.emptyHelp} icon={NetworkIcon}>
                        {create}
                    </EmptyHint>
                ) : (
                    <Table aria-label={words.networks} variant="compact">
                        <Thead>
                            <Tr>
                                <Th>{common.name}</Th>
                                <Th>{common.state}</Th>
                                <Th>{words.mode}</Th>
                                <Th>{words.addresses}</Th>
                                <Th>{words.range}</Th>
                                <Th>{words.bridge}</Th>
                                <Th>{words.usedBy}</Th>
                                <Th screenReaderText={common.actions} />
                            </Tr>
                        </Thead>
                        <Tbody>
                            {rows.map(network => (
                                <NetworkRow key={network.uuid} network={network} manage={manage} />
                            ))}
                        </Tbody>
                    </Table>
                )}
                {shown && <NetworkSection network={shown} />}
                <Section title={words.bridges}>
                    {(bridges.data?.bridges.length ?? 0) === 0 ? (
                        <Quiet>{words.noBridges}</Quiet>
                    ) : (
                        <Table aria-label={words.bridges} variant="compact">
                            <Thead>
                                <Tr>
                                    <Th>{common.name}</Th>
                                    <Th>{common.state}</Th>
                                    <Th>{words.addresses}</Th>
                                    <Th>{words.ports}</Th>
                                    <Th>{words.mtu}</Th>
                                </Tr>
                            </Thead>
                            <Tbody>
                                {bridges.data?.bridges.map(bridge => (
                                    <Tr key={bridge.name} data-bridge={bridge.name}>
                                        <Td dataLabel={common.name}>{bridge.name}</Td>
                                        <Td dataLabel={common.state}>
                                            <Label isCompact color={bridge.up ? 'green' : 'grey'}>
                                                {bridge.up ? words.up : words.down}
                                            </Label>
                                        </Td>
                                        <Td dataLabel={words.addresses}>{bridge.addresses.join(', ') || '–'}</Td>
                                        <Td dataLabel={words.ports} className="dv-anywhere">
                                            {bridge.ports.join(', ') || '–'}
                                        </Td>
                                        <Td dataLabel={words.mtu}>{bridge.mtu}</Td>
                                    </Tr>
                                ))}
                            </Tbody>
                        </Table>
                    )}
                </Section>
            </PageBody>
        </>
    )
}

/** Who has which address on the network that was chosen. */
function NetworkSection({ network }: { network: Network }) {
    return (
        <Section title={fill(words.leasesOf, { name: network.name })}>
            {network.leases.length === 0 ? (
                <Quiet>{words.noLeases}</Quiet>
            ) : (
                <Table aria-label={words.leases} variant="compact" data-leases={network.name}>
                    <Thead>
                        <Tr>
                            <Th>{words.addresses}</Th>
                            <Th>{words.hostname}</Th>
                            <Th>{words.mac}</Th>
                        </Tr>
                    </Thead>
                    <Tbody>
                        {network.leases.map(lease => (
                            <Tr key={`${lease.mac}${lease.address}`}>
                                <Td dataLabel={words.addresses}>{lease.address}</Td>
                                <Td dataLabel={words.hostname} className="dv-anywhere">
                                    {lease.hostname || '–'}
                                </Td>
                                <Td dataLabel={words.mac}>{lease.mac}</Td>
                            </Tr>
                        ))}
                    </Tbody>
                </Table>
            )}
        </Section>
    )
}

function NetworkRow({ network, manage }: { network: Network; manage: boolean }) {
    return (
        <Tr data-network={network.name}>
            <Td dataLabel={common.name}>
                <Anchor href={address('/networks', { network: network.name })}>{network.name}</Anchor>
            </Td>
            <Td dataLabel={common.state}>
                <Label isCompact color={network.active ? 'green' : 'grey'}>
                    {network.active ? words.active : words.inactive}
                </Label>
            </Td>
            <Td dataLabel={words.mode}>{modeWord(network.mode)}</Td>
            <Td dataLabel={words.addresses}>{network.addresses.join(', ') || '–'}</Td>
            <Td dataLabel={words.range}>
                {network.dhcpStart ? `${network.dhcpStart} – ${network.dhcpEnd}` : '–'}
                {network.leases.length > 0 && (
                    <div className="dv-quiet">{plural(words.leaseCount, network.leases.length)}</div>
                )}
            </Td>
            <Td dataLabel={words.bridge}>{network.bridge || '–'}</Td>
            <Td dataLabel={words.usedBy}>
                {network.usedBy.length > 0 && (
                    <Tooltip content={network.usedBy.slice(0, 20).join(', ')}>
                        <Anchor href={address('/vms', { network: network.name })}>
                            {plural(words.machines, network.usedBy.length)}
                        </Anchor>
                    </Tooltip>
                )}
            </Td>
            <Td isActionCell>
                {manage && (
                    <ActionMenu
                        label={actionsOf(network.name)}
                        actions={[
                            !network.active && {
                                key: 'start',
                                label: words.start,
                                run: () => void act(() => api.start({ network: network.uuid })),
                            },
                            network.active && {
                                key: 'stop',
                                label: words.stop,
                                run: () => openDialog(close => <StopDialog network={network} close={close} />),
                            },
                            {
                                key: 'autostart',
                                label: network.autostart ? words.autostartOff : words.autostart,
                                run: () =>
                                    void act(() =>
                                        api.update({ network: network.uuid, autostart: !network.autostart }),
                                    ),
                            },
                            {
                                key: 'delete',
                                label: words.delete,
                                danger: true,
                                run: () =>
                                    openDialog(close => (
                                        <PlanDialog
                                            title={fill(words.deleteTitle, { name: network.name })}
                                            submit={words.delete}
                                            close={close}
                                            ask={dryRun => api.delete({ network: network.uuid, dryRun })}
                                        />
                                    )),
                            },
                        ]}
                    />
                )}
            </Td>
        </Tr>
    )
}
