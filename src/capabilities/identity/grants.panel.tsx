// Rights on single machines, or on all with a tag.
import { Button } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { IdentityService, type User } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { Quiet, Section, TroubleNote } from '../parts.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { AddGrant } from './add-grant.panel.tsx'
import { roleWord, words } from './words.panel.tsx'

const api = clientOf(IdentityService)

export function Grants({ users, manage }: { users: User[]; manage: boolean }) {
    const askAgain = useAskAgain()
    const query = useQuery({ queryKey: ['grants'], queryFn: ({ signal }) => api.listGrants({}, { signal }) })
    const names = useQuery({
        queryKey: ['vm-names'],
        queryFn: ({ signal }) => clientOf(VmService).list({}, { signal }),
    })
    const done = (): void => askAgain(['grants'])
    const nameOf = (uuid: string): string => names.data?.vms.find(vm => vm.uuid === uuid)?.name ?? uuid
    return (
        <Section
            title={words.grants}
            actions={
                manage && (
                    <Button
                        variant="secondary"
                        data-action="add-grant"
                        onClick={() =>
                            openDialog(close => (
                                <AddGrant
                                    users={users.map(u => u.name)}
                                    vms={(names.data?.vms ?? []).map(vm => ({ value: vm.uuid, label: vm.name }))}
                                    close={close}
                                    done={done}
                                />
                            ))
                        }
                    >
                        {words.addGrant}
                    </Button>
                )
            }
        >
            {query.isError && <TroubleNote trouble={troubleOf(query.error)} />}
            {query.data?.grants.length === 0 && <Quiet>{words.noGrants}</Quiet>}
            {query.data && query.data.grants.length > 0 && (
                <Table aria-label={words.grants} variant="compact">
                    <Thead>
                        <Tr>
                            <Th>{words.user}</Th>
                            <Th>{words.role}</Th>
                            <Th>{words.grantOn}</Th>
                            <Th screenReaderText={common.actions} />
                        </Tr>
                    </Thead>
                    <Tbody>
                        {query.data.grants.map(grant => (
                            <Tr key={grant.id} data-grant={grant.id}>
                                <Td dataLabel={words.user}>{grant.user}</Td>
                                <Td dataLabel={words.role}>{roleWord(grant.role)}</Td>
                                <Td dataLabel={words.grantOn} className="dv-anywhere">
                                    {grant.tag ? fill(words.tagged, { tag: grant.tag }) : nameOf(grant.vm)}
                                </Td>
                                <Td>
                                    {manage && (
                                        <Button
                                            variant="link"
                                            isInline
                                            isDanger
                                            aria-label={`${words.take}: ${grant.user}, ${grant.tag || nameOf(grant.vm)}`}
                                            onClick={() => void act(() => api.removeGrant({ id: grant.id })).then(done)}
                                        >
                                            {words.take}
                                        </Button>
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
