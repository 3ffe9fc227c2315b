// Sessions and tokens of a person: the same tables on one's own page and for administrators.
import { Alert, Button, Label, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { type CreateTokenResponse, IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { callOf, commandOf } from '../call.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { NumberField, TextField } from '../fields.panel.tsx'
import { moment } from '../format.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { CopyBlock, Loading, Quiet, Section, TroubleNote } from '../parts.panel.tsx'
import { common } from '../words.panel.tsx'
import { agentWord, words } from './words.panel.tsx'

const api = clientOf(IdentityService)

export function Sessions() {
    const askAgain = useAskAgain()
    const query = useQuery({ queryKey: ['sessions'], queryFn: ({ signal }) => api.listSessions({}, { signal }) })
    const refresh = (): void => askAgain(['sessions'])
    const others = (query.data?.sessions ?? []).filter(s => !s.current)
    const endAll = async (): Promise<void> => {
        await act(async () => {
            for (const other of others) await api.revokeSessions({ id: other.id })
        })
        refresh()
    }
    return (
        <Section
            title={words.sessions}
            actions={
                others.length > 0 && (
                    <Button variant="secondary" onClick={() => void endAll()}>
                        {words.revokeAll}
                    </Button>
                )
            }
        >
            {query.isError && <TroubleNote trouble={troubleOf(query.error)} />}
            {query.isLoading && <Loading />}
            {query.data && (
                <Table aria-label={words.sessions} variant="compact">
                    <Thead>
                        <Tr>
                            <Th>{words.from}</Th>
                            <Th width={40}>{words.agent}</Th>
                            <Th>{words.lastUsed}</Th>
                            <Th>{words.expires}</Th>
                            <Th screenReaderText={common.actions} />
                        </Tr>
                    </Thead>
                    <Tbody>
                        {query.data.sessions.map(s => (
                            <Tr key={s.id} data-session={s.id}>
                                <Td dataLabel={words.from}>{s.from}</Td>
                                <Td dataLabel={words.agent} className="dv-anywhere">
                                    <span title={s.agent}>{agentWord(s.agent)}</span>
                                </Td>
                                <Td dataLabel={words.lastUsed}>{moment(s.lastUsed)}</Td>
                                <Td dataLabel={words.expires}>{moment(s.expires)}</Td>
                                <Td>
                                    {s.current ? (
                                        <Label isCompact color="blue">
                                            {words.thisOne}
                                        </Label>
                                    ) : (
                                        <Button
                                            variant="link"
                                            isInline
                                            aria-label={`${words.revoke}: ${s.from} ${agentWord(s.agent)}`}
                                            onClick={() =>
                                                void act(() => api.revokeSessions({ id: s.id })).then(refresh)
                                            }
                                        >
                                            {words.revoke}
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

export function Tokens() {
    const askAgain = useAskAgain()
    const query = useQuery({ queryKey: ['tokens'], queryFn: ({ signal }) => api.listTokens({}, { signal }) })
    const refresh = (): void => askAgain(['tokens'])
    return (
        <Section
            title={words.tokens}
            actions={
                <Button
                    variant="secondary"
                    data-action="new-token"
                    onClick={() => openDialog(close => <NewToken close={close} done={refresh} />)}
                >
                    {words.newToken}
                </Button>
            }
        >
            {query.isError && <TroubleNote trouble={troubleOf(query.error)} />}
            {query.data?.tokens.length === 0 && <Quiet>{words.noTokens}</Quiet>}
            {query.data && query.data.tokens.length > 0 && (
                <Table aria-label={words.tokens} variant="compact">
                    <Thead>
                        <Tr>
                            <Th>{words.tokenName}</Th>
                            <Th>{words.tokenScope}</Th>
                            <Th>{words.lastUsed}</Th>
                            <Th>{words.expires}</Th>
                            <Th screenReaderText={common.actions} />
                        </Tr>
                    </Thead>
                    <Tbody>
                        {query.data.tokens.map(t => (
                            <Tr key={t.id} data-token={t.name}>
                                <Td dataLabel={words.tokenName}>{t.name}</Td>
                                <Td dataLabel={words.tokenScope}>{t.scope.join(' ') || words.allRights}</Td>
                                <Td dataLabel={words.lastUsed}>{moment(t.lastUsed) || words.never}</Td>
                                <Td dataLabel={words.expires}>{moment(t.expires)}</Td>
                                <Td>
                                    <Button
                                        variant="link"
                                        isInline
                                        isDanger
                                        aria-label={`${words.revoke}: ${t.name}`}
                                        onClick={() => void act(() => api.revokeToken({ id: t.id })).then(refresh)}
                                    >
                                        {words.revoke}
                                    </Button>
                                </Td>
                            </Tr>
                        ))}
                    </Tbody>
                </Table>
            )}
        </Section>
    )
}

function NewToken(props: { close: () => void; done: () => void }) {
    const [name, setName] = useState('')
    const [scope, setScope] = useState('')
    const [days, setDays] = useState(90)
    return (
        <FormDialog
            title={words.newToken}
            submit={common.create}
            close={props.close}
            disabled={name === ''}
            call={() => {
                const limits = { scope: scope.split(/[\s,]+/).filter(Boolean), days }
                return callOf(
                    IdentityService.method.createToken,
                    { name, ...limits },
                    commandOf('token create', [name], limits),
                )
            }}
            done={answer => {
                props.done()
                const { secret } = answer as CreateTokenResponse
                openDialog(close => <TokenSecret secret={secret} close={close} />)
            }}
        >
            <TextField name="name" label={words.tokenName} value={name} change={setName} required focus />
            <TextField
                name="scope"
                label={words.tokenScope}
                help={words.tokenScopeHelp}
                value={scope}
                change={setScope}
            />
            <NumberField name="days" label={words.tokenDays} value={days} change={setDays} min={1} max={366} />
        </FormDialog>
    )
}

function TokenSecret(props: { secret: string; close: () => void }) {
    return (
        <Modal isOpen variant="small" onClose={props.close} aria-labelledby="token-title" data-dialog="token">
            <ModalHeader title={words.tokenReady} labelId="token-title" />
            <ModalBody>
                <Alert isInline isPlain variant="warning" title={words.tokenReadyText} />
                <CopyBlock label={words.tokens} text={props.secret} />
            </ModalBody>
            <ModalFooter>
                <Button onClick={props.close}>{common.close}</Button>
            </ModalFooter>
        </Modal>
    )
}
