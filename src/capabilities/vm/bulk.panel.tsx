// What can be done with many machines at once.
import { Button, ToolbarItem } from '@patternfly/react-core'
import { useState } from 'react'
import { type Vm, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { CheckField, TextField } from '../fields.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { ActionMenu } from '../parts.panel.tsx'
import { each, ManyPlansDialog } from '../plan.panel.tsx'
import { common, plural } from '../words.panel.tsx'
import { fits, power, useSeen } from './actions.panel.tsx'
import { isOn, snapshotName } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(VmService)

export function BulkBar(props: { chosen: readonly Vm[]; clear: () => void }) {
    const may = useMay()
    const { chosen } = props
    const startable = chosen.filter(vm => fits('start', vm) && may('vm.power', vm))
    const running = chosen.filter(vm => fits('shutdown', vm) && may('vm.power', vm))
    const on = chosen.filter(vm => fits('stop', vm) && may('vm.power', vm))
    const snapped = chosen.filter(vm => !vm.template && may('vm.snapshot', vm))
    const deletable = chosen.filter(vm => !isOn(vm.state) && may('vm.delete', vm))
    return (
        <>
            <ToolbarItem variant="label">{plural(words.selected, chosen.length)}</ToolbarItem>
            <ToolbarItem>
                <Button
                    variant="secondary"
                    data-action="bulk-start"
                    isDisabled={startable.length === 0}
                    onClick={() => void each(startable, vm => power('start', vm))}
                >
                    {words.start}
                </Button>
            </ToolbarItem>
            <ToolbarItem>
                <Button
                    variant="secondary"
                    data-action="bulk-shutdown"
                    isDisabled={running.length === 0}
                    onClick={() => void each(running, vm => power('shutdown', vm))}
                >
                    {words.shutdown}
                </Button>
            </ToolbarItem>
            <ToolbarItem>
                <ActionMenu
                    label={common.actions}
                    actions={[
                        running.length > 0 && {
                            key: 'bulk-reboot',
                            label: words.reboot,
                            run: () => void each(running, vm => power('reboot', vm)),
                        },
                        snapped.length > 0 && {
                            key: 'bulk-snapshot',
                            label: words.bulkSnap,
                            run: () => openDialog(close => <SnapMany all={snapped} close={close} />),
                        },
                        on.length > 0 && {
                            key: 'bulk-stop',
                            label: words.stop,
                            danger: true,
                            run: () => openDialog(close => <StopMany all={on} close={close} />),
                        },
                        deletable.length > 0 && {
                            key: 'bulk-delete',
                            label: words.delete,
                            danger: true,
                            run: () => openDialog(close => <DeleteMany all={deletable} close={close} />),
                        },
                    ]}
                />
            </ToolbarItem>
            <ToolbarItem>
                <Button variant="link" onClick={props.clear}>
                    {words.unselect}
                </Button>
            </ToolbarItem>
        </>
    )
}

interface Many {
    all: readonly Vm[]
    close: () => void
}

const StopMany = (props: Many) => (
    <ManyPlansDialog
        title={plural(words.bulkStopTitle, props.all.length)}
        submit={words.stop}
        all={props.all}
        close={props.close}
        ask={(vm, dryRun) => api.stop({ vm: vm.uuid, dryRun })}
    >
        <p>{words.lossUnsaved}</p>
    </ManyPlansDialog>
)

function DeleteMany(props: Many) {
    const [disks, setDisks] = useState(false)
    const seen = useSeen()
    return (
        <ManyPlansDialog
            title={plural(words.bulkDeleteTitle, props.all.length)}
            submit={words.delete}
            all={props.all}
            close={props.close}
            basis={String(disks)}
            ask={async (vm, dryRun) => api.delete({ vm: vm.uuid, revision: await seen(vm), disks, dryRun })}
        >
            <CheckField
                name="disks"
                label={words.withTheirDisks}
                help={words.withDisksHelp}
                value={disks}
                change={setDisks}
            />
        </ManyPlansDialog>
    )
}

function SnapMany(props: Many) {
    const [name, setName] = useState(snapshotName)
    const [memory, setMemory] = useState(false)
    const running = props.all.some(vm => isOn(vm.state))
    return (
        <ManyPlansDialog
            title={plural(words.bulkSnapTitle, props.all.length)}
            submit={words.bulkSnap}
            all={props.all}
            close={props.close}
            calm
            basis={`${name} ${memory}`}
            ask={(vm, dryRun) => api.createSnapshot({ vm: vm.uuid, name, memory: memory && isOn(vm.state), dryRun })}
        >
            <TextField
                name="name"
                label={common.name}
                help={words.bulkSnapName}
                value={name}
                change={setName}
                required
                focus
            />
            {running && (
                <CheckField
                    name="memory"
                    label={words.snap.memory}
                    help={words.snap.memoryHelp}
                    value={memory}
                    change={setMemory}
                />
            )}
        </ManyPlansDialog>
    )
}
