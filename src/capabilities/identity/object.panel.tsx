// Who may do what with one machine, and why: by role, by a grant on it, by a grant on one of its tags.
import { Button } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useMay } from '../me.panel.tsx'
import type { ObjectTabProps } from '../pages.panel.tsx'
import { Loading, Quiet, Section, TroubleNote } from '../parts.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { AddGrant } from './add-grant.panel.tsx'
import { roleWord, words } from './words.panel.tsx'

const api = clientOf(IdentityService)
const p = words.permissions

/** Roles that reach every machine. */
const reaching = (permissions: readonly string[]): boolean =>
    permissions.some(permission => permission === '*' || permission.startsWith('vm.'))

export default function Permissions(props: ObjectTabProps) {
    const may = useMay()
    const askAgain = useAskAgain()
    const users = useQuery({ queryKey: ['users'], queryFn: ({ signal }) => api.listUsers({}, { signal }) })
    const roles = useQuery({ queryKey: ['roles'], queryFn: ({ signal }) => api.listRoles({}, { signal }) })
    const grants = useQuery({ queryKey: ['grants'], queryFn: ({ signal }) => api.listGrants({}, { signal }) })
    const failed = users.error ?? roles.error ?? grants.error
    if (failed) return <TroubleNote trouble={troubleOf(failed)} />
    if (!users.data || !roles.data || !grants.data) return <Loading />
    const wide = new Set(roles.data.roles.filter(role => reaching(role.permissions)).map(role => role.name))
    const manage = may('identity.manage')
    const done = (): void => askAgain(['grants'])
    const rows = [
        ...grants.data.grants
            .filter(grant => grant.vm === props.uuid || (grant.tag !== '' && props.tags.includes(grant.tag)))
            .map(grant => ({
                key: grant.id,
                user: grant.user,
                role: grant.role,
                why: grant.tag === '' ? p.byGrant : fill(p.byTag, { tag: grant.tag }),
                // One on a tag reaches other machines too: it is taken away where all of them are seen.
                take:
                    manage && grant.tag === ''
                        ? () => act(() => api.removeGrant({ id: grant.id })).then(done)
                        : undefined,
            })),
        ...users.data.users
            .filter(user => wide.has(user.role))
            .map(user => ({
                key: `role ${user.name}`,
                user: user.name,
                role: user.role,
                why: p.byRole,
                take: undefined,
            })),
    ]
    return (
        <Section
            title={p.title}
            actions={
                manage && (
                    <Button
                        variant="primary"
                        data-action="add-grant"
                        onClick={() =>
                            openDialog(close => (
                                <AddGrant
                                    users={users.data.users.filter(u => u.role !== 'admin').map(u => u.name)}
                                    vms={[{ value: props.uuid, label: props.name }]}
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
            <Quiet>{p.help}</Quiet>
            <Table aria-label={p.title} variant="compact">
                <Thead>
                    <Tr>
                        <Th>{words.user}</Th>
                        <Th>{words.role}</Th>
                        <Th>{p.why}</Th>
                        <Th screenReaderText={common.actions} />
                    </Tr>
                </Thead>
                <Tbody>
                    {rows.map(row => (
                        <Tr key={row.key} data-right={row.user}>
                            <Td dataLabel={words.user}>{row.user}</Td>
                            <Td dataLabel={words.role}>{roleWord(row.role)}</Td>
                            <Td dataLabel={p.why} className="dv-anywhere">
                                {row.why}
                            </Td>
                            <Td>
                                {row.take && (
                                    <Button
                                        variant="link"
                                        isInline
                                        isDanger
                                        aria-label={`${words.take}: ${row.user}`}
                                        onClick={() => void row.take?.()}
                                    >
                                        {words.take}
                                    </Button>
                                )}
                            </Td>
                        </Tr>
                    ))}
                </Tbody>
            </Table>
        </Section>
    )
}
