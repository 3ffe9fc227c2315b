// A machine's network cards.
import { Button } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { type Nic, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { ActionMenu, actionsOf, Quiet, Section } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { Presence, type Shared } from './device.panel.tsx'
import { AddNic, EditNic } from './nic-dialogs.panel.tsx'
import { isOn } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const h = words.hw
const api = clientOf(VmService)

export function Nics({ shared, nics, change }: { shared: Shared; nics: readonly Nic[]; change: boolean }) {
    const running = isOn(shared.vm.state)
    return (
        <Section
            title={h.nics}
            actions={
                change && (
                    <Button
                        variant="secondary"
                        data-action="add-nic"
                        onClick={() => openDialog(close => <AddNic {...shared} close={close} />)}
                    >
                        {h.addNic}
                    </Button>
                )
            }
        >
            {nics.length === 0 ? (
                <Quiet>{h.noNics}</Quiet>
            ) : (
                <Table aria-label={h.nics} variant="compact">
                    <Thead>
                        <Tr>
                            <Th>{h.mac}</Th>
                            <Th>{h.network}</Th>
                            <Th>{h.model}</Th>
                            <Th>{h.vlan}</Th>
                            <Th>{h.link}</Th>
                            <Th screenReaderText={h.presence} />
                            <Th screenReaderText={common.actions} />
                        </Tr>
                    </Thead>
                    <Tbody>
                        {nics.map(nic => (
                            <Tr key={`${nic.mac}${nic.presence}`} data-nic={nic.mac}>
                                <Td dataLabel={h.mac}>
                                    <code>{nic.mac}</code>
                                </Td>
                                <Td dataLabel={h.network}>{nic.network || nic.bridge}</Td>
                                <Td dataLabel={h.model}>{nic.model}</Td>
                                <Td dataLabel={h.vlan}>{nic.vlan || '–'}</Td>
                                <Td dataLabel={h.link}>{nic.linkDown ? h.linkDown : h.linkUp}</Td>
                                <Td>
                                    <Presence presence={nic.presence} running={running} />
                                </Td>
                                <Td isActionCell>
                                    {change && nic.presence !== 'removed' && (
                                        <ActionMenu label={actionsOf(nic.mac)} actions={nicActions(shared, nic)} />
                                    )}
                                </Td>
                            </Tr>
                        ))}
                    </Tbody>
                </Table>
            )}
        </Section>
    )
}

function nicActions(shared: Shared, nic: Nic) {
    const { vm, revision } = shared
    return [
        {
            key: 'edit-nic',
            label: common.edit,
            run: () => openDialog(close => <EditNic {...shared} nic={nic} close={close} />),
        },
        {
            key: 'link',
            label: nic.linkDown ? h.linkUp : h.linkDown,
            run: () =>
                void act(() => api.updateNic({ vm: vm.uuid, revision, mac: nic.mac, linkDown: !nic.linkDown })).then(
                    shared.done,
                ),
        },
        {
            key: 'detach',
            label: h.detach,
            danger: true,
            run: () =>
                openDialog(close => (
                    <PlanDialog
                        title={fill(h.detachTitle, { name: nic.mac })}
                        submit={h.detach}
                        close={close}
                        ask={dryRun => api.detachNic({ vm: vm.uuid, revision, mac: nic.mac, dryRun })}
                        done={shared.done}
                    />
                )),
        },
    ]
}
