// What Docker has of a stack: its containers from memory, networks, volumes and images asked for when a plan is made.
import { asFault } from '../../base/fault.ts'
import type { DockerLink } from '../../drivers/docker/link.ts'
import type { Container } from '../../gen/proto/capabilities/container/container_pb.js'
import type { Model } from './model.ts'
import type { Seen, SeenContainer } from './plan.ts'

/** A container as the one who knows all containers tells it. */
export interface KnownContainer {
    id: string
    name: string
    tags: readonly string[]
    marks: readonly string[]
    running: boolean
    /** Its IPv4 addresses, and the interfaces of its networks on the node. */
    addresses: readonly string[]
    bridges: readonly string[]
    composed?: { hash: string; number: number; single: boolean; files: string[]; folder: string }
    line: Container
}

export interface Containers {
    list(): KnownContainer[]
    /** Reads one again. */
    refresh(id: string): Promise<unknown>
    readonly stale: boolean
    ready(): Promise<void>
    watch(signal: AbortSignal): AsyncGenerator<{ changed: KnownContainer[]; removed: string[]; stale: boolean }>
}

const PROJECT = 'com.docker.compose.project'
const BRIDGE = 'com.docker.network.bridge.name'

/** Those of the stack, without single runs beside its services. */
export const containersOf = (containers: Pick<Containers, 'list'>, stack: string): KnownContainer[] =>
    containers.list().filter(({ line, composed }) => line.stack === stack && composed && !composed.single)

export const seenContainer = ({ id, name, running, composed, line }: KnownContainer): SeenContainer => ({
    ...{ id, name, running, service: line.service, imageId: line.imageId, image: line.image },
    ...{ hash: composed?.hash ?? '', number: composed?.number ?? 0 },
})

interface Deps {
    docker: Pick<DockerLink, 'json'>
    containers: Containers
}

interface DockerThing {
    Name: string
    Labels: Record<string, string> | null
    Options?: Record<string, string> | null
}

/** All that a plan of the stack looks at. @throws Fault `unavailable` while Docker is away */
export async function seeStack({ docker, containers }: Deps, model: Model): Promise<Seen> {
    const images = new Set(Object.values(model.services).flatMap(({ image }) => image ?? []))
    const [networks, volumes, ids] = await Promise.all([
        docker.json<DockerThing[]>({ path: '/networks' }),
        docker.json<{ Volumes: DockerThing[] | null }>({ path: '/volumes' }),
        Promise.all([...images].map(async image => [image, await imageId(docker, image)] as const)),
    ])
    const taken = new Map<string, string>()
    for (const { name, running, line } of containers.list()) {
        if (!running || line.stack === model.name) continue
        for (const { host, protocol, address } of line.ports)
            if (host > 0 && address) taken.set(`${host}/${protocol}`, name)
    }
    return {
        containers: containersOf(containers, model.name).map(seenContainer),
        networks: new Map(networks.map(({ Name, Options }) => [Name, { bridge: Options?.[BRIDGE] ?? '' }])),
        volumes: new Set((volumes.Volumes ?? []).map(({ Name }) => Name)),
        images: new Map(ids.flatMap(([image, id]) => (id ? [[image, id] as const] : []))),
        taken,
    }
}

async function imageId(docker: Deps['docker'], image: string): Promise<string | undefined> {
    try {
        return (await docker.json<{ Id: string }>({ path: `/images/${encodeURIComponent(image)}/json` })).Id
    } catch (thrown) {
        if (asFault(thrown).code === 'not-found') return undefined
        throw thrown
    }
}

/** By Compose's label: also what no file names any more. */
export async function thingsOf(
    docker: Deps['docker'],
    stack: string,
): Promise<{ containers: string[]; networks: string[]; volumes: string[] }> {
    const filters = JSON.stringify({ label: [`${PROJECT}=${stack}`] })
    const [containers, networks, volumes] = await Promise.all([
        docker.json<{ Id: string }[]>({ path: '/containers/json', query: { all: true, filters } }),
        docker.json<DockerThing[]>({ path: '/networks', query: { filters } }),
        docker.json<{ Volumes: DockerThing[] | null }>({ path: '/volumes', query: { filters } }),
    ])
    return {
        containers: containers.map(({ Id }) => Id),
        networks: networks.map(({ Name }) => Name).sort(),
        volumes: (volumes.Volumes ?? []).map(({ Name }) => Name).sort(),
    }
}
