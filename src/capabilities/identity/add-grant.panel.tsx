// The dialog that gives a user rights on one machine, or on all with a tag.
import { useState } from 'react'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { callOf, commandOf } from '../call.panel.tsx'
import { ChoiceField, TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { roleChoices, words } from './words.panel.tsx'

/** With one machine only, nothing else is to choose from. */
export function AddGrant(props: {
    users: string[]
    vms: { value: string; label: string }[]
    close: () => void
    done: () => void
}) {
    const [user, setUser] = useState(props.users[0] ?? '')
    const [role, setRole] = useState('operator')
    const [on, setOn] = useState<'vm' | 'tag'>('vm')
    const [vm, setVm] = useState(props.vms[0]?.value ?? '')
    const [tag, setTag] = useState('')
    return (
        <FormDialog
            title={words.addGrant}
            submit={words.addGrant}
            close={props.close}
            disabled={user === '' || (on === 'vm' ? vm === '' : tag === '')}
            call={() => {
                const where = on === 'vm' ? { vm } : { tag }
                return callOf(
                    IdentityService.method.addGrant,
                    { user, role, ...where },
                    commandOf('grant create', [user, role], where),
                )
            }}
            done={props.done}
        >
            <ChoiceField
                name="user"
                label={words.user}
                value={user}
                change={setUser}
                choices={props.users.map(u => ({ value: u, label: u }))}
            />
            <ChoiceField
                name="role"
                label={words.role}
                value={role}
                change={setRole}
                choices={roleChoices.filter(r => r.value !== '')}
            />
            {props.vms.length > 1 && (
                <ChoiceField
                    name="on"
                    label={words.grantOn}
                    value={on}
                    change={value => setOn(value as typeof on)}
                    choices={[
                        { value: 'vm', label: words.grantVm },
                        { value: 'tag', label: words.grantTag },
                    ]}
                />
            )}
            {on === 'vm' && props.vms.length > 1 && (
                <ChoiceField name="vm" label={words.grantVm} value={vm} change={setVm} choices={props.vms} />
            )}
            {on === 'tag' && <TextField name="tag" label={words.grantTag} value={tag} change={setTag} required />}
        </FormDialog>
    )
}
