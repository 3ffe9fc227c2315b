// What all containers of a stack wrote, together.
import { StackService } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { clientOf } from '../client.panel.tsx'
import { LogView } from '../log-view.panel.tsx'
import type { TabProps } from './detail.panel.tsx'

export default function Logs({ stack: { name, running } }: TabProps) {
    return (
        <LogView
            name={name}
            basis={name}
            running={running > 0}
            open={(asked, how) => clientOf(StackService).watchLogs({ ...asked, stack: name }, how)}
        />
    )
}
