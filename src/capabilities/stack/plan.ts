// What bringing a stack up would do, and what of it is not as it was brought up: containers and file compared. Pure.
import type { Finding } from '../../base/finding.ts'
import type { PlanStep } from '../begin.ts'
import { isLoopback, type Model, othersOf, volumesOf, wantedOf } from './model.ts'

/** A container of a Compose project, as its labels and its state tell. */
export interface SeenContainer {
    id: string
    name: string
    service: string
    hash: string
    number: number
    running: boolean
    imageId: string
    /** As it was asked for. */
    image: string
}

export interface Seen {
    /** Of the project, without those of single runs. */
    containers: readonly SeenContainer[]
    /** All that Docker has, by name; `bridge` is the name of its interface, where it was given one. */
    networks: ReadonlyMap<string, { bridge: string }>
    volumes: ReadonlySet<string>
    /** Ids of the images that are here, by the name in the file. */
    images: ReadonlyMap<string, string>
    /** Published by containers of others: `8080/tcp` and who has it. */
    taken: ReadonlyMap<string, string>
}

export interface Want {
    model: Model
    hashes: Readonly<Record<string, string>>
    /** By service: what of it is another one than it was brought up with, where that is known. */
    changes?: ReadonlyMap<string, string>
    /** Every image is pulled, also those that are here. */
    pull?: boolean
}

export interface UpPlan {
    steps: PlanStep[]
    findings: Finding[]
    /** Images to pull first. */
    pulls: string[]
    /** There is something to do. */
    changes: boolean
}

const list = (names: readonly string[]) => [...names].sort().join(', ')

export function planUp({ model, hashes, changes: known, pull = false }: Want, seen: Seen): UpPlan {
    const steps: PlanStep[] = []
    const findings: Finding[] = [...missingOthers(model, seen), ...takenPorts(model, seen)]
    const services = Object.entries(model.services)
    const images = [...new Set(services.map(([, { image = '' }]) => image))]
    const pulls = images.filter(image => pull || !seen.images.has(image))
    for (const image of pulls) steps.push({ sentence: `Pull ${image}` })

    for (const [key, network] of Object.entries(model.networks ?? {})) {
        const name = network?.name ?? `${model.name}_${key}`
        if (!network?.external && !seen.networks.has(name)) steps.push({ sentence: `Make the network ${name}` })
    }
    const volumes = volumesOf(model)
    for (const name of volumes.own) if (!seen.volumes.has(name)) steps.push({ sentence: `Make the volume ${name}` })

    const left: string[] = []
    for (const [name, service] of services) {
        const { image = '' } = service
        const wanted = wantedOf(service)
        const there = seen.containers.filter(one => one.service === name).sort((a, b) => a.number - b.number)
        const kept = there.slice(0, wanted)
        for (const one of there.slice(wanted))
            steps.push({ sentence: `Remove the container ${one.name}: ${name} is to have ${wanted}` })
        for (const one of kept) {
            const now = seen.images.get(image)
            const why =
                one.hash !== hashes[name]
                    ? known?.get(name) || 'what the file says of it has changed'
                    : now !== undefined && one.imageId !== now
                      ? `another ${image} is here than it was made of`
                      : undefined
            if (why) steps.push({ sentence: `Make the container ${one.name} anew: ${why}` })
            else if (pull)
                steps.push({ sentence: `Make the container ${one.name} anew, where its image is a newer one` })
            else if (!one.running) steps.push({ sentence: `Start ${one.name}` })
            else left.push(one.name)
        }
        const numbers = new Set(kept.map(({ number }) => number))
        for (let number = 1, made = kept.length; made < wanted; number++) {
            if (numbers.has(number)) continue
            made++
            const called = service.container_name ?? `${model.name}-${name}-${number}`
            steps.push({ sentence: `Make and start the container ${called} of ${image}` })
        }
    }
    for (const one of seen.containers)
        if (!Object.hasOwn(model.services, one.service))
            steps.push({ sentence: `Remove the container ${one.name}: the file has no service ${one.service}` })
    const changes = steps.length > 0
    if (left.length > 0) steps.push({ sentence: `Leave as it is: ${list(left)}` })
    const stay = volumes.own.filter(name => seen.volumes.has(name))
    if (stay.length > 0)
        steps.push({ sentence: `Keep what is in ${stay.length > 1 ? 'the volumes' : 'the volume'} ${list(stay)}` })
    return { steps, findings: [...findings, ...oldNetworks(model, seen)], pulls, changes }
}

