// One container as the inventory keeps it, made from what the Engine says of it.
import { create } from '@bufbuild/protobuf'
import { type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
    type Container,
    ContainerSchema,
    type Port,
    PortSchema,
    State,
} from '../../gen/proto/capabilities/container/container_pb.js'
import type { EngineContainer } from './engine-types.ts'
import { marksOf } from './marks.ts'

export const LABEL_TAGS = 'debvisor.tags'
export const LABEL_OWNER = 'debvisor.owner'
export const LABEL_TASK = 'debvisor.task'
export const LABEL_STACK = 'com.docker.compose.project'
/** Compose gives it to containers alone; the label of the project it gives to images that it builds, too. */
const LABEL_COMPOSED = 'com.docker.compose.config-hash'
const LABEL_SERVICE = 'com.docker.compose.service'

/** What Compose has written on a container that it made. */
export interface Composed {
    /** Of the service, as its file said when the container was made. */
    hash: string
    number: number
    /** Of a single run beside the service. */
    single: boolean
    files: string[]
    /** Where relative paths of the file begin. */
    folder: string
}

export interface ContainerEntry {
    id: string
    name: string
    tags: readonly string[]
    owner: string
    marks: readonly string[]
    running: boolean
    /** It has a terminal: its output is one stream. */
    terminal: boolean
    /** Its IPv4 addresses, and the interfaces of its networks on the node. */
    addresses: readonly string[]
    bridges: readonly string[]
    /** Of one that belongs to a stack. */
    composed?: Composed
    /** As it is sent, without its load. */
    line: Container
}

const STATES: Record<string, State> = {
    created: State.CREATED,
    running: State.RUNNING,
    paused: State.PAUSED,
    restarting: State.RESTARTING,
    removing: State.REMOVING,
    exited: State.EXITED,
    dead: State.DEAD,
}

/** What the container's own JSON does not tell. */
export interface Beside {
    /** Labels that its image gave it: a stranger's image must not put a container among granted ones. */
    imageLabels: Record<string, string>
    /** Volumes that reach past Docker's own folders, by name. */
    hostVolumes: ReadonlySet<string>
    /** Names of its networks' interfaces on the node. */
    bridges: readonly string[]
}

export function entryOf(seen: EngineContainer, { imageLabels, hostVolumes, bridges }: Beside): ContainerEntry {
    const labels = seen.Config.Labels ?? {}
    const own = (key: string) => (imageLabels[key] === undefined ? (labels[key] ?? '') : '')
    const stack = own(LABEL_COMPOSED) ? (labels[LABEL_STACK] ?? '') : ''
    const tags = [...wordsOf(own(LABEL_TAGS)), ...(stack ? [`stack:${stack}`] : [])]
    const marks = marksOf(seen.HostConfig, seen.Mounts)
    for (const { Type, Name } of seen.Mounts)
        if (Type === 'volume' && Name && hostVolumes.has(Name)) marks.push(`host-volume:${Name}`)
    marks.sort()
    const state = STATES[seen.State.Status] ?? State.STATE_UNSPECIFIED
    const running = state === State.RUNNING || state === State.PAUSED || state === State.RESTARTING
    const name = seen.Name.replace(/^\//, '')
    const owner = own(LABEL_OWNER)
    const host = seen.HostConfig
    return {
        ...{ id: seen.Id, name, tags, owner, marks, running, terminal: seen.Config.Tty },
        addresses: Object.values(seen.NetworkSettings.Networks ?? {}).flatMap(({ IPAddress }) => IPAddress || []),
        bridges,
        composed: stack ? composedOf(labels) : undefined,
        line: create(ContainerSchema, {
            ...{
                id: seen.Id,
                name,
                state,
                tags,
                marks,
                stack,
                owner,
                service: stack ? (labels[LABEL_SERVICE] ?? '') : '',
            },
            ...{ image: seen.Config.Image, imageId: seen.Image, command: [seen.Path, ...seen.Args].join(' ') },
            ...{ created: moment(seen.Created), started: moment(seen.State.StartedAt) },
            ...{ finished: running ? undefined : moment(seen.State.FinishedAt) },
            exitCode: running ? 0 : seen.State.ExitCode,
            outOfMemory: seen.State.OOMKilled && !running,
            health: running ? healthOf(seen) : '',
            problem: running ? '' : seen.State.Error,
            ports: portsOf(seen),
            networks: Object.keys(seen.NetworkSettings.Networks ?? {}).sort(),
            restart: host.RestartPolicy?.Name || 'no',
            restarts: seen.RestartCount,
            cpuLimit: (host.NanoCpus ?? 0) / 1e9,
            memoryLimitBytes: BigInt(host.Memory ?? 0),
            processLimit: Math.max(0, host.PidsLimit ?? 0),
        }),
    }
}

function composedOf(labels: Record<string, string>): Composed {
    const said = (key: string) => labels[`com.docker.compose.${key}`] ?? ''
    return {
        ...{ hash: labels[LABEL_COMPOSED] ?? '', number: Number(said('container-number')) || 0 },
        ...{ single: said('oneoff') === 'True', folder: said('project.working_dir') },
        files: said('project.config_files').split(',').filter(Boolean),
    }
}

/** Comma-separated words of a label; what is no tag is left out. */
export const wordsOf = (label: string): string[] => [
    ...new Set(
        label
            .split(',')
            .map(word => word.trim())
            .filter(word => /^[^\p{C}\s,]{1,63}$/u.test(word) && !word.startsWith('stack:')),
    ),
]

/** Docker's moments; its 'never' is the year 1. */
export function moment(text: string | undefined): Timestamp | undefined {
    const ms = Date.parse(text ?? '')
    return Number.isNaN(ms) || ms <= 0 ? undefined : timestampFromMs(ms)
}

function healthOf({ State: state }: EngineContainer): string {
    const word = state.Health?.Status ?? ''
    return word === 'none' ? '' : word
}

/** Those that run, else those that will: of a stopped container the Engine tells only what is wanted. */
function portsOf(seen: EngineContainer): Port[] {
    const live = seen.NetworkSettings.Ports ?? {}
    const wanted = seen.HostConfig.PortBindings ?? {}
    const ports: Port[] = []
    for (const key of new Set([...Object.keys(live), ...Object.keys(wanted)])) {
        const [container, protocol = 'tcp'] = key.split('/')
        const bound = live[key] ?? wanted[key]?.map(b => ({ HostIp: b.HostIp ?? '', HostPort: b.HostPort ?? '' }))
        const number = Number(container)
        if (!bound || bound.length === 0) ports.push(create(PortSchema, { container: number, protocol }))
        for (const { HostIp, HostPort } of bound ?? [])
            ports.push(
                create(PortSchema, {
                    ...{ container: number, protocol, host: Number(HostPort) || 0, address: HostIp || '0.0.0.0' },
                }),
            )
    }
    return ports.sort((a, b) => a.container - b.container || a.host - b.host)
}
