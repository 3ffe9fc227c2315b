// One's own account: password, sessions, tokens.
import {
    Button,
    DescriptionList,
    DescriptionListDescription,
    DescriptionListGroup,
    DescriptionListTerm,
} from '@patternfly/react-core'
import { useState } from 'react'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { notify, openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { refuse, TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useMe } from '../me.panel.tsx'
import { PageBody, PageHead } from '../parts.panel.tsx'
import { common } from '../words.panel.tsx'
import { Sessions, Tokens } from './access.panel.tsx'
import { SecondFactor } from './factor.panel.tsx'
import { roleWord, words } from './words.panel.tsx'

export default function Account() {
    const me = useMe()
    return (
        <>
            <PageHead title={words.account}>
                <Button variant="secondary" onClick={() => openDialog(close => <Password close={close} />)}>
                    {words.changePassword}
                </Button>
            </PageHead>
            <PageBody>
                <DescriptionList isHorizontal isCompact className="dv-section dv-facts">
                    <DescriptionListGroup>
                        <DescriptionListTerm>{words.user}</DescriptionListTerm>
                        <DescriptionListDescription>{me?.user?.name ?? ''}</DescriptionListDescription>
                    </DescriptionListGroup>
                    <DescriptionListGroup>
                        <DescriptionListTerm>{words.role}</DescriptionListTerm>
                        <DescriptionListDescription>{roleWord(me?.user?.role ?? '')}</DescriptionListDescription>
                    </DescriptionListGroup>
                </DescriptionList>
                <SecondFactor />
                <Sessions />
                <Tokens />
            </PageBody>
        </>
    )
}

function Password(props: { close: () => void }) {
    const [oldPassword, setOld] = useState('')
    const [newPassword, setNew] = useState('')
    const [repeat, setRepeat] = useState('')
    return (
        <FormDialog
            title={words.changePassword}
            submit={common.save}
            close={props.close}
            disabled={oldPassword === '' || newPassword === ''}
            run={async () => {
                if (newPassword !== repeat) refuse(words.different)
                await clientOf(IdentityService).changePassword({ oldPassword, newPassword })
                notify('success', words.changed)
            }}
        >
            <TextField
                name="old"
                label={words.oldPassword}
                type="password"
                complete="current-password"
                value={oldPassword}
                change={setOld}
                focus
                required
            />
            <TextField
                name="new"
                label={words.newPassword}
                help={words.passwordHelp}
                type="password"
                complete="new-password"
                value={newPassword}
                change={setNew}
                required
            />
            <TextField
                name="repeat"
                label={words.repeat}
                type="password"
                complete="new-password"
                value={repeat}
                change={setRepeat}
                required
            />
        </FormDialog>
    )
}
