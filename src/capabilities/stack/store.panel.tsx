// The live list of stacks, and how the state and the marks of one look.
import { Tooltip } from '@patternfly/react-core'
import { type Stack, StackService, State, type WatchResponse } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { clientOf } from '../client.panel.tsx'
import { SmallLabel } from '../label.panel.tsx'
import { live } from '../live.panel.tsx'
import type { Covered } from '../me.panel.tsx'
import { fill } from '../words.panel.tsx'
import { stateName, words } from './words.panel.tsx'

/** Every stack the person may see, by name. */
export const stacks = live<WatchResponse, Stack>({
    open: signal => clientOf(StackService).watch({}, { signal }),
    apply(draft, message) {
        for (const one of message.stacks) draft.put(one.name, one)
        for (const name of message.removed) draft.remove(name)
        if (message.synced) draft.synced()
        draft.stale(message.stale)
    },
})

/** What grants cover it by. */
export const covered = ({ name, tags }: Stack): Covered => ({ uuid: name, tags: [...tags, `stack:${name}`] })

const looks: Record<number, 'green' | 'grey' | 'orange'> = { [State.RUNNING]: 'green', [State.PARTLY]: 'orange' }

export const StateLabel = ({ of }: { of: Stack }) => (
    <SmallLabel color={looks[of.state] ?? 'grey'} data-state={State[of.state]}>
        {stateName(of.state)}
    </SmallLabel>
)

/** What of it needs a look: more than a container may, and what is not as it was brought up. */
export function Marked({ of }: { of: Stack }) {
    return (
        <>
            {of.marks.length > 0 && (
                <Tooltip content={fill(words.marksHelp, { marks: of.marks.join(', ') })}>
                    <SmallLabel color="orange" className="dv-tag" data-marks={of.marks.join(' ')} tabIndex={0}>
                        {words.marked}
                    </SmallLabel>
                </Tooltip>
            )}{' '}
            {(of.drift.length > 0 || of.unfinished > 0) && (
                <Tooltip
                    content={
                        of.unfinished > 0
                            ? fill(words.unfinished, { version: of.unfinished })
                            : of.drift.slice(0, 5).join('; ')
                    }
                >
                    <SmallLabel color="orange" className="dv-tag" data-drift={of.drift.length} tabIndex={0}>
                        {words.drift}
                    </SmallLabel>
                </Tooltip>
            )}
        </>
    )
}
