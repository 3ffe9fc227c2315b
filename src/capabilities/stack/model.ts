// A stack as Compose understands its file. Pure.
import { Fault } from '../../base/fault.ts'
import type { ComposeFile } from './spec.ts'

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

/** Whether an address is this machine's own. */
export const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1'

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
