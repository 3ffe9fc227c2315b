// Docker's volumes and networks: made plainly, removed only while nothing uses them.
import { Fault } from '../../base/fault.ts'
import { type Change, type ContainerDeps, onContainer } from './begin.ts'
import type { EngineNetwork, EngineVolume } from './engine-types.ts'
import { type ContainerEntry, LABEL_OWNER } from './entry.ts'
import { checkLabels } from './settings.ts'

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$/
export const BUILT_IN = new Set(['bridge', 'host', 'none'])

export const listVolumes = async ({ docker }: Pick<ContainerDeps, 'docker'>): Promise<EngineVolume[]> =>
    (await docker.json<{ Volumes: EngineVolume[] | null }>({ path: '/volumes' })).Volumes ?? []

export const listNetworks = ({ docker }: Pick<ContainerDeps, 'docker'>): Promise<EngineNetwork[]> =>
    docker.json<EngineNetwork[]>({ path: '/networks' })

/** Names of containers by the volume that they name, also of those that do not run. */
export async function usersOfVolumes({ docker }: Pick<ContainerDeps, 'docker'>): Promise<Map<string, string[]>> {
    const query = { all: true }
    const all = await docker.json<{ Names: string[]; Mounts: { Type: string; Name?: string }[] }[]>({
        path: '/containers/json',
        query,
    })
    const users = new Map<string, string[]>()
    for (const { Names, Mounts } of all)
        for (const { Type, Name } of Mounts)
            if (Type === 'volume' && Name) users.set(Name, [...(users.get(Name) ?? []), nameOf(Names)])
    return users
}

