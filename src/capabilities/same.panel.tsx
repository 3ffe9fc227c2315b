// The same without the panel, to copy: the command line, and the call of the API.
import { ExpandableSection } from '@patternfly/react-core'
import { useState } from 'react'
import type { Call } from './call.panel.tsx'
import { troubleIn } from './fields.panel.tsx'
import { CopyBlock, Quiet } from './parts.panel.tsx'
import { catalogue } from './words.panel.tsx'

const words = catalogue('same', {
    title: 'The same without the panel',
    cli: 'As a command',
    curl: 'As an API call',
    note: 'Secrets are left out: the command asks for them. `panel.crt` is the node’s certificate, and the file `auth` holds the line "Authorization: Bearer …" with a token of yours.',
    dangerous: 'It needs a confirmation, too: `confirmationToken` of IdentityService/Confirm.',
    unfinished: 'The form is not filled in yet: {why}',
})

/** Both, as they are sent. */
export const SameBlocks = ({ call }: { call: Call }) => (
    <div className="dv-fields" data-same>
        <CopyBlock label={words.cli} text={call.command} />
        <CopyBlock label={words.curl} text={call.curl(window.location.origin)} />
        <Quiet>{words.note}</Quiet>
        {call.dangerous && <Quiet>{words.dangerous}</Quiet>}
    </div>
)

/** Folded, below a form. */
export default function Same(props: { call: () => Call }) {
    const [open, setOpen] = useState(false)
    return (
        <ExpandableSection
            toggleText={words.title}
            isExpanded={open}
            onToggle={(_e, now) => setOpen(now)}
            isIndented
            data-action="same"
        >
            {open && <Shown call={props.call} />}
        </ExpandableSection>
    )
}

function Shown(props: { call: () => Call }) {
    let call: Call
    try {
        call = props.call()
    } catch (thrown) {
        const { summary, detail } = troubleIn(thrown)
        return <Quiet>{words.unfinished.replace('{why}', [summary, detail].filter(Boolean).join(': '))}</Quiet>
    }
    return <SameBlocks call={call} />
}
