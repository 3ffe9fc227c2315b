// The ports of a container: which is open to whom, and the switch that opens them to other machines.
import { Button, Label } from '@patternfly/react-core'
import { type Container, ContainerService } from '../../gen/proto/capabilities/container/container_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { Quiet } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { fill } from '../words.panel.tsx'
import { covered, isOutward, portLine } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const w = words.port

export function PortList({ of: one }: { of: Container }) {
    const published = one.ports.some(({ address }) => address !== '')
    return (
        <>
            {one.ports.map(port => (
                <div key={`${port.address}${port.host}${port.container}${port.protocol}`} data-port={port.host}>
                    {portLine(port)}{' '}
                    <Label isCompact color={port.open ? 'blue' : 'grey'} data-open={port.open}>
                        {port.open ? w.isOpen : w.isClosed}
                    </Label>
                    <Quiet>{port.reach || w.closed}</Quiet>
                </div>
            ))}
            {published && one.stack === '' && <Switch of={one} />}
        </>
    )
}

/** Of all its ports together. One of a stack is opened there. */
function Switch({ of: one }: { of: Container }) {
    const may = useMay()
    if (!one.ports.some(isOutward)) return <Quiet>{w.nodeOnly}</Quiet>
    if (!may('container.expose', covered(one))) return null
    return (
        <Button
            variant="link"
            isInline
            size="sm"
            data-action={one.exposed ? 'unexpose' : 'expose'}
            onClick={() => askExpose(one)}
        >
            {one.exposed ? w.unexpose : w.expose}
        </Button>
    )
}

const askExpose = ({ id, name, exposed }: Container): void =>
    openDialog(close => (
        <PlanDialog
            title={fill(exposed ? w.unexposeTitle : w.exposeTitle, { name })}
            submit={exposed ? w.unexpose : w.expose}
            ask={dryRun => clientOf(ContainerService).expose({ container: id, lan: !exposed, dryRun })}
            close={close}
            calm={exposed}
        />
    ))
