// Registries that want to know who we are: for administrators, and never with a password.
import { Button } from '@patternfly/react-core'
import { Td, Tr } from '@patternfly/react-table'
import { ContainerRegistryService } from '../../gen/proto/capabilities/container/stores_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { ActionMenu, actionsOf } from '../parts.panel.tsx'
import { Kept } from './kept.panel.tsx'
import { RegistryDialog } from './stores-dialogs.panel.tsx'
import { words } from './words.panel.tsx'

const registries = clientOf(ContainerRegistryService)

export function Registries() {
    const askAgain = useAskAgain()
    const forget = async (server: string): Promise<void> => {
        await act(() => registries.remove({ server }))
        askAgain(['container-registries'])
    }
    return (
        <Kept
            title={words.registries}
            queryKey="container-registries"
            ask={async signal => (await registries.list({}, { signal })).registries}
            empty={words.registriesEmpty}
            columns={[words.registry, words.registryUser, words.registryFile]}
            actions={
                <Button
                    variant="secondary"
                    data-action="set-registry"
                    onClick={() => openDialog(close => <RegistryDialog close={close} />)}
                >
                    {words.setRegistry}
                </Button>
            }
            row={({ server, user, passwordFile }) => (
                <Tr key={server} data-registry={server}>
                    <Td dataLabel={words.registry}>{server}</Td>
                    <Td dataLabel={words.registryUser}>{user}</Td>
                    <Td dataLabel={words.registryFile} className="dv-anywhere">
                        {passwordFile}
                    </Td>
                    <Td isActionCell>
                        <ActionMenu
                            label={actionsOf(server)}
                            actions={[{ key: 'forget', label: words.forget, run: () => void forget(server) }]}
                        />
                    </Td>
                </Tr>
            )}
        />
    )
}
