// What people write on the command line about containers, and how containers stand in tables.
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { Fault } from '../../base/fault.ts'
import { type Container, type Port, State } from '../../gen/proto/capabilities/container/container_pb.js'
import type { Argument } from '../verb.ts'

export const CONTAINER: Argument = { name: 'container', summary: 'name or id', complete: 'container' }

export const STATES: Record<State, string> = {
    [State.STATE_UNSPECIFIED]: 'unknown',
    [State.CREATED]: 'created',
    [State.RUNNING]: 'running',
    [State.PAUSED]: 'paused',
    [State.RESTARTING]: 'restarting',
    [State.REMOVING]: 'removing',
    [State.EXITED]: 'ended',
    [State.DEAD]: 'dead',
}

export const stateWord = ({ state, health, exitCode, outOfMemory }: Container): string => {
    if (state === State.EXITED) return outOfMemory ? 'ended: out of memory' : `ended (${exitCode})`
    return health ? `${STATES[state]}, ${health}` : STATES[state]
}

export function portWord({ host, address, container, protocol }: Port): string {
    const suffix = protocol === 'tcp' ? '' : `/${protocol}`
    if (!address) return `${container}${suffix}`
    const where = address.includes(':') ? `[${address}]` : address
    return `${where}:${host || '?'}→${container}${suffix}`
}

/** The ports of one in a line of a list: which are open to others is said. */
export const portsWord = (ports: readonly Port[]): string =>
    ports
        .filter(({ address }) => address)
        .map(port => `${portWord(port)}${port.open ? ' open' : ''}`)
        .join(', ')

export const timeWord = (at: Container['created']): string => (at ? timestampDate(at).toLocaleString() : '')

/** `[HOST:]CONTAINER[/PROTOCOL]`, with `lan:` before it for one that other machines reach. @throws Fault `invalid` */
export function publishOf(text: string): { host: number; container: number; protocol: string; lan: boolean } {
    const parts = /^(lan:)?(?:(\d{1,5}):)?(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text)
    if (!parts)
        throw new Fault('invalid', {
            summary: 'That is not a port to publish',
            detail: JSON.stringify(text.slice(0, 60)),
            at: '--publish',
            fix: 'Write it such as 8080:80, lan:8080:80 or 53:53/udp.',
        })
    const [, lan, host, container, protocol = 'tcp'] = parts
    return { host: Number(host ?? 0), container: Number(container), protocol, lan: lan !== undefined }
}

/** `SOURCE:TARGET[:ro]`; a source that begins with a slash is a path of the node. @throws Fault `invalid` */
export function mountOf(text: string): { type: string; source: string; target: string; readOnly: boolean } {
    const parts = /^([^:]+):(\/[^:]*)(:ro|:rw)?$/.exec(text)
    if (!parts)
        throw new Fault('invalid', {
            summary: 'That is not a mount',
            detail: JSON.stringify(text.slice(0, 100)),
            at: '--mount',
            fix: 'Write it such as data:/var/lib/data, or data:/var/lib/data:ro.',
        })
    const [, source, target, how] = parts
    const type = source!.startsWith('/') ? 'bind' : 'volume'
    return { type, source: source!, target: target!, readOnly: how === ':ro' }
}

/** The part before the first equals sign, and what follows it. @throws Fault `invalid` */
export function pairOf(text: string, at: string): [string, string] {
    const cut = text.indexOf('=')
    if (cut > 0) return [text.slice(0, cut), text.slice(cut + 1)]
    throw new Fault('invalid', {
        summary: 'That is no NAME=VALUE',
        detail: JSON.stringify(text.slice(0, 60)),
        at,
        fix: 'Write a name, an equals sign and a value.',
    })
}
