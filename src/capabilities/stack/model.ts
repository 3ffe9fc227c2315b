// A stack as Compose understands its file, and what is made of that before it is brought up. Pure.
import { createHash, createHmac } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import type { ComposeFile } from './spec.ts'
import type { Value } from './values.ts'

export interface ModelPort {
    target: number
    published?: string
    host_ip?: string
    protocol?: string
    mode?: string
}

export interface ModelMount {
    type: string
    source?: string
    target: string
    volume?: { subpath?: string }
}

/** The parts of a service that are looked at here; the others go through as they are. */
export interface ModelService {
    image?: string
    ports?: ModelPort[]
    volumes?: ModelMount[]
    networks?: Record<string, unknown> | null
    labels?: Record<string, string>
    scale?: number
    deploy?: { replicas?: number; resources?: { reservations?: { devices?: unknown[] } } } & Record<string, unknown>
    privileged?: boolean
    network_mode?: string
    pid?: string
    ipc?: string
    uts?: string
    userns_mode?: string
    cgroup?: string
    cgroup_parent?: string
    cap_add?: string[]
    devices?: (string | { source?: string })[]
    device_cgroup_rules?: string[]
    security_opt?: string[]
    runtime?: string
    logging?: { driver?: string }
    container_name?: string
    configs?: { source: string }[]
    secrets?: { source: string }[]
}

export interface ModelThing {
    name?: string
    external?: boolean
    driver?: string
    driver_opts?: Record<string, string>
    internal?: boolean
}

/** As `config --format json` answers it: whole, with variables put in. Values of secrets may stand in it. */
export interface Model {
    name: string
    services: Record<string, ModelService>
    networks?: Record<string, ModelThing | null>
    volumes?: Record<string, ModelThing | null>
    configs?: Record<string, ModelContent>
    secrets?: Record<string, ModelContent>
}

/** What stands in a file of a container: here, or in a variable. */
export interface ModelContent {
    content?: string
    environment?: string
}

/** Of the bridges of stacks: the firewall lets others reach what is published behind these, and only these. */
export const BRIDGE_PREFIX = 'br-dv'
const BRIDGE = 'com.docker.network.bridge.name'
const LABEL_TAGS = 'debvisor.tags'
const LABEL_FILES = 'debvisor.files'

/** What is put into the files of containers. */
export interface Contents {
    values: readonly Value[]
    /** Of the stack, so that nobody can try out what a secret may be by the label of a container. */
    key: string
}

/**
 * A word that is another one when a config or a secret of the service is: Compose itself makes no container anew for
 * that. Empty for a service without any.
 */
function filesWord(model: Model, { configs = [], secrets = [] }: ModelService, { values, key }: Contents): string {
    const of = (all: Record<string, ModelContent> = {}, source: string) => {
        const { content, environment } = all[source] ?? {}
        return content ?? values.find(({ name }) => name === environment)?.value ?? ''
    }
    const all = [
        ...configs.map(({ source }) => ['config', source, of(model.configs, source)]),
        ...secrets.map(({ source }) => ['secret', source, of(model.secrets, source)]),
    ]
    return all.length === 0 ? '' : createHmac('sha256', key).update(JSON.stringify(all)).digest('hex').slice(0, 16)
}

/** What the file tells us, which Compose passes over and leaves out of its answer. */
export interface Told {
    /** Services whose published ports are for other machines too. */
    exposed: ReadonlySet<string>
    tags: readonly string[]
}

export function toldBy(file: ComposeFile): Told {
    const usual = file['x-debvisor']?.expose ?? 'node'
    const open = Object.entries(file.services).filter(
        ([, service]) => (service['x-debvisor']?.expose ?? usual) === 'lan',
    )
    return { exposed: new Set(open.map(([name]) => name)), tags: file['x-debvisor']?.tags ?? [] }
}

export const wantedOf = ({ scale, deploy }: ModelService): number => deploy?.replicas ?? scale ?? 1

/** Names of interfaces have 15 characters at most. */
export const bridgeOf = (network: string): string =>
    `${BRIDGE_PREFIX}${createHash('sha256').update(network).digest('hex').slice(0, 10)}`

/** Whether an address is this machine's own. */
export const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1'

/**
 * What is brought up: ports are published to this machine alone unless they are exposed, the bridges have names that the
 * firewall knows, and the tags of the stack are those of its containers.
 */
export function effectiveModel(
    model: Model,
    { exposed, tags, scale, contents }: Told & { scale: Readonly<Record<string, number>>; contents: Contents },
): Model {
    const services = Object.entries(model.services).map(([name, service]) => {
        const address = exposed.has(name) ? '0.0.0.0' : '127.0.0.1'
        const ports = service.ports?.map(port =>
            port.host_ip && isLoopback(port.host_ip) ? port : { ...port, host_ip: address },
        )
        const files = filesWord(model, service, contents)
        const labels = {
            ...(tags.length > 0 ? { [LABEL_TAGS]: tags.join(',') } : {}),
            ...service.labels,
            ...(files ? { [LABEL_FILES]: files } : {}),
        }
        const labelled = Object.keys(labels).length > 0 ? { labels } : {}
        const made: ModelService = { ...service, ...(ports ? { ports } : {}), ...labelled }
        const count = scale[name]
        if (count !== undefined) {
            // In one of the two places: both at once are refused, and a place that was not there would be a change.
            if (made.deploy) {
                made.deploy = { ...made.deploy, replicas: count }
                delete made.scale
            } else made.scale = count
        }
        return [name, made] as const
    })
    const networks = Object.entries(model.networks ?? {}).map(([name, network]) => {
        const { external, driver = 'bridge', driver_opts: options } = network ?? {}
        if (external || driver !== 'bridge' || options?.[BRIDGE]) return [name, network] as const
        const bridge = bridgeOf(network?.name ?? `${model.name}_${name}`)
        return [name, { ...network, driver_opts: { ...options, [BRIDGE]: bridge } }] as const
    })
    return { ...model, services: Object.fromEntries(services), networks: Object.fromEntries(networks) }
}

/** The names that Docker has of its own volumes, and those of others that it uses. */
export function volumesOf(model: Model): { own: string[]; others: string[] } {
    const own: string[] = []
    const others: string[] = []
    for (const [key, volume] of Object.entries(model.volumes ?? {})) {
        const name = volume?.name ?? `${model.name}_${key}`
        ;(volume?.external ? others : own).push(name)
    }
    return { own: own.sort(), others: others.sort() }
}

/** Things of others that the stack takes part in: by the name they have in Docker. */
export function othersOf(model: Model): { networks: string[]; volumes: string[] } {
    const named = (things: Model['networks'] = {}) =>
        Object.entries(things).flatMap(([key, thing]) => {
            const usual = `${model.name}_${key}`
            const name = thing?.name ?? usual
            return thing?.external || !name.startsWith(`${model.name}_`) ? [name] : []
        })
    return { networks: named(model.networks).sort(), volumes: named(model.volumes).sort() }
}

/** @throws Fault `invalid` for a service that the stack does not have */
export function serviceOf(model: Pick<Model, 'services'>, name: string): ModelService {
    const service = Object.hasOwn(model.services, name) ? model.services[name] : undefined
    if (service) return service
    throw new Fault('not-found', {
        summary: 'The stack has no such service',
        detail: JSON.stringify(name.slice(0, 80)),
        at: 'service',
        fix: `Its services are: ${Object.keys(model.services).join(', ')}.`,
    })
}
