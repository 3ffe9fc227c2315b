// Password and second factor once more, before what is dangerous; what they proved is kept in this window while it is good.
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import { useState } from 'react'
import { ProvisionService } from '../gen/proto/capabilities/node/provision_pb.js'
import { clientOf, troubleOf } from './client.panel.tsx'
import { TextField } from './fields.panel.tsx'
import { useMe } from './me.panel.tsx'
import { Quiet } from './parts.panel.tsx'
import { catalogue, fill, locale } from './words.panel.tsx'

const words = catalogue('confirm', {
    password: 'Your password, once more',
    passwordHelp: 'The root service of the node checks it. It is good for five minutes.',
    code: 'One-time password',
    codeHelp: 'As your app shows it. Recovery codes are for logins alone.',
    confirmedUntil: 'You have confirmed who you are until {time}.',
})

const api = clientOf(ProvisionService)
/** So that it does not run out between the click and the call. */
const SPARE_MS = 10_000

let kept = { token: '', untilMs: 0 }
const isFresh = () => Date.now() < kept.untilMs - SPARE_MS

/** The fields, and the token when it is to be used. */
export function useConfirmation() {
    const factor = useMe()?.user?.factor ?? false
    const [password, setPassword] = useState('')
    const [code, setCode] = useState('')
    const [fresh, setFresh] = useState(isFresh)
    return {
        missing: !fresh && (password === '' || (factor && code.trim() === '')),
        /** Runs a call with the token; where it counts no more, the field is asked again. */
        async with<T>(call: (confirmationToken: string) => Promise<T>): Promise<T> {
            if (!isFresh()) {
                const { confirmationToken, expires } = await api.confirm({ password, oneTimePassword: code })
                kept = { token: confirmationToken, untilMs: expires ? timestampDate(expires).getTime() : 0 }
            }
            try {
                return await call(kept.token)
            } catch (thrown) {
                const denied = ConnectError.from(thrown).code === Code.PermissionDenied
                if (denied && troubleOf(thrown).at === 'confirmation') {
                    kept = { token: '', untilMs: 0 }
                    setFresh(false)
                }
                throw thrown
            }
        },
        field: fresh ? (
            <Quiet>
                {fill(words.confirmedUntil, {
                    time: new Intl.DateTimeFormat(locale(), { timeStyle: 'short' }).format(kept.untilMs),
                })}
            </Quiet>
        ) : (
            <>
                <TextField
                    name="password"
                    label={words.password}
                    help={words.passwordHelp}
                    type="password"
                    complete="current-password"
                    required
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
