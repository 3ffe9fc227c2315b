// What can be done with many machines at once.
import { Button, List, ListItem, ToolbarItem } from '@patternfly/react-core'
import { type Vm, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { ActionMenu } from '../parts.panel.tsx'
import { common, plural } from '../words.panel.tsx'
import { fits, power } from './actions.panel.tsx'
import { isOn } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(VmService)

/** A few at a time, so that a click on five hundred machines does not flood the server. */
async function each(chosen: readonly Vm[], run: (vm: Vm) => Promise<unknown>): Promise<void> {
    const queue = [...chosen]
    const lane = async (): Promise<void> => {
        for (let vm = queue.shift(); vm; vm = queue.shift()) await run(vm)
    }
    await Promise.all(Array.from({ length: 6 }, lane))
}

export function BulkBar(props: { chosen: readonly Vm[]; clear: () => void }) {
    const may = useMay()
    const { chosen } = props
    const startable = chosen.filter(vm => fits('start', vm) && may('vm.power', vm))
    const running = chosen.filter(vm => fits('shutdown', vm) && may('vm.power', vm))
    const on = chosen.filter(vm => fits('stop', vm) && may('vm.power', vm))
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
                        on.length > 0 && {
                            key: 'bulk-stop',
                            label: words.stop,
                            danger: true,
                            run: () =>
                                askMany({
                                    title: plural(words.bulkStopTitle, on.length),
                                    submit: words.stop,
                                    text: words.lossUnsaved,
                                    chosen: on,
                                    run: vm => act(() => api.stop({ vm: vm.uuid })),
                                }),
                        },
                        deletable.length > 0 && {
                            key: 'bulk-delete',
                            label: words.delete,
                            danger: true,
                            run: () =>
                                askMany({
                                    title: plural(words.bulkDeleteTitle, deletable.length),
                                    submit: words.delete,
                                    text: words.bulkDeleteText,
                                    chosen: deletable,
                                    run: vm => act(() => api.delete({ vm: vm.uuid, disks: true })),
                                }),
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

interface Question {
    title: string
    submit: string
    text: string
    chosen: readonly Vm[]
    run: (vm: Vm) => Promise<unknown>
}

function askMany({ title, submit, text, chosen, run }: Question): void {
    openDialog(close => (
        <FormDialog
            title={title}
            submit={submit}
            close={close}
            danger
            run={() => {
                void each(chosen, run)
                return Promise.resolve()
            }}
        >
            <p>{text}</p>
            <List isPlain className="dv-names">
                {chosen.map(vm => (
                    <ListItem key={vm.uuid}>{vm.name}</ListItem>
                ))}
            </List>
        </FormDialog>
    ))
}
