// Which roles need a second factor.
import { Button } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { CheckField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useMe } from '../me.panel.tsx'
import { Quiet, Section } from '../parts.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { roleChoices, roleWord, words } from './words.panel.tsx'

const api = clientOf(IdentityService)
const f = words.factor

export function FactorPolicy({ manage }: { manage: boolean }) {
    const query = useQuery({
        queryKey: ['factor-policy'],
        queryFn: ({ signal }) => api.getFactorPolicy({}, { signal }),
    })
    const roles = query.data?.roles
    if (!roles) return null
    return (
        <Section
            title={f.title}
            actions={
                manage && (
                    <Button
                        variant="secondary"
                        data-action="factor-policy"
                        onClick={() => openDialog(close => <EditPolicy roles={roles} close={close} />)}
                    >
                        {common.edit}
                    </Button>
                )
            }
        >
            <p data-factor-policy={roles.join(' ')}>
                {roles.length === 0 ? f.neededByNobody : fill(f.neededBy, { roles: roles.map(roleWord).join(', ') })}
            </p>
            <Quiet>{f.policyHelp}</Quiet>
        </Section>
    )
}

function EditPolicy(props: { roles: readonly string[]; close: () => void }) {
    const [roles, setRoles] = useState(props.roles)
    const me = useMe()
    const askAgain = useAskAgain()
    const own = me?.user && !me.user.factor && roles.includes(me.user.role)
    return (
        <FormDialog
            title={f.policyTitle}
            submit={common.save}
            close={props.close}
            description={f.policyHelp}
            run={async () => {
                await api.setFactorPolicy({ roles: [...roles] })
                askAgain(['factor-policy'])
                askAgain(['me'])
            }}
        >
            {roleChoices
                .filter(role => role.value !== '')
                .map(role => (
                    <CheckField
                        key={role.value}
                        name={`role-${role.value}`}
                        label={role.label}
                        value={roles.includes(role.value)}
                        change={on => setRoles(on ? [...roles, role.value] : roles.filter(one => one !== role.value))}
                    />
                ))}
            {own && <p role="alert">{f.policyOwn}</p>}
        </FormDialog>
    )
}
