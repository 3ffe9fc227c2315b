// One's own second factor: set up with a QR code, its recovery codes, and taking it away.
import { Alert, Button, Form, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core'
import { lazy, type ReactNode, Suspense, useId, useState } from 'react'
import { type BeginFactorResponse, IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { notify, openDialog } from '../act.panel.tsx'
import { clientOf, type Trouble } from '../client.panel.tsx'
import { TextField, troubleIn } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useMe } from '../me.panel.tsx'
import { CopyBlock, Loading, Quiet, Section, TroubleNote } from '../parts.panel.tsx'
import { common, plural } from '../words.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(IdentityService)
const f = words.factor
const FEW = 3

const QrCode = lazy(() => import('./qr.panel.tsx').then(module => ({ default: module.QrCode })))

export function SecondFactor() {
    const me = useMe()
    if (!me?.user || me.via !== 'session') return null
    const has = me.user.factor
    return (
        <Section
            title={f.title}
            actions={
                has ? (
                    <>
                        <Button
                            variant="secondary"
                            data-action="renew-codes"
                            onClick={() => openDialog(close => <Renew close={close} />)}
                        >
                            {f.renew}
                        </Button>
                        <Button
                            variant="link"
                            isDanger
                            data-action="remove-factor"
                            onClick={() => openDialog(close => <Remove close={close} />)}
                        >
                            {f.remove}
                        </Button>
                    </>
                ) : (
                    <Button
                        variant="primary"
                        data-action="enrol"
                        onClick={() =>
                            openDialog(close => (
                                <Modal
                                    isOpen
                                    variant="small"
                                    onClose={close}
                                    aria-labelledby="enrol-title"
                                    data-dialog="enrol"
                                >
                                    <ModalHeader title={f.setUp} labelId="enrol-title" />
                                    <Enrol done={close} inside={ModalBody} foot={ModalFooter} />
                                </Modal>
                            ))
                        }
                    >
                        {f.setUp}
                    </Button>
                )
            }
        >
            <p data-factor={has}>{has ? f.isSetUp : f.isNot}</p>
            {has && <Quiet>{plural(f.codesLeft, me.recoveryCodesLeft)}</Quiet>}
            {has && me.recoveryCodesLeft < FEW && <Alert isInline isPlain variant="warning" title={f.fewLeft} />}
        </Section>
    )
}

type Part = (props: { children: ReactNode }) => ReactNode

/** Password, QR code and first one-time password, recovery codes: in a dialog, or on the page of who must. */
export function Enrol(props: { done: () => void; inside: Part | typeof ModalBody; foot: Part | typeof ModalFooter }) {
    const { inside: Inside, foot: Foot } = props
    const [password, setPassword] = useState('')
    const [code, setCode] = useState('')
    const [begun, setBegun] = useState<BeginFactorResponse>()
    const [codes, setCodes] = useState<string[]>()
    const [failure, setFailure] = useState<Trouble>()
    const [busy, setBusy] = useState(false)
    const askAgain = useAskAgain()
    const form = useId()
    const attempt = async (run: () => Promise<void>): Promise<void> => {
        setBusy(true)
        setFailure(undefined)
        await run().catch(thrown => setFailure(troubleIn(thrown)))
        setBusy(false)
    }
    const submit = (): Promise<void> =>
        attempt(async () => {
            if (!begun) return setBegun(await api.beginFactor({ password }))
            const answer = await api.confirmFactor({ oneTimePassword: code })
            setCodes(answer.recoveryCodes)
        })
    if (codes)
        return (
            <Codes
                codes={codes}
                inside={Inside}
                foot={Foot}
                done={() => {
                    askAgain(['me'])
                    props.done()
                }}
            />
        )
    return (
        <>
            <Inside>
                <Form
                    id={form}
                    onSubmit={event => {
                        event.preventDefault()
                        if (!busy) void submit()
                    }}
                >
                    {failure && <TroubleNote trouble={failure} />}
                    {!begun && (
                        <>
                            <p>{f.about}</p>
                            <TextField
                                name="password"
                                label={words.oldPassword}
                                type="password"
                                complete="current-password"
                                value={password}
                                change={setPassword}
                                focus
                                required
                            />
                        </>
                    )}
                    {begun && (
                        <>
                            <p>{f.scan}</p>
                            <Suspense fallback={<Loading />}>
                                <QrCode text={begun.uri} label={f.qr} />
                            </Suspense>
                            <p className="dv-quiet">
                                {f.typeIn}{' '}
                                <code className="dv-anywhere">{begun.secret.match(/.{1,4}/g)?.join(' ')}</code>
                            </p>
                            <CodeField label={f.first} value={code} change={setCode} />
                        </>
                    )}
                </Form>
            </Inside>
            <Foot>
                <Button
                    type="submit"
                    form={form}
                    isLoading={busy}
                    isDisabled={busy || (begun ? code.trim() === '' : password === '')}
                    data-action="submit"
                >
                    {begun ? f.confirm : common.next}
                </Button>
            </Foot>
        </>
    )
}

/** Six digits, as a phone's keyboard and the browser's own filling-in expect them. */
export const CodeField = (props: { label: string; value: string; change: (value: string) => void; help?: string }) => (
    <TextField
        name="code"
        label={props.label}
        help={props.help}
        complete="one-time-code"
        value={props.value}
        change={props.change}
        focus
        required
    />
)

/** Shown only now; whoever closes says that they are kept. */
function Codes(props: {
    codes: readonly string[]
    done: () => void
    inside: Part | typeof ModalBody
    foot: Part | typeof ModalFooter
}) {
    const { inside: Inside, foot: Foot } = props
    return (
        <>
            <Inside>
                <div data-recovery-codes={props.codes.length}>
                    <Alert isInline variant="warning" title={f.keep} className="dv-gap">
                        {f.keepText}
                    </Alert>
                    <CopyBlock label={f.codes} text={props.codes.join('\n')} />
                </div>
            </Inside>
            <Foot>
                <Button data-action="kept" onClick={props.done}>
                    {f.kept}
                </Button>
            </Foot>
        </>
    )
}

function Both(props: {
    password: string
    setPassword: (value: string) => void
    code: string
    setCode: (value: string) => void
}) {
    return (
        <>
            <TextField
                name="password"
                label={words.oldPassword}
                type="password"
                complete="current-password"
                value={props.password}
                change={props.setPassword}
                focus
                required
            />
            <TextField
                name="code"
                label={f.code}
                help={f.codeHelp}
                complete="one-time-code"
                value={props.code}
                change={props.setCode}
                required
            />
        </>
    )
}

function Renew({ close }: { close: () => void }) {
    const [password, setPassword] = useState('')
    const [code, setCode] = useState('')
    const askAgain = useAskAgain()
    return (
        <FormDialog
            title={f.renew}
            submit={f.renew}
            close={close}
            description={f.renewText}
            disabled={password === '' || code === ''}
            run={async () => {
                const { recoveryCodes } = await api.renewRecoveryCodes({ password, oneTimePassword: code })
                askAgain(['me'])
                openDialog(shut => (
                    <Modal isOpen variant="small" aria-labelledby="codes-title" data-dialog="codes">
                        <ModalHeader title={f.codes} labelId="codes-title" />
                        <Codes codes={recoveryCodes} done={shut} inside={ModalBody} foot={ModalFooter} />
                    </Modal>
                ))
            }}
        >
            <Both {...{ password, setPassword, code, setCode }} />
        </FormDialog>
    )
}

function Remove({ close }: { close: () => void }) {
    const [password, setPassword] = useState('')
    const [code, setCode] = useState('')
    const askAgain = useAskAgain()
    return (
        <FormDialog
            title={f.removeTitle}
            submit={f.remove}
            close={close}
            danger
            description={f.removeText}
            disabled={password === '' || code === ''}
            run={async () => {
                await api.removeFactor({ password, oneTimePassword: code })
                askAgain(['me'])
                notify('success', f.removed)
            }}
        >
            <Both {...{ password, setPassword, code, setCode }} />
        </FormDialog>
    )
}
