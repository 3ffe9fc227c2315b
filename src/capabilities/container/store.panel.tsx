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

/** The node listens for others: the same that the service asks for when ports are to be opened. */
export const isOutward = ({ address, protocol }: Port): boolean =>
    address !== '' && !isLocal(address) && !address.includes(':') && protocol !== 'sctp'

/** Short, for a list: each port of the node once; those that are open to others stand out. */
export function Ports({ of }: { of: readonly Port[] }) {
    const byHost = new Map<number, Port>()
    for (const port of of) if (port.address && !byHost.get(port.host)?.open) byHost.set(port.host, port)
    return [...byHost.values()].map(port => (
        <SmallLabel
            key={port.host}
            color={port.open ? 'blue' : 'grey'}
            className="dv-tag"
            title={port.reach}
            data-open={port.open}
        >
            {port.open ? fill(words.port.open, { host: port.host }) : port.host || '?'}
        </SmallLabel>
    ))
}

/** A port, and where the node listens for it where that is not everywhere. */
export function portLine({ host, address, container, protocol }: Port): string {
    const inside = `${container}/${protocol}`
    if (address === '') return inside
    const where = address === '0.0.0.0' ? '' : address.includes(':') ? `[${address}]:` : `${address}:`
    return fill(words.port.line, { host: `${where}${host || '?'}`, container: inside })
}
