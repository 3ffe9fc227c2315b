// Docker's networks: made, and removed when no container is on them.
import { Button, Label } from '@patternfly/react-core'
import { Td, Tr } from '@patternfly/react-table'
import { ContainerNetworkService } from '../../gen/proto/capabilities/container/stores_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { ActionMenu, actionsOf } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { Kept, Users } from './kept.panel.tsx'
import { NetworkDialog } from './stores-dialogs.panel.tsx'
import { words } from './words.panel.tsx'

const networks = clientOf(ContainerNetworkService)

export function Networks() {
    const manage = useMay()('container.networks')
    return (
        <Kept
            title={words.networks}
            queryKey="container-networks"
            ask={async signal => (await networks.list({}, { signal })).networks}
            empty=""
            columns={[common.name, words.driver, words.subnets, words.facts.stack, words.usedBy]}
            actions={
                manage && (
                    <Button
                        variant="secondary"
                        data-action="create-container-network"
                        onClick={() => openDialog(close => <NetworkDialog close={close} />)}
                    >
                        {words.createNetwork}
                    </Button>
                )
            }
            row={network => (
                <Tr key={network.id} data-container-network={network.name}>
                    <Td dataLabel={common.name} className="dv-anywhere">
                        {network.name} {network.internal && <Label isCompact>{words.internalShort}</Label>}
                    </Td>
                    <Td dataLabel={words.driver}>{network.driver}</Td>
                    <Td dataLabel={words.subnets}>{network.subnets.join(', ')}</Td>
                    <Td dataLabel={words.facts.stack}>{network.stack}</Td>
                    <Td dataLabel={words.usedBy}>
                        <Users of={network.usedBy} />
                    </Td>
                    <Td isActionCell>
                        {manage && !network.builtIn && (
                            <ActionMenu
                                label={actionsOf(network.name)}
                                actions={[
                                    {
                                        key: 'remove',
                                        label: words.remove,
                                        danger: true,
                                        run: () =>
                                            openDialog(close => (
                                                <PlanDialog
                                                    title={fill(words.removeNetwork, { name: network.name })}
                                                    submit={words.remove}
                                                    close={close}
                                                    ask={dryRun => networks.remove({ network: network.id, dryRun })}
                                                />
                                            )),
                                    },
                                ]}
                            />
                        )}
                    </Td>
                </Tr>
            )}
        />
    )
}
