// Who may log in to the guest: for a new VM, and for another seed.
import { Alert } from '@patternfly/react-core'
import { TextField } from '../fields.panel.tsx'
import { words } from './words.panel.tsx'

const n = words.new

interface Login {
    user: string
    sshKeys: string
    password: string
}

export const LoginFields = ({ draft, change }: { draft: Login; change: (part: Partial<Login>) => void }) => (
    <>
        <TextField name="user" label={n.user} help={n.userHelp} value={draft.user} change={user => change({ user })} />
        <TextField
            name="sshKeys"
            label={n.sshKeys}
            help={n.sshKeysHelp}
            long
            value={draft.sshKeys}
            change={sshKeys => change({ sshKeys })}
        />
        <TextField
            name="password"
            label={n.password}
            help={n.passwordHelp}
            type="password"
            complete="new-password"
            value={draft.password}
            change={password => change({ password })}
        />
    </>
)

/** Said where nobody could. */
export const NoLogin = () => <Alert isInline isPlain variant="info" title={n.noLogin} />
