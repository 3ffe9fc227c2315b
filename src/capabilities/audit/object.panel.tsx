// What was done to one object, as a tab on its page.
import type { ObjectTabProps } from '../pages.panel.tsx'
import { Anchor, address } from '../parts.panel.tsx'
import { Records } from './records.panel.tsx'
import { words } from './words.panel.tsx'

export default function AuditOf(props: ObjectTabProps) {
    return (
        <>
            <p className="dv-gap">
                <Anchor href={address('/audit', { on: props.uuid })}>{words.inLog}</Anchor>
            </p>
            <Records filter={{ who: '', what: '', on: props.uuid, since: '', until: '' }} filtered={false} />
        </>
    )
}
