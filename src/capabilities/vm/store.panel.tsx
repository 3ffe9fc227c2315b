// The live list of virtual machines, and how one state looks.
import { Label } from '@patternfly/react-core'
import { State, type Vm, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { clientOf } from '../client.panel.tsx'
import { live } from '../live.panel.tsx'
import { stateWord } from './words.panel.tsx'

/** Every VM the person may see, by UUID, as libvirt has it now. */
export const vms = live<Awaited<ReturnType<typeof first>>, Vm>({
    open: signal => clientOf(VmService).watch({}, { signal }),
    apply(draft, message) {
        for (const vm of message.vms) draft.put(vm.uuid, vm)
        for (const uuid of message.removed) draft.remove(uuid)
        if (message.synced) draft.synced()
        else draft.stale(message.stale)
    },
})

// Only its type is used: what the stream is made of.
async function first() {
    for await (const message of clientOf(VmService).watch({})) return message
    throw new Error('the stream ended')
}

const looks: Record<number, 'green' | 'grey' | 'red' | 'orange' | 'blue'> = {
    [State.RUNNING]: 'green',
    [State.PAUSED]: 'orange',
    [State.SHUTTING_DOWN]: 'blue',
    [State.STOPPED]: 'grey',
    [State.CRASHED]: 'red',
    [State.SLEEPING]: 'orange',
}

export function StateLabel(props: { state: State }) {
    return (
        <Label isCompact color={looks[props.state] ?? 'grey'} data-state={State[props.state]}>
            {stateWord(props.state)}
        </Label>
    )
}

export const isOn = (state: State): boolean => state !== State.STOPPED && state !== State.CRASHED && state !== 0
