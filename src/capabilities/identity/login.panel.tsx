// Logging in: on a page of its own, by the link of the first time, or in place when a session has ended.
import { Button, Card, CardBody, Form, Modal, ModalBody, ModalHeader, Title } from '@patternfly/react-core'
import { lazy, type ReactNode, Suspense, useState } from 'react'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { clientOf, session, type Trouble, trouble, troubleOf } from '../client.panel.tsx'
import { keepConfirmation } from '../dangerous.panel.tsx'
import { TextField } from '../fields.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useMe } from '../me.panel.tsx'
import { Loading, TroubleNote } from '../parts.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(IdentityService)

const Enrol = lazy(() => import('./factor.panel.tsx').then(module => ({ default: module.Enrol })))

/** Where the server's trouble points when it wants the second factor. */
const CODE_AT = 'one_time_password'

/** The page without a session. */
export const LoginPage = () => (
    <Front title={words.loginTitle} text={words.loginText}>
        <LoginForm />
    </Front>
)

/** The page of the first login; the secret came in the URL's fragment, which is gone by now. */
export const FirstPage = (props: { secret: string; done: () => void }) => (
    <Front title={words.firstTitle} text={words.firstText}>
        <FirstForm secret={props.secret} done={props.done} />
    </Front>
)

/** For who must set up a second factor before anything else. */
export function FactorPage(props: { done: () => void }) {
    return (
        <Front title={words.factor.mustTitle} text={words.factor.mustText}>
            <Suspense fallback={<Loading />}>
                <Enrol done={props.done} inside={Whole} foot={Below} />
            </Suspense>
        </Front>
    )
}

const Whole = (props: { children: ReactNode }) => <div>{props.children}</div>
const Below = (props: { children: ReactNode }) => <div className="dv-front-foot">{props.children}</div>

function Front(props: { title: string; text: string; children: ReactNode }) {
    return (
        <main className="dv-front">
            <Card className="dv-front-card">
                <CardBody>
                    <div className="dv-mark" aria-hidden />
                    <Title headingLevel="h1" size="2xl">
                        {props.title}
                    </Title>
                    <p className="dv-quiet dv-gap">{props.text}</p>
                    {props.children}
                </CardBody>
            </Card>
        </main>
    )
}

/** Over whatever the person was doing, which goes on afterwards. */
export function LoginAgain() {
    const me = useMe()
    return (
        <Modal isOpen variant="small" aria-labelledby="again-title" data-dialog="login">
            <ModalHeader title={words.again} labelId="again-title" description={words.againText} />
            <ModalBody>
                <LoginForm user={me?.user?.name} />
            </ModalBody>
        </Modal>
    )
}

function LoginForm(props: { user?: string }) {
    const [user, setUser] = useState(props.user ?? '')
    const [password, setPassword] = useState('')
    const [code, setCode] = useState('')
    const [asked, setAsked] = useState(false)
    const [failure, setFailure] = useState<Trouble>()
    const [busy, setBusy] = useState(false)
    const askAgain = useAskAgain()
    const submit = async (): Promise<void> => {
        setBusy(true)
        setFailure(undefined)
        try {
            const { confirmation } = await api.login({ user, password, oneTimePassword: code })
            // Someone else must not see what the one before could see.
            if (props.user !== undefined && user !== props.user) return window.location.reload()
            keepConfirmation(confirmation?.confirmationToken)
            session.set('in')
            askAgain()
        } catch (thrown) {
            const why = troubleOf(thrown)
            const wanted = why.at === CODE_AT
            // Being asked for the code is no failure; a wrong one is.
            setFailure(wanted && code === '' ? undefined : why)
            setAsked(wanted)
            setCode('')
        }
        setBusy(false)
    }
    return (
        <Form
            onSubmit={event => {
                event.preventDefault()
                if (!busy) void submit()
            }}
        >
            {failure && <TroubleNote trouble={failure} />}
            <TextField
                name="user"
                label={words.user}
                value={user}
                change={setUser}
                complete="username"
                focus={!props.user}
            />
            <TextField
                name="password"
                label={words.password}
                type="password"
                value={password}
                change={setPassword}
                complete="current-password"
                focus={!!props.user}
            />
            {asked && (
                <TextField
                    name="code"
                    label={words.factor.code}
                    help={words.factor.codeHelp}
                    complete="one-time-code"
                    value={code}
                    change={setCode}
                    focus
                />
            )}
            <Button
                type="submit"
                isBlock
                isLoading={busy}
                isDisabled={busy || user === '' || password === '' || (asked && code.trim() === '')}
                data-action="login"
            >
                {words.login}
            </Button>
        </Form>
    )
}

function FirstForm(props: { secret: string; done: () => void }) {
    const [user, setUser] = useState('admin')
    const [password, setPassword] = useState('')
    const [repeat, setRepeat] = useState('')
    const [failure, setFailure] = useState<Trouble>()
    const [busy, setBusy] = useState(false)
    const submit = async (): Promise<void> => {
        if (password !== repeat) return setFailure(trouble(words.different))
        setBusy(true)
        setFailure(undefined)
        try {
            const { confirmation } = await api.firstLogin({ secret: props.secret, user, password })
            keepConfirmation(confirmation?.confirmationToken)
            session.set('in')
            props.done()
        } catch (thrown) {
            setFailure(troubleOf(thrown))
        }
        setBusy(false)
    }
    return (
        <Form
            onSubmit={event => {
                event.preventDefault()
                if (!busy) void submit()
            }}
        >
            {failure && <TroubleNote trouble={failure} />}
            <TextField name="user" label={words.user} value={user} change={setUser} complete="username" required />
            <TextField
                name="password"
                label={words.password}
                help={words.passwordHelp}
                type="password"
                value={password}
                change={setPassword}
                complete="new-password"
                required
                focus
            />
            <TextField
                name="repeat"
                label={words.repeat}
                type="password"
                value={repeat}
                change={setRepeat}
                complete="new-password"
                required
            />
            <Button
                type="submit"
                isBlock
                isLoading={busy}
                isDisabled={busy || user === '' || password === '' || repeat === ''}
                data-action="first-login"
            >
                {words.begin}
            </Button>
        </Form>
    )
}
