// What can be done with a container as a whole, offered by state and rights.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useCallback, useState } from 'react'
import { formatBytes } from '../../base/units.ts'
import { type Container, ContainerService, State } from '../../gen/proto/capabilities/container/container_pb.js'
import { ContainerNetworkService } from '../../gen/proto/capabilities/container/stores_pb.js'
import { act, openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { CheckField, ChoiceField, needSize, refuse, TextField } from '../fields.panel.tsx'
import { FormDialog } from '../forms.panel.tsx'
import { useMay } from '../me.panel.tsx'
import type { MenuAction } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { common, fill } from '../words.panel.tsx'
import { covered, isOn } from './store.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(ContainerService)

export type Verb = 'start' | 'stop' | 'restart' | 'pause' | 'unpause'

export const power = (verb: Verb, { id }: Pick<Container, 'id'>): Promise<boolean> =>
    act(() => api[verb]({ container: id }))

/** Whether a verb makes sense in the container's state. */
export function fits(verb: Verb | 'kill', { state }: Container): boolean {
    switch (verb) {
        case 'start':
            return !isOn(state) && state !== State.REMOVING
        case 'unpause':
            return state === State.PAUSED
        case 'pause':
        case 'restart':
            return state === State.RUNNING
        case 'stop':
        case 'kill':
            return isOn(state)
    }
}

export type Actions = (container: Container, without?: readonly string[]) => MenuAction[]

export function useActions(): Actions {
    const may = useMay()
    const navigate = useNavigate()
    return useCallback<Actions>(
        (one, without = []) => {
            const actions: (MenuAction | false)[] = []
            if (may('container.power', covered(one))) {
                for (const verb of ['start', 'unpause', 'stop', 'restart', 'pause'] as const)
                    actions.push(
                        fits(verb, one) && {
                            key: verb,
                            label: words[verb],
                            description: (words.hints as Record<string, string>)[verb],
                            run: () => void power(verb, one),
                        },
                    )
                actions.push(
                    fits('kill', one) && {
                        key: 'kill',
                        label: words.kill,
                        description: words.hints.kill,
                        danger: true,
                        run: () => askKill(one),
                    },
                )
            }
            if (may('container.update', covered(one)))
                actions.push(
                    {
                        key: 'limits',
                        label: words.limits,
                        run: () => openDialog(close => <LimitsDialog container={one} close={close} />),
                    },
                    {
                        key: 'join',
                        label: words.join,
                        run: () => openDialog(close => <JoinDialog container={one} close={close} />),
                    },
                    one.stack === '' && {
                        key: 'rename',
                        label: words.rename,
                        run: () => openDialog(close => <RenameDialog container={one} close={close} />),
                    },
                )
            actions.push(
                may('container.delete', covered(one)) && {
                    key: 'remove',
                    label: words.remove,
                    danger: true,
                    run: () =>
                        openDialog(close => (
                            <RemoveDialog
                                container={one}
                                close={close}
                                done={() => void navigate({ to: '/containers' as string })}
                            />
                        )),
                },
            )
            return actions.filter(a => !!a).filter(a => !without.includes(a.key))
        },
        [may, navigate],
    )
}

/** Networks that it is not on yet. */
function JoinDialog(props: { container: Container; close: () => void }) {
    const { id, name, networks: on } = props.container
    const [network, setNetwork] = useState('')
    const all = useQuery({
        queryKey: ['container-networks'],
        queryFn: async ({ signal }) => (await clientOf(ContainerNetworkService).list({}, { signal })).networks,
    })
    const choices = (all.data ?? [])
        .map(one => one.name)
        .filter(one => !on.includes(one) && one !== 'host' && one !== 'none')
    return (
        <FormDialog
            title={fill(words.joinTitle, { name })}
            submit={words.join}
            close={props.close}
            disabled={network === ''}
            run={() => clientOf(ContainerNetworkService).connect({ container: id, network })}
        >
            <ChoiceField
                name="network"
                label={words.network}
                value={network}
                change={setNetwork}
                choices={[{ value: '', label: common.none }, ...choices.map(value => ({ value, label: value }))]}
            />
        </FormDialog>
    )
}

const askKill = (one: Container): void =>
    openDialog(close => (
        <PlanDialog
            title={fill(words.killTitle, { name: one.name })}
            submit={words.kill}
            close={close}
            ask={dryRun => api.kill({ container: one.id, dryRun })}
        >
            <p>{words.killHelp}</p>
        </PlanDialog>
    ))

function RemoveDialog(props: { container: Container; close: () => void; done: () => void }) {
    const { id, name, state } = props.container
    const [force, setForce] = useState(false)
    const [volumes, setVolumes] = useState(false)
    return (
        <PlanDialog
            title={fill(words.removeTitle, { name })}
            submit={words.remove}
            close={props.close}
            typed={name}
            basis={`${force}${volumes}`}
            ask={dryRun => api.remove({ container: id, force, volumes, dryRun })}
            done={props.done}
        >
            {isOn(state) && <CheckField name="force" label={words.removeForce} value={force} change={setForce} />}
            <CheckField name="volumes" label={words.removeVolumes} value={volumes} change={setVolumes} />
        </PlanDialog>
    )
}

function RenameDialog(props: { container: Container; close: () => void }) {
    const { id, name: before } = props.container
    const [name, setName] = useState(before)
    return (
        <FormDialog
            title={fill(words.renameTitle, { name: before })}
            submit={words.rename}
            close={props.close}
            disabled={name === '' || name === before}
            run={() => api.rename({ container: id, name })}
        >
            <TextField name="name" label={words.newName} value={name} change={setName} focus required />
        </FormDialog>
    )
}

/** Cores as they were typed; nothing is no limit. */
export function coresOf(text: string): number {
    const cores = text.trim() === '' ? 0 : Number(text.replace(',', '.'))
    return Number.isFinite(cores) && cores >= 0 ? cores : refuse(words.form.badNumber, text, words.form.badNumberFix)
}

export const memoryOf = (text: string): bigint => (text.trim() === '' ? 0n : needSize(text))

export const policyChoices = Object.entries(words.policies).map(([value, label]) => ({ value, label }))

function LimitsDialog(props: { container: Container; close: () => void }) {
    const { id, name, cpuLimit, memoryLimitBytes, restart: before } = props.container
    const [cpus, setCpus] = useState(cpuLimit > 0 ? String(cpuLimit) : '')
    const [memory, setMemory] = useState(
        memoryLimitBytes > 0n ? formatBytes(Number(memoryLimitBytes)).replace(/ (.)iB$/, '$1') : '',
    )
    const [restart, setRestart] = useState(before)
    return (
        <FormDialog
            title={fill(words.limitsTitle, { name })}
            submit={words.limits}
            close={props.close}
            run={() =>
                api.update({ container: id, cpuLimit: coresOf(cpus), memoryLimitBytes: memoryOf(memory), restart })
            }
        >
            <TextField
                name="cpus"
                label={words.form.cpus}
                help={words.form.limitHelp}
                value={cpus}
                change={setCpus}
                focus
            />
            <TextField
                name="memory"
                label={words.form.memory}
                help={words.form.limitHelp}
                value={memory}
                change={setMemory}
            />
            <ChoiceField
                name="restart"
                label={words.form.restart}
                value={restart}
                change={setRestart}
                choices={policyChoices}
            />
        </FormDialog>
    )
}