const nameOf = (names: string[]): string => (names[0] ?? '').replace(/^\//, '')

function checkName(name: string, what: string): void {
    if (NAME.test(name)) return
    throw new Fault('invalid', {
        summary: `That cannot be the name of a ${what}`,
        detail: JSON.stringify(name.slice(0, 140)),
        at: 'name',
        fix: 'Use 2 to 128 letters, digits, dots, dashes and underscores, beginning with a letter or digit.',
    })
}

const on = (kind: 'container-volume' | 'container-network', name: string) => ({ kind, id: name, name })

/** @throws Fault `invalid`, `exists` */
export async function planCreateVolume(
    deps: ContainerDeps,
    { name, labels, owner }: { name: string; labels: Record<string, string>; owner: string },
): Promise<Change> {
    checkName(name, 'volume')
    checkLabels(labels)
    if ((await listVolumes(deps)).some(volume => volume.Name === name))
        throw new Fault('exists', {
            summary: 'There is a volume of that name',
            detail: name,
            at: 'name',
            fix: 'Use it, or choose another name.',
        })
    return {
        kind: 'container-volume.create',
        title: `Create volume ${name}`,
        on: on('container-volume', name),
        plan: [{ sentence: `Make the volume ${name} in the folder of Docker` }],
        async work() {
            const body = { Name: name, Labels: { ...labels, [LABEL_OWNER]: owner } }
            await deps.docker.json({ method: 'POST', path: '/volumes/create', body })
        },
    }
}

/** @throws Fault `not-found`, `conflict` while containers name it */
export async function planRemoveVolume(deps: ContainerDeps, name: string): Promise<Change> {
    const volume = (await listVolumes(deps)).find(one => one.Name === name)
    if (!volume) throw nothing('volume', name, 'debvisor container volumes')
    const users = (await usersOfVolumes(deps)).get(name) ?? []
    if (users.length > 0)
        throw new Fault('conflict', {
            summary: 'Containers name the volume',
            detail: users.join(', '),
            at: 'name',
            fix: 'Remove them first.',
        })
    return {
        kind: 'container-volume.remove',
        title: `Remove volume ${name}`,
        on: on('container-volume', name),
        plan: [{ sentence: `Remove the volume ${name} with all that is in it`, destroys: `container-volume:${name}` }],
        async work() {
            await deps.docker.json({ method: 'DELETE', path: `/volumes/${encodeURIComponent(name)}`, own: true })
        },
    }
}

/** @throws Fault `invalid`, `exists` */
export async function planCreateNetwork(
    deps: ContainerDeps,
    { name, internal, subnet, owner }: { name: string; internal: boolean; subnet: string; owner: string },
): Promise<Change> {
    checkName(name, 'network')
    if (subnet && !/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(subnet))
        throw new Fault('invalid', {
            summary: 'That is no subnet',
            detail: JSON.stringify(subnet.slice(0, 60)),
            at: 'subnet',
            fix: 'Write it such as 172.30.0.0/24.',
        })
    if ((await listNetworks(deps)).some(network => network.Name === name))
        throw new Fault('exists', {
            summary: 'There is a network of that name',
            detail: name,
            at: 'name',
            fix: 'Use it, or choose another name.',
        })
    const how = internal ? ', from which nothing reaches the outside' : ''
    return {
        kind: 'container-network.create',
        title: `Create network ${name}`,
        on: on('container-network', name),
        plan: [{ sentence: `Make the network ${name}${subnet ? ` with ${subnet}` : ''}${how}` }],
        async work() {
            const IPAM = subnet ? { Config: [{ Subnet: subnet }] } : undefined
            const body = { Name: name, Internal: internal, Labels: { [LABEL_OWNER]: owner }, IPAM }
            await deps.docker.json({ method: 'POST', path: '/networks/create', body })
        },
    }
}

/** Containers on a network, also those that do not run, from memory. */
export const usersOfNetwork = (deps: Pick<ContainerDeps, 'inventory'>, name: string): string[] =>
    deps.inventory
        .list()
        .filter(({ line }) => line.networks.includes(name))
        .map(entry => entry.name)

async function networkNamed(deps: ContainerDeps, ref: string): Promise<EngineNetwork> {
    const network = (await listNetworks(deps)).find(({ Id, Name }) => Name === ref || Id === ref)
    if (network) return network
    throw nothing('network', ref, 'debvisor container networks')
}

/** Puts a container on a network, or takes it off. @throws Fault `not-found`, `precondition` for that of the node */
export async function planJoin(
    deps: ContainerDeps,
    entry: ContainerEntry,
    { network, verb }: { network: string; verb: 'connect' | 'disconnect' },
): Promise<Change> {
    const { Id: id, Name: name } = await networkNamed(deps, network)
    if (verb === 'connect' && (name === 'host' || name === 'none'))
        throw new Fault('precondition', {
            summary: 'A container is on that network from its beginning, or never',
            detail: name,
            at: 'network',
            fix: 'Make the container anew.',
        })
    const sentence =
        verb === 'connect' ? `Put ${entry.name} on the network ${name}` : `Take ${entry.name} off the network ${name}`
    return {
        kind: `container.${verb}`,
        title: sentence,
        on: onContainer(entry),
        plan: [{ sentence }],
        async work() {
            const path = `/networks/${encodeURIComponent(id)}/${verb}`
            await deps.docker.json({ method: 'POST', path, body: { Container: entry.id } })
            await deps.inventory.refresh(entry.id)
        },
    }
}

/** @throws Fault `not-found`, `precondition` for one of Docker's own, `conflict` while containers are on it */
export async function planRemoveNetwork(deps: ContainerDeps, ref: string): Promise<Change> {
    const { Id: id, Name: name } = await networkNamed(deps, ref)
    if (BUILT_IN.has(name))
        throw new Fault('precondition', {
            summary: "The network is Docker's own",
            detail: name,
            at: 'network',
            fix: 'It cannot be removed.',
        })
    const users = usersOfNetwork(deps, name)
    if (users.length > 0)
        throw new Fault('conflict', {
            summary: 'Containers are on the network',
            detail: users.join(', '),
            at: 'network',
            fix: 'Take them off it first.',
        })
    return {
        kind: 'container-network.remove',
        title: `Remove network ${name}`,
        on: on('container-network', name),
        plan: [{ sentence: `Remove the network ${name}` }],
        async work() {
            await deps.docker.json({ method: 'DELETE', path: `/networks/${encodeURIComponent(id)}` })
        },
    }
}

const nothing = (what: string, ref: string, list: string): Fault =>
    new Fault('not-found', {
        summary: `There is no such ${what}`,
        detail: JSON.stringify(ref.slice(0, 140)),
        at: what === 'volume' ? 'name' : what,
        fix: `List them with: ${list}`,
    })
