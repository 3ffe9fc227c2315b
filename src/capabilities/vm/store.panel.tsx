// The live list of virtual machines, and how one state looks.
import { State, type Vm, VmService, type WatchResponse } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { clientOf } from '../client.panel.tsx'
import { SmallLabel } from '../label.panel.tsx'
import { live } from '../live.panel.tsx'
import { stateWord } from './words.panel.tsx'

const touched = new Set<(uuid: string) => void>()

/** Tells of every machine whose line comes for more than its load: what the line does not show may differ too. */
export function onTouched(listener: (uuid: string) => void): () => void {
    touched.add(listener)
    return () => touched.delete(listener)
}

const onlyLoad = (before: Vm | undefined, now: Vm): boolean => before?.changes === now.changes

/** Every VM the person may see, by UUID, as libvirt has it now. */
export const vms = live<WatchResponse, Vm>({
    open: signal => clientOf(VmService).watch({}, { signal }),
    apply(draft, message) {
        for (const vm of message.vms) {
            const more = touched.size > 0 && !onlyLoad(draft.get(vm.uuid), vm)
            draft.put(vm.uuid, vm)
            if (more) for (const listener of [...touched]) listener(vm.uuid)
        }
        for (const uuid of message.removed) draft.remove(uuid)
        if (message.synced) draft.synced()
        else draft.stale(message.stale)
    },
})

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
        <SmallLabel color={looks[props.state] ?? 'grey'} data-state={State[props.state]}>
            {stateWord(props.state)}
        </SmallLabel>
    )
}

export const isOn = (state: State): boolean => state !== State.STOPPED && state !== State.CRASHED && state !== 0

/** The state in an address, such as `running`. */
export const stateKey = (state: State): string => (State[state] ?? '').toLowerCase().replaceAll('_', '-')

/** A name for a snapshot that says when it was taken. */
export const snapshotName = (): string => `snap-${new Date().toISOString().slice(0, 16).replace(/[-:T]/g, '')}`
