// What can be done with a machine as a whole: power, clone, rename, delete; offered by state and rights.
import { useNavigate } from '@tanstack/react-router'
import { useCallback, useRef, useState } from 'react'
import { State, type Vm, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { callOf, commandOf } from '../call.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { CheckField, TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useMay } from '../me.panel.tsx'
import type { MenuAction } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { isOn } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(VmService)

export type PowerVerb = 'start' | 'shutdown' | 'reboot' | 'suspend' | 'resume'

/** Power verbs that lose nothing: done at once, without a question. */
export const power = (verb: PowerVerb, vm: Pick<Vm, 'uuid'>): Promise<boolean> => act(() => api[verb]({ vm: vm.uuid }))

/** Whether a verb makes sense in the machine's state. */
export function fits(verb: PowerVerb | 'stop' | 'reset', vm: Vm): boolean {
    switch (verb) {
        case 'start':
            return !isOn(vm.state) && !vm.template
        case 'resume':
            return vm.state === State.PAUSED || vm.state === State.SLEEPING
        case 'suspend':
        case 'shutdown':
        case 'reboot':
        case 'reset':
            return vm.state === State.RUNNING
        case 'stop':
            return isOn(vm.state)
    }
}

export type VmActions = (vm: Vm, without?: readonly string[]) => MenuAction[]

/** The menu of a machine; what is offered twice (as a button) can be left out. */
export function useVmActions(): VmActions {
    const may = useMay()
    const navigate = useNavigate()
    return useCallback<VmActions>(
        (vm, without = []) => {
            const actions: (MenuAction | false)[] = []
            if (may('vm.power', vm)) {
                for (const verb of ['start', 'resume', 'shutdown', 'reboot', 'suspend'] as const) {
                    const description = (words.hints as Record<string, string>)[verb]
                    actions.push(
                        fits(verb, vm) && {
                            key: verb,
                            label: words[verb],
                            description,
                            run: () => void power(verb, vm),
                        },
                    )
                }
                actions.push(
                    fits('reset', vm) && {
                        key: 'reset',
                        label: words.reset,
                        description: words.hints.reset,
                        run: () => askReset(vm),
                    },
                    fits('stop', vm) && {
                        key: 'stop',
                        label: words.stop,
                        description: words.hints.stop,
                        danger: true,
                        run: () => askStop(vm),
                    },
                )
            }
            actions.push(
                may('vm.create') && {
                    key: 'clone',
                    label: words.clone,
                    run: () => openDialog(close => <CloneDialog vm={vm} close={close} />),
                },
            )
            if (may('vm.update', vm)) {
                actions.push(
                    {
                        key: 'rename',
                        label: words.rename,
                        run: () => openDialog(close => <RenameDialog vm={vm} close={close} />),
                    },
                    !isOn(vm.state) && {
                        key: 'template',
                        label: vm.template ? words.unmakeTemplate : words.makeTemplate,
                        run: () => void act(() => api.setTemplate({ vm: vm.uuid, template: !vm.template })),
                    },
                )
            }
            actions.push(
                may('vm.delete', vm) && {
                    key: 'delete',
                    label: words.delete,
                    danger: true,
                    run: () =>
                        openDialog(close => (
                            <DeleteDialog vm={vm} close={close} done={() => void navigate({ to: '/vms' as string })} />
                        )),
                },
            )
            return actions.filter(a => !!a).filter(a => !without.includes(a.key))
        },
        [may, navigate],
    )
}

export const askStop = (vm: Vm): void =>
    openDialog(close => (
        <PlanDialog
            title={fill(words.stopTitle, { name: vm.name })}
            submit={words.stop}
            close={close}
            ask={dryRun => api.stop({ vm: vm.uuid, dryRun })}
        >
            <p>{words.lossUnsaved}</p>
        </PlanDialog>
    ))

export const askReset = (vm: Vm): void =>
    openDialog(close => (
        <PlanDialog
            title={fill(words.resetTitle, { name: vm.name })}
            submit={words.reset}
            close={close}
            ask={dryRun => api.reset({ vm: vm.uuid, dryRun })}
        >
            <p>{words.lossUnsaved}</p>
        </PlanDialog>
    ))

/**
 * The revision of a machine as it was when first asked for: what is agreed to is the machine as it was then. Empty for
 * who may not look at it; the comparison of the plans is then all there is.
 */
export function useSeen(): (vm: Pick<Vm, 'uuid'>) => Promise<string> {
    const seen = useRef(new Map<string, Promise<string>>())
    return useCallback(({ uuid }) => {
        const known =
            seen.current.get(uuid) ??
            api.get({ vm: uuid }).then(
                answer => answer.detail?.revision ?? '',
                () => '',
            )
        seen.current.set(uuid, known)
        return known
    }, [])
}

function DeleteDialog(props: { vm: Vm; close: () => void; done: () => void }) {
    const { vm } = props
    const [disks, setDisks] = useState(false)
    const seen = useSeen()
    const running = isOn(vm.state)
    const [force, setForce] = useState(false)
    return (
        <PlanDialog
            title={fill(words.deleteTitle, { name: vm.name })}
            submit={words.delete}
            close={props.close}
            typed={vm.name}
            basis={`${disks}${force}`}
            ask={async dryRun => api.delete({ vm: vm.uuid, revision: await seen(vm), disks, force, dryRun })}
            done={props.done}
        >
            <CheckField
                name="disks"
                label={words.withDisks}
                help={words.withDisksHelp}
                value={disks}
                change={setDisks}
            />
            {running && <CheckField name="force" label={words.forceDelete} value={force} change={setForce} />}
        </PlanDialog>
    )
}

function RenameDialog(props: { vm: Vm; close: () => void }) {
    const [name, setName] = useState(props.vm.name)
    return (
        <FormDialog
            title={fill(words.renameTitle, { name: props.vm.name })}
            submit={words.rename}
            close={props.close}
            disabled={name === '' || name === props.vm.name}
            call={() =>
                callOf(
                    VmService.method.rename,
                    { vm: props.vm.uuid, name },
                    commandOf('vm rename', [props.vm.name, name]),
                )
            }
        >
            <TextField name="name" label={words.newName} value={name} change={setName} focus required />
        </FormDialog>
    )
}

function CloneDialog(props: { vm: Vm; close: () => void }) {
    const [name, setName] = useState(`${props.vm.name}-2`)
    const [linked, setLinked] = useState(false)
    const [start, setStart] = useState(false)
    return (
        <FormDialog
            title={fill(words.cloneTitle, { name: props.vm.name })}
            submit={words.clone}
            close={props.close}
            disabled={name === ''}
            call={() =>
                callOf(
                    VmService.method.clone,
                    { vm: props.vm.uuid, name, linked, start },
                    commandOf('vm clone', [props.vm.name, name], { linked, start }),
                )
            }
        >
            <TextField name="name" label={common.name} value={name} change={setName} focus required />
            <CheckField
                name="linked"
                label={words.cloneLinked}
                help={fill(words.cloneLinkedHelp, { name: props.vm.name })}
                value={linked}
                change={setLinked}
            />
            <CheckField name="start" label={words.cloneStart} value={start} change={setStart} />
        </FormDialog>
    )
}
