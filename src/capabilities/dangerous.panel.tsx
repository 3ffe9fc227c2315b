// Password and second factor once more, before what is dangerous: a dialog of its own, whatever page it was begun on.
import { Code, ConnectError } from '@connectrpc/connect'
import { useState } from 'react'
import { IdentityService } from '../gen/proto/capabilities/identity/identity_pb.js'
import { openDialog } from './act.panel.tsx'
import { clientOf, onDangerous } from './client.panel.tsx'
import { TextField } from './fields.panel.tsx'
import { FormDialog } from './forms.panel.tsx'
import { useMe } from './me.panel.tsx'
import { catalogue } from './words.panel.tsx'

export const words = catalogue('confirm', {
    title: 'Is it you?',
    text: 'This is dangerous in the wrong hands, so your password is asked for once more.',
    confirm: 'Confirm',
    left: 'You did not confirm it: nothing was changed.',
    password: 'Your password, once more',
    help: 'It is good for five minutes.',
    nodeHelp: 'The root service of the node checks it. It is good for five minutes.',
    code: 'One-time password',
    codeHelp: 'As your app shows it. Recovery codes are for logins alone.',
    confirmedUntil: 'You have confirmed who you are until {time}.',
})

/** As long as the node takes it, less what lies between the click and the call. */
const GOOD_MS = 5 * 60_000 - 10_000

/** What proved who is there; in this window alone, and by no clock that may be wrong. */
function keeper() {
    let token = ''
    let sinceMs = 0
    const leftMs = () => (token === '' ? 0 : Math.max(0, sinceMs + GOOD_MS - performance.now()))
    return {
        leftMs,
        /** Empty where it is good no more. */
        get: () => (leftMs() > 0 ? token : ''),
        set(next: string): void {
            token = next
            sinceMs = performance.now()
        },
    }
}
const ofDaemon = keeper()
/** Of the root service: it counts for what changes the node, and for everything else. */
export const ofRoot = keeper()

/** Who has just logged in has just shown who they are; of the session before, nothing counts any more. */
export function keepConfirmation(token = ''): void {
    ofDaemon.set(token)
    ofRoot.set('')
}

let asking: Promise<string> | undefined

/** What proves who is there: what is known still, or else the answer to a dialog. */
onDangerous(async refused => {
    if (refused) keepConfirmation()
    const known = ofRoot.get() || ofDaemon.get()
    if (known !== '') return known
    // Several calls at once are one question.
    asking ??= new Promise<string>((resolve, reject) => {
        openDialog(close => (
            <AskDialog
                close={() => {
                    close()
                    const token = ofDaemon.get()
                    if (token !== '') resolve(token)
                    else reject(new ConnectError(words.left, Code.Canceled))
                }}
            />
        ))
    }).finally(() => (asking = undefined))
    return asking
})

function AskDialog(props: { close: () => void }) {
    const shown = useShown(words.help, true)
    return (
        <FormDialog
            title={words.title}
            description={words.text}
            submit={words.confirm}
            close={props.close}
            disabled={shown.missing}
            run={async () => {
                const { confirmationToken } = await clientOf(IdentityService).confirm(shown.request)
                ofDaemon.set(confirmationToken)
            }}
        >
            {shown.fields}
        </FormDialog>
    )
}

/** The fields of it, for a form. */
export function useShown(help: string, focus = false) {
    const factor = useMe()?.user?.factor ?? false
    const [password, setPassword] = useState('')
    const [code, setCode] = useState('')
    return {
        missing: password === '' || (factor && code.trim() === ''),
        request: { password, oneTimePassword: code },
        fields: (
            <>
                <TextField
                    name="password"
                    label={words.password}
                    help={help}
                    type="password"
                    complete="current-password"
                    required
                    focus={focus}
                    value={password}
                    change={setPassword}
                />
                {factor && (
                    <TextField
                        name="code"
                        label={words.code}
                        help={words.codeHelp}
                        complete="one-time-code"
                        required
                        value={code}
                        change={setCode}
                    />
                )}
            </>
        ),
    }
}
