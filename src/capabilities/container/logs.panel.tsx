// What a container wrote, in its tab.
import { ContainerService } from '../../gen/proto/capabilities/container/container_pb.js'
import { clientOf } from '../client.panel.tsx'
import { LogView } from '../log-view.panel.tsx'
import type { TabProps } from './detail.panel.tsx'
import { isOn } from './store.panel.tsx'

export default function Logs({ container: one }: TabProps) {
    return (
        <LogView
            name={one.name}
            basis={one.id}
            running={isOn(one.state)}
            open={(asked, how) => clientOf(ContainerService).watchLogs({ ...asked, container: one.id }, how)}
        />
    )
}
