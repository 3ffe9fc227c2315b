// What can be done with a stack as a whole, each with its plan first.
import { Checkbox, FormGroup } from '@patternfly/react-core'
import { useNavigate } from '@tanstack/react-router'
import { useCallback, useState } from 'react'
import { type Stack, StackService, State } from '../../gen/proto/capabilities/stack/stack_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { useMay } from '../me.panel.tsx'
import type { MenuAction } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { fill } from '../words.panel.tsx'
import { covered } from './store.panel.tsx'
import { TakeInDialog } from './take-in.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(StackService)

export const askUp = (name: string, pull = false): void =>
    openDialog(close => (
        <PlanDialog
            title={fill(pull ? words.updateTitle : words.upTitle, { name })}
            submit={words.up}
            ask={dryRun => api.up({ stack: name, pull, dryRun })}
            close={close}
            calm
        />
    ))

const askDown = (name: string): void =>
    openDialog(close => (
        <PlanDialog
            title={fill(words.downTitle, { name })}
            submit={words.down}
            ask={dryRun => api.down({ stack: name, dryRun })}
            close={close}
        />
    ))

const askPull = (name: string): void =>
    openDialog(close => (
        <PlanDialog
            title={fill(words.pullTitle, { name })}
            submit={words.pull}
            ask={dryRun => api.pull({ stack: name, dryRun })}
            close={close}
            calm
        />
    ))

export type Actions = (stack: Stack, volumes?: readonly string[]) => MenuAction[]

export function useActions(): Actions {
    const may = useMay()
    const navigate = useNavigate()
    return useCallback<Actions>(
        (one, volumes = []) => {
            const { name, managed } = one
            const power = may('stack.power', covered(one))
            const actions: (MenuAction | false)[] = [
                !managed &&
                    may('stack.create') && {
                        key: 'take-in',
                        label: words.takeIn,
                        run: () => openDialog(close => <TakeInDialog stack={one} close={close} />),
                    },
                managed && power && { key: 'up', label: words.up, run: () => askUp(name) },
                managed &&
                    power && {
                        key: 'update',
                        label: words.update,
                        description: words.hints.update,
                        run: () => askUp(name, true),
                    },
                managed &&
                    power && {
                        key: 'pull',
                        label: words.pull,
                        description: words.hints.pull,
                        run: () => askPull(name),
                    },
                one.state !== State.DOWN &&
                    power && {
                        key: 'down',
                        label: words.down,
                        description: words.hints.down,
                        danger: true,
                        run: () => askDown(name),
                    },
                managed &&
                    may('stack.delete', covered(one)) && {
                        key: 'remove',
                        label: words.remove,
                        danger: true,
                        run: () =>
                            openDialog(close => (
                                <RemoveDialog
                                    name={name}
                                    volumes={volumes}
                                    close={close}
                                    done={() => void navigate({ to: '/stacks' as string })}
                                />
                            )),
                    },
            ]
            return actions.filter(action => !!action)
        },
        [may, navigate],
    )
}

/** Volumes stay unless they are named here. */
function RemoveDialog(props: { name: string; volumes: readonly string[]; close: () => void; done: () => void }) {
    const { name } = props
    const [volumes, setVolumes] = useState<readonly string[]>([])
    return (
        <PlanDialog
            title={fill(words.removeTitle, { name })}
            submit={words.remove}
            typed={name}
            basis={volumes.join()}
            ask={dryRun => api.remove({ stack: name, volumes: [...volumes], dryRun })}
            close={props.close}
            done={props.done}
        >
            {props.volumes.length > 0 && (
                <FormGroup label={words.removeVolumes} role="group">
                    {props.volumes.map(volume => (
                        <Checkbox
                            key={volume}
                            id={`volume-${volume}`}
                            data-volume={volume}
                            label={volume}
                            isChecked={volumes.includes(volume)}
                            onChange={(_e, on) =>
                                setVolumes(on ? [...volumes, volume] : volumes.filter(one => one !== volume))
                            }
                        />
                    ))}
                </FormGroup>
            )}
        </PlanDialog>
    )
}
