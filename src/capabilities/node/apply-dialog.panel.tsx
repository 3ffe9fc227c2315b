// Before a plan is applied: each disk whose data dies is agreed to by its name, and the person says once more who they are.
import { useState } from 'react'
import { type DocumentPlan, ProvisionService } from '../../gen/proto/capabilities/node/provision_pb.js'
import { begun } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { useConfirmation } from '../confirm.panel.tsx'
import { CheckField, refuse, TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { fill } from '../words.panel.tsx'
import { words } from './configuration-words.panel.tsx'
import { shortName } from './document-plan.panel.tsx'

const api = clientOf(ProvisionService)

/** What was read, apart from who agreed to what: with a consent, the same plan has another hash. */
const read = ({ groups, destroys }: DocumentPlan): string =>
    JSON.stringify([groups.map(group => [group.resource, group.steps]), destroys.map(one => one.target)])

export function ApplyDialog(props: {
    text: string
    plan: DocumentPlan
    close: () => void
    begun: (apply: string, task: string) => void
    moved: () => void
}) {
    const { plan, text } = props
    const open = plan.destroys.filter(one => !one.agreed).map(one => one.target)
    const [typed, setTyped] = useState<Record<string, string>>({})
    const [leave, setLeave] = useState(false)
    const confirmation = useConfirmation()
    const wrong = (target: string) => (typed[target] ?? '') !== '' && typed[target] !== shortName(target)
    const agreed = open.filter(target => typed[target] === shortName(target))
    return (
        <FormDialog
            wide
            danger={plan.destroys.length > 0}
            title={words.applyTitle}
            description={plan.summary}
            submit={words.applySubmit}
            close={props.close}
            disabled={confirmation.missing || open.some(wrong)}
            run={async () => {
                if (agreed.length < open.length && !leave) refuse(words.leaveNeeded, '', words.leaveNeededFix)
                const now = (await api.plan({ text, destroy: agreed })).plan
                if (!now || read(now) !== read(plan)) {
                    props.moved()
                    refuse(words.otherPlan, '', words.otherPlanFix)
                }
                const answer = await confirmation.with(confirmationToken =>
                    api.apply({ text, hash: now.hash, destroy: agreed, confirmationToken, leaveWithheld: leave }),
                )
                begun(answer)
                props.begun(answer.object, answer.task)
            }}
        >
            {open.map(target => (
                <TextField
                    key={target}
                    name={`consent-${shortName(target)}`}
                    label={fill(words.typeDisk, { name: shortName(target) })}
                    help={words.typeDiskHelp}
                    error={wrong(target) ? words.wrongName : undefined}
                    value={typed[target] ?? ''}
                    change={value => setTyped(before => ({ ...before, [target]: value }))}
                />
            ))}
            {open.length > 0 && agreed.length < open.length && (
                <CheckField name="leave" label={words.leave} value={leave} change={setLeave} />
            )}
            {confirmation.field}
        </FormDialog>
    )
}
