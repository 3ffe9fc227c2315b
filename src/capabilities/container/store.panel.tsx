// The live list of containers, and how one state, its marks and its ports look.
import { Tooltip } from '@patternfly/react-core'
import {
    type Container,
    ContainerService,
    type Port,
    State,
    type WatchResponse,
} from '../../gen/proto/capabilities/container/container_pb.js'
import { clientOf } from '../client.panel.tsx'
import { SmallLabel } from '../label.panel.tsx'
import { live } from '../live.panel.tsx'
import type { Covered } from '../me.panel.tsx'
import { fill } from '../words.panel.tsx'
import { healthWord, stateWord, words } from './words.panel.tsx'

const touched = new Set<(what: string) => void>()

/** Tells what else of Docker has changed: images, volumes or networks. */
export function onTouched(listener: (what: string) => void): () => void {
    touched.add(listener)
    return () => touched.delete(listener)
}

/** Every container the person may see, by id. */
export const containers = live<WatchResponse, Container>({
    open: signal => clientOf(ContainerService).watch({}, { signal }),
    apply(draft, message) {
        for (const one of message.containers) draft.put(one.id, one)
        for (const id of message.removed) draft.remove(id)
        if (message.synced) draft.synced()
        draft.stale(message.stale)
        for (const what of message.touched) for (const listener of [...touched]) listener(what)
    },
})

/** What grants cover it by. */
export const covered = ({ id, tags }: Container): Covered => ({ uuid: id, tags })

export const isOn = (state: State): boolean =>
    state === State.RUNNING || state === State.PAUSED || state === State.RESTARTING

const looks: Record<number, 'green' | 'grey' | 'red' | 'orange' | 'blue'> = {
    [State.RUNNING]: 'green',
    [State.PAUSED]: 'orange',
    [State.RESTARTING]: 'orange',
    [State.REMOVING]: 'blue',
    [State.DEAD]: 'red',
}

export function StateLabel({ of }: { of: Container }) {
    const failed = of.state === State.EXITED && (of.exitCode !== 0 || of.outOfMemory)
    // One that runs and is not well says so in the place of its state.
    const ill = of.health !== '' && of.health !== 'healthy'
    const color = failed || of.health === 'unhealthy' ? 'red' : (looks[of.state] ?? 'grey')
    return (
        <SmallLabel color={color} data-state={State[of.state]} data-health={of.health || undefined}>
            {ill ? healthWord(of.health) : stateWord(of)}
        </SmallLabel>
    )
}

/** Shown wherever a container is that can do more than one should. */
export function Marked({ of }: { of: Container }) {
    if (of.marks.length === 0) return null
    return (
        <Tooltip content={fill(words.marksHelp, { marks: of.marks.join(', ') })}>
            <SmallLabel color="orange" className="dv-tag" data-marks={of.marks.join(' ')} tabIndex={0}>
                {words.marked}
            </SmallLabel>
        </Tooltip>
    )
}

const isLocal = (address: string): boolean => address === '::1' || address.startsWith('127.')

/** Short, for a list: what other machines may reach stands first. */
export const portsShort = (ports: readonly Port[]): string =>
    [...new Map(ports.filter(p => p.address).map(p => [`${p.host}${isLocal(p.address)}`, p])).values()]
        .map(p => (isLocal(p.address) ? `127.0.0.1:${p.host}` : String(p.host)))
        .join(', ')

/** In words: which port is open to whom. */
export function portLine(port: Port): string {
    const container = `${port.container}/${port.protocol}`
    if (port.address === '') return fill(words.port.lineClosed, { container, whom: words.port.closed })
    const whom = isLocal(port.address) ? words.port.node : words.port.lan
    return fill(words.port.line, { host: port.host, container, whom })
}
