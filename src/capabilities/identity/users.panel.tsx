// Who may log in with which role, and who has rights on single machines.
import { Button, Label } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { IdentityService, type User } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { callOf, commandOf } from '../call.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { ChoiceField, TextField } from '../fields.panel.tsx'
import { moment } from '../format.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { ActionMenu, actionsOf, Loading, PageBody, PageHead, TroubleNote } from '../parts.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { FactorPolicy } from './factor-policy.panel.tsx'
import { Grants } from './grants.panel.tsx'
import { roleChoices, roleWord, words } from './words.panel.tsx'

const api = clientOf(IdentityService)
const f = words.factor

export default function Users() {
    const may = useMay()
    const manage = may('identity.manage')
    const askAgain = useAskAgain()
    const query = useQuery({ queryKey: ['users'], queryFn: ({ signal }) => api.listUsers({}, { signal }) })
    const done = (): void => askAgain(['users'])
    const actions = (user: User) => [
        {
            key: 'edit',
            label: common.edit,
            run: () => openDialog(close => <EditUser user={user} close={close} done={done} />),
        },
        {
            key: 'lock',
            label: user.locked ? words.unlock : words.lock,
            run: () => void act(() => api.updateUser({ name: user.name, locked: !user.locked })).then(done),
        },
        user.factor && {
            key: 'reset-factor',
            label: f.reset,
            run: () =>
                openDialog(close => (
                    <FormDialog
                        title={fill(f.resetTitle, { name: user.name })}
                        submit={f.reset}
                        close={close}
                        danger
                        run={async () => {
                            await api.resetFactor({ user: user.name })
                            done()
                        }}
                    >
                        <p>{f.resetText}</p>
                    </FormDialog>
                )),
        },
        {
            key: 'delete',
            label: words.deleteUser,
            danger: true,
            run: () =>
                openDialog(close => (
                    <FormDialog
                        title={fill(words.deleteTitle, { name: user.name })}
                        submit={words.deleteUser}
                        close={close}
                        danger
                        run={async () => {
                            await api.deleteUser({ name: user.name })
                            done()
                        }}
                    >
                        <p>{words.deleteText}</p>
                    </FormDialog>
                )),
        },
    ]
    return (
        <>
            <PageHead title={words.usersTokens}>
                {manage && (
                    <Button
                        data-action="add-user"
                        onClick={() => openDialog(close => <AddUser close={close} done={done} />)}
                    >
                        {words.addUser}
                    </Button>
                )}
            </PageHead>
            <PageBody>
                {query.isError && <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />}
                {query.isLoading && <Loading />}
                {query.data && (
                    <Table aria-label={words.users} variant="compact">
                        <Thead>
                            <Tr>
                                <Th>{words.user}</Th>
                                <Th>{words.fullName}</Th>
                                <Th>{words.role}</Th>
                                <Th modifier="wrap">{f.title}</Th>
                                <Th>{common.state}</Th>
                                <Th>{words.lastLogin}</Th>
                                <Th screenReaderText={common.actions} />
                            </Tr>
                        </Thead>
                        <Tbody>
                            {query.data.users.map(user => (
                                <Tr key={user.name} data-user={user.name}>
                                    <Td dataLabel={words.user}>{user.name}</Td>
                                    <Td dataLabel={words.fullName}>{user.fullName || '–'}</Td>
                                    <Td dataLabel={words.role}>{roleWord(user.role)}</Td>
                                    <Td dataLabel={f.title}>{user.factor ? f.has : '–'}</Td>
                                    <Td dataLabel={common.state}>
                                        <Label isCompact color={user.locked ? 'red' : 'green'}>
                                            {user.locked ? words.locked : words.activeUser}
                                        </Label>
                                    </Td>
                                    <Td dataLabel={words.lastLogin}>{moment(user.lastLogin) || words.never}</Td>
                                    <Td isActionCell>
                                        {manage && <ActionMenu label={actionsOf(user.name)} actions={actions(user)} />}
                                    </Td>
                                </Tr>
                            ))}
                        </Tbody>
                    </Table>
                )}
                <FactorPolicy manage={manage} />
                <Grants users={query.data?.users ?? []} manage={manage} />
            </PageBody>
        </>
    )
}

function AddUser(props: { close: () => void; done: () => void }) {
    const [name, setName] = useState('')
    const [fullName, setFullName] = useState('')
    const [role, setRole] = useState('operator')
    const [password, setPassword] = useState('')
    return (
        <FormDialog
            title={words.addUser}
            submit={common.add}
            close={props.close}
            disabled={name === '' || password === ''}
            call={() =>
                callOf(
                    IdentityService.method.createUser,
                    { name, fullName, role, password },
                    commandOf('user create', [name], { role: role || 'none', 'full-name': fullName }),
                )
            }
            done={props.done}
        >
            <TextField name="name" label={words.user} value={name} change={setName} required focus />
            <TextField
                name="fullName"
                label={`${words.fullName} (${common.optional})`}
                value={fullName}
                change={setFullName}
            />
            <ChoiceField name="role" label={words.role} value={role} change={setRole} choices={roleChoices} />
            <TextField
                name="password"
                label={words.password}
                help={words.passwordHelp}
                type="password"
                complete="new-password"
                value={password}
                change={setPassword}
                required
            />
        </FormDialog>
    )
}

function EditUser(props: { user: User; close: () => void; done: () => void }) {
    const { user } = props
    const [fullName, setFullName] = useState(user.fullName)
    const [role, setRole] = useState(user.role)
    const [password, setPassword] = useState('')
    return (
        <FormDialog
            title={fill(words.editUser, { name: user.name })}
            submit={common.save}
            close={props.close}
            call={() => {
                const named = fullName === user.fullName ? undefined : fullName
                const given = role === user.role ? undefined : role
                return callOf(
                    IdentityService.method.updateUser,
                    { name: user.name, fullName: named, role: given, password: password || undefined },
                    commandOf('user set', [user.name], {
                        'full-name': named,
                        role: given === '' ? 'none' : given,
                        password: password !== '',
                    }),
                )
            }}
            done={props.done}
        >
            <TextField name="fullName" label={words.fullName} value={fullName} change={setFullName} />
            <ChoiceField name="role" label={words.role} value={role} change={setRole} choices={roleChoices} />
            <TextField
                name="password"
                label={words.newPassword}
                help={words.newPasswordHelp}
                type="password"
                complete="new-password"
                value={password}
                change={setPassword}
            />
        </FormDialog>
    )
}