/** What the file calls external has to be there. */
function missingOthers(model: Model, seen: Seen): Finding[] {
    const missing = (kind: 'networks' | 'volumes', has: (name: string) => boolean) =>
        Object.entries(model[kind] ?? {}).flatMap(([key, thing]): Finding[] => {
            if (!thing?.external || has(thing.name ?? key)) return []
            return [
                {
                    ...{ severity: 'error', code: 'not-found', at: `${kind}.${key}`, detail: thing.name ?? key },
                    summary: `There is no such ${kind.slice(0, -1)} of Docker`,
                    fix: `Make it first, or leave external out. See: debvisor container ${kind}.`,
                },
            ]
        })
    return [
        ...missing('networks', name => seen.networks.has(name)),
        ...missing('volumes', name => seen.volumes.has(name)),
    ]
}

function takenPorts(model: Model, seen: Seen): Finding[] {
    return Object.entries(model.services).flatMap(([name, { ports = [] }]) =>
        ports.flatMap(({ published, protocol = 'tcp' }): Finding[] => {
            const by = seen.taken.get(`${published}/${protocol}`)
            if (by === undefined) return []
            return [
                {
                    ...{ severity: 'error', code: 'port-taken', at: `services.${name}.ports` },
                    ...{ summary: 'The port is taken', detail: `${published}/${protocol}, by the container ${by}` },
                    fix: 'Publish another port, or stop that container.',
                },
            ]
        }),
    )
}

/** A network that was made elsewhere has a bridge that the firewall does not know. */
function oldNetworks(model: Model, seen: Seen): Finding[] {
    const open = Object.values(model.services).some(({ ports = [] }) =>
        ports.some(({ host_ip: address }) => address && !isLoopback(address)),
    )
    if (!open) return []
    const old = Object.entries(model.networks ?? {}).flatMap(([key, network]) => {
        const name = network?.name ?? `${model.name}_${key}`
        const there = seen.networks.get(name)
        const wanted = network?.driver_opts?.['com.docker.network.bridge.name']
        return there && wanted && !network?.external && there.bridge !== wanted ? [name] : []
    })
    if (old.length === 0) return []
    return [
        {
            ...{ severity: 'warning', code: 'old-network', at: 'networks', detail: list(old) },
            summary: 'A network of the stack was made elsewhere, so the firewall opens nothing behind it',
            fix: 'Bring the stack down and up again; what is in volumes stays.',
        },
    ]
}

/** What others own that the stack takes part in, in a sentence each. */
export const othersSentences = (model: Model): string[] => {
    const { networks, volumes } = othersOf(model)
    return [
        ...networks.map(name => `Use the network ${name}, which is not the stack's own`),
        ...volumes.map(name => `Use the volume ${name}, which is not the stack's own`),
    ]
}

/** As it was brought up last. */
export interface AppliedServices {
    [service: string]: { hash: string; wanted: number }
}

/** What of the containers is not as it was brought up, in a sentence each. */
export function driftOf(applied: AppliedServices, containers: readonly SeenContainer[]): string[] {
    const drift: string[] = []
    for (const [name, { hash, wanted }] of Object.entries(applied)) {
        const there = containers.filter(one => one.service === name)
        if (there.length !== wanted)
            drift.push(`${name} has ${there.length === 0 ? 'no container' : there.length} instead of ${wanted}`)
        for (const one of there) if (one.hash !== hash) drift.push(`${one.name} is made of other settings`)
    }
    for (const one of containers)
        if (!Object.hasOwn(applied, one.service)) drift.push(`${one.name} belongs to no service of the stack`)
    return drift.sort()
}
