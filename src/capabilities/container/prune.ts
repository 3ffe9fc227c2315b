// Taking away what nothing uses: named one by one beforehand with what it frees, and removed one by one, never by force.
import { asFault } from '../../base/fault.ts'
import { formatBytes } from '../../base/units.ts'
import type { RunningTask } from '../../engine/task.ts'
import { type PruneRequest, State } from '../../gen/proto/capabilities/container/container_pb.js'
import type { Change, ContainerDeps } from './begin.ts'
import type { EngineImage, EngineVolume } from './engine-types.ts'
import { LABEL_STACK } from './entry.ts'
import { namesOf } from './images.ts'
import { BUILT_IN, listNetworks, usersOfNetwork } from './volumes.ts'

interface DiskUse {
    Containers: { Id: string; Names: string[]; State: string; SizeRw?: number; ImageID: string }[] | null
    Images: (EngineImage & { SharedSize: number })[] | null
    Volumes: (EngineVolume & { UsageData?: { RefCount: number; Size: number } | null })[] | null
}

interface Candidate {
    sentence: string
    destroys?: string
    freesBytes: number
    path: string
}

/** What would go; everything that a container names is left, whatever its state, unless that container goes as well. */
export async function planPrune(deps: ContainerDeps, request: PruneRequest): Promise<Change> {
    const use = await deps.docker.json<DiskUse>({ path: '/system/df', deadlineMs: 300_000, own: true })
    const candidates = [
        ...(request.containers ? containersIn(deps, use) : []),
        ...(request.images || request.namedImages ? imagesIn(use, request) : []),
        ...(request.volumes ? volumesIn(use) : []),
        ...(request.networks ? await networksOf(deps) : []),
    ]
    const freesBytes = candidates.reduce((sum, one) => sum + one.freesBytes, 0)
    const plan: Change['plan'] = candidates.map(({ sentence, destroys }) => ({ sentence, destroys }))
    if (plan.length > 0) plan.push({ sentence: `That frees ${formatBytes(freesBytes)} at most` })
    return {
        kind: 'container.prune',
        stops: true,
        title: 'Take away what no container uses',
        on: { kind: 'docker', id: 'docker', name: 'Docker' },
        plan,
        work: task => removeAll(deps, candidates, task),
    }
}

function containersIn({ inventory }: ContainerDeps, { Containers }: DiskUse): Candidate[] {
    return (Containers ?? []).flatMap(({ Id, SizeRw = 0 }) => {
        const entry = inventory.byId(Id)
        if (!entry || ![State.EXITED, State.DEAD].includes(entry.line.state)) return []
        // What belongs to a stack is looked after by it.
        if (entry.line.stack) return []
        const { name } = entry
        return [
            {
                sentence: `Remove the container ${name}, which has ended (${formatBytes(SizeRw)})`,
                destroys: `container:${name}`,
                freesBytes: SizeRw,
                path: `/containers/${Id}`,
            },
        ]
    })
}

function imagesIn({ Images, Containers }: DiskUse, { namedImages }: PruneRequest): Candidate[] {
    const used = new Set((Containers ?? []).map(({ ImageID }) => ImageID))
    return (Images ?? []).flatMap(image => {
        const names = namesOf(image)
        if (used.has(image.Id) || (names.length > 0 && !namedImages)) return []
        // What it shares with others stays.
        const freesBytes = Math.max(0, image.Size - Math.max(0, image.SharedSize))
        const id = image.Id.replace('sha256:', '').slice(0, 12)
        const refs = names.length > 0 ? names : [image.Id]
        return refs.map((ref, i) => ({
            sentence: `Remove the image ${names[i] ?? `${id}, which has no name`} (${formatBytes(i === 0 ? freesBytes : 0)})`,
            destroys: `container-image:${names[i] ?? id}`,
            freesBytes: i === 0 ? freesBytes : 0,
            path: `/images/${encodeURIComponent(ref)}`,
        }))
    })
}

function volumesIn({ Volumes }: DiskUse): Candidate[] {
    return (Volumes ?? []).flatMap(({ Name, UsageData, Labels }) => {
        // Without figures it cannot be known whether somebody uses it; a stack that is down still has its data.
        if (UsageData?.RefCount !== 0 || Labels?.[LABEL_STACK]) return []
        const freesBytes = Math.max(0, UsageData.Size)
        return [
            {
                sentence: `Remove the volume ${Name} with all that is in it (${formatBytes(freesBytes)})`,
                destroys: `container-volume:${Name}`,
                freesBytes,
                path: `/volumes/${encodeURIComponent(Name)}`,
            },
        ]
    })
}

async function networksOf(deps: ContainerDeps): Promise<Candidate[]> {
    const networks = await listNetworks(deps)
    return networks.flatMap(({ Id, Name, Labels }) => {
        if (BUILT_IN.has(Name) || Labels?.[LABEL_STACK] || usersOfNetwork(deps, Name).length > 0) return []
        return [{ sentence: `Remove the network ${Name}`, freesBytes: 0, path: `/networks/${Id}` }]
    })
}

/** What has come into use meanwhile is refused by the Engine, and stays. */
async function removeAll({ docker }: ContainerDeps, candidates: Candidate[], task: RunningTask): Promise<void> {
    let kept = 0
    for (const [i, { path, sentence }] of candidates.entries()) {
        task.progress(i / candidates.length)
        try {
            await docker.json({ method: 'DELETE', path, deadlineMs: 120_000, own: true })
            task.say(sentence)
        } catch (thrown) {
            const fault = asFault(thrown)
            if (fault.code === 'not-found') continue
            if (!['conflict', 'precondition'].includes(fault.code)) throw thrown
            kept++
            task.say(`Kept, as it is in use by now: ${fault.detail}`)
        }
    }
    if (kept > 0) task.say(`${kept} of ${candidates.length} stay`)
}
