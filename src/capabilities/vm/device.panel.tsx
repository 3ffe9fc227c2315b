// What disks, CD drives and network cards have in common.
import { Label } from '@patternfly/react-core'
import type { Vm } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { words } from './words.panel.tsx'

const h = words.hw

/** What the dialogs of a machine's devices share. */
export interface Shared {
    vm: Vm
    revision: string
    done: () => void
}

/** When a device is there, where that is not now. */
export const Presence = (props: { presence: string; running: boolean }) => {
    if (props.presence === 'pending' && props.running)
        return (
            <Label isCompact color="blue" data-presence="pending">
                {h.pending}
            </Label>
        )
    if (props.presence === 'removed')
        return (
            <Label isCompact color="orange" data-presence="removed">
                {h.removed}
            </Label>
        )
    return null
}
