// What is made of a file before it is brought up: who reaches its ports, what labels its containers, how its bridges are called.
import { createHash, createHmac } from 'node:crypto'
import { isLoopback, type Model, type ModelContent, type ModelService, type Told } from './model.ts'
import type { Value } from './values.ts'

/** Of the bridges of stacks: the firewall lets others reach what is published behind these, and only these. */
export const BRIDGE_PREFIX = 'br-dv'
const BRIDGE = 'com.docker.network.bridge.name'
const LABEL_TAGS = 'debvisor.tags'
/** Of a container: a word for what its configs and secrets hold. */
export const LABEL_FILES = 'debvisor.files'

/** What is put into the files of containers. */
export interface Contents {
    values: readonly Value[]
    /** Of the stack, so that nobody can try out what a secret may be by the label of a container. */
    key: string
}

/** What a config or secret of that name holds. */
export function contentIn(all: Record<string, ModelContent> = {}, source: string, values: readonly Value[]): string {
    const { content, environment } = all[source] ?? {}
    return content ?? values.find(({ name }) => name === environment)?.value ?? ''
}

/**
 * A word that is another one when a config or a secret of the service is: Compose itself makes no container anew for
 * that. Empty for a service without any.
 */
function filesWord(model: Model, { configs = [], secrets = [] }: ModelService, { values, key }: Contents): string {
    const all = [
        ...configs.map(({ source }) => ['config', source, contentIn(model.configs, source, values)]),
        ...secrets.map(({ source }) => ['secret', source, contentIn(model.secrets, source, values)]),
    ]
    return all.length === 0 ? '' : createHmac('sha256', key).update(JSON.stringify(all)).digest('hex').slice(0, 16)
}

/** Names of interfaces have 15 characters at most. */
export const bridgeOf = (network: string): string =>
    `${BRIDGE_PREFIX}${createHash('sha256').update(network).digest('hex').slice(0, 10)}`

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
