// Images of containers: pulled, pushed, imported, named and removed, each with what the registry or the disk says.
import { asFault, Fault } from '../../base/fault.ts'
import { formatBytes } from '../../base/units.ts'
import { refusedInStream } from '../../drivers/docker/errors.ts'
import { jsonLines } from '../../drivers/docker/frames.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { Change, ContainerDeps } from './begin.ts'
import type { EngineImage, EngineProgress } from './engine-types.ts'
import { referenceOf } from './reference.ts'
import { authHeader, type Registries } from './registries.ts'

export interface ImageDeps extends ContainerDeps {
    registries: Registries
}

const UNNAMED = '<none>:<none>'

export const namesOf = ({ RepoTags }: EngineImage): string[] => (RepoTags ?? []).filter(tag => tag !== UNNAMED)

export const listImages = (deps: Pick<ContainerDeps, 'docker'>): Promise<EngineImage[]> =>
    deps.docker.json<EngineImage[]>({ path: '/images/json', deadlineMs: 60_000 })

export const hasImage = async (deps: Pick<ContainerDeps, 'docker'>, reference: string): Promise<boolean> =>
    deps.docker.json({ path: `/images/${encodeURIComponent(reference)}/json` }).then(
        () => true,
        thrown => {
            if (asFault(thrown).code === 'not-found') return false
            throw thrown
        },
    )

const onImage = (reference: string) => ({ kind: 'container-image', id: reference, name: reference })

/** @throws Fault `invalid` for what is no name of an image */
export function planPull(deps: ImageDeps, reference: string): Change {
    const { text, registry } = referenceOf(reference)
    return {
        kind: 'container-image.pull',
        title: `Pull ${text}`,
        on: onImage(text),
        plan: [{ sentence: `Pull ${text} from ${registry}` }],
        cancellable: true,
        work: task => pull(deps, text, task),
    }
}

/** Until it is there whole. What was loaded when it is cancelled stays with Docker, for the next attempt. */
export async function pull(deps: ImageDeps, reference: string, task: RunningTask): Promise<void> {
    const { name, tag } = referenceOf(reference)
    const headers = await deps.registries.auth(reference)
    const { stream } = await deps.docker.ask({
        method: 'POST',
        path: '/images/create',
        query: { fromImage: name, tag },
        ...{ headers, own: true, deadlineMs: 0, signal: task.signal },
    })
    await followProgress(jsonLines<EngineProgress>(stream), task, 'pulling')
}

/** @throws Fault `invalid`, `not-found` */
export async function planPush(deps: ImageDeps, reference: string): Promise<Change> {
    const { text, name, tag, registry } = referenceOf(reference)
    await needImage(deps, text)
    return {
        kind: 'container-image.push',
        title: `Push ${text}`,
        on: onImage(text),
        plan: [{ sentence: `Push ${text} to ${registry}` }],
        cancellable: true,
        async work(task) {
            // The Engine wants the header even where there is nothing to say.
            const headers = (await deps.registries.auth(text)) ?? authHeader({})
            const { stream } = await deps.docker.ask({
                method: 'POST',
                path: `/images/${encodeURI(name)}/push`,
                query: { tag },
                ...{ headers, own: true, deadlineMs: 0, signal: task.signal },
            })
            await followProgress(jsonLines<EngineProgress>(stream), task, 'pushing')
        },
    }
}

/** @throws Fault `invalid`, `not-found` */
export async function planTag(deps: ImageDeps, reference: string, newReference: string): Promise<Change> {
    await needImage(deps, reference)
    const { name, tag, text } = referenceOf(newReference, 'new_reference')
    const [before, source] = await Promise.all([idOf(deps, text), idOf(deps, reference)])
    const plan = [{ sentence: `Give ${reference} the name ${text} too` }]
    if (before && before !== source) plan.unshift({ sentence: `Take the name ${text} from the image that has it` })
    return {
        kind: 'container-image.tag',
        title: `Name ${reference} ${text}`,
        on: onImage(text),
        plan: before === source ? [] : plan,
        async work() {
            const path = `/images/${encodeURIComponent(reference)}/tag`
            await deps.docker.json({ method: 'POST', path, query: { repo: name, tag } })
        },
    }
}

/** @throws Fault `not-found`, `conflict` where containers stand on it */
export async function planRemoveImage(deps: ImageDeps, reference: string): Promise<Change> {
    await needImage(deps, reference)
    const id = await idOf(deps, reference)
    const image = (await listImages(deps)).find(one => one.Id === id)
    const names = image ? namesOf(image) : []
    const isId = reference.startsWith('sha256:') || !names.includes(referenceText(reference))
    const users = deps.inventory.list().filter(entry => entry.line.imageId === id)
    const last = isId || names.length <= 1
    if (last && users.length > 0)
        throw new Fault('conflict', {
            summary: 'Containers stand on the image',
            detail: users.map(({ name }) => name).join(', '),
            at: 'reference',
            fix: 'Remove them first.',
        })
    if (isId && names.length > 1)
        throw new Fault('conflict', {
            summary: 'The image has several names',
            detail: names.join(', '),
            at: 'reference',
            fix: 'Remove it by its names, one by one.',
        })
    return {
        kind: 'container-image.remove',
        title: `Remove ${reference}`,
        on: onImage(reference),
        plan: last
            ? [
                  {
                      sentence: `Remove the image ${reference}, ${formatBytes(image?.Size ?? 0)} at most`,
                      destroys: `container-image:${reference}`,
                  },
              ]
            : [
                  {
                      sentence: `Take the name ${reference} away; the image stays as ${names.filter(n => n !== referenceText(reference)).join(', ')}`,
                  },
              ],
        async work() {
            await deps.docker.json({ method: 'DELETE', path: `/images/${encodeURIComponent(reference)}`, own: true })
        },
    }
}

function referenceText(reference: string): string {
    try {
        return referenceOf(reference).text
    } catch {
        return reference
    }
}

async function idOf(deps: ImageDeps, reference: string): Promise<string | undefined> {
    const path = `/images/${encodeURIComponent(reference)}/json`
    const answer = await deps.docker.json<{ Id: string }>({ path }).catch(thrown => {
        if (asFault(thrown).code === 'not-found') return undefined
        throw thrown
    })
    return answer?.Id
}

async function needImage(deps: ImageDeps, reference: string): Promise<void> {
    if (reference !== '' && (await hasImage(deps, reference))) return
    throw new Fault('not-found', {
        summary: 'There is no such image',
        detail: JSON.stringify(reference.slice(0, 200)),
        at: 'reference',
        fix: 'List them with: debvisor container images',
    })
}

/** Bytes of all layers together; the Engine tells of each layer by itself. @throws Fault for what went wrong */
export async function followProgress(
    lines: AsyncIterable<EngineProgress>,
    task: Pick<RunningTask, 'progress' | 'say' | 'signal'>,
    phase: string,
): Promise<void> {
    const layers = new Map<string, { current: number; total: number }>()
    try {
        for await (const line of lines) {
            if (line.error) throw refusedInStream(line.errorDetail?.message ?? line.error)
            const { id, progressDetail, status = '' } = line
            if (id && progressDetail?.total && progressDetail.current !== undefined && !/^Extracting/.test(status))
                layers.set(id, { current: progressDetail.current, total: progressDetail.total })
            if (id && /^(Pull complete|Already exists|Pushed|Layer already exists)/.test(status)) {
                const layer = layers.get(id)
                if (layer) layer.current = layer.total
            }
            if (!id && (status || line.stream)) task.say((status || line.stream || '').trim())
            const sums = [...layers.values()].reduce(
                (all, one) => ({ current: all.current + one.current, total: all.total + one.total }),
                { current: 0, total: 0 },
            )
            const said = `${phase}, ${formatBytes(sums.current)} of ${formatBytes(sums.total)}`
            task.progress(sums.total > 0 ? sums.current / sums.total : -1, sums.total > 0 ? said : phase)
        }
    } catch (thrown) {
        if (task.signal.aborted) throw new Fault('cancelled', { summary: 'The operation was cancelled' })
        throw thrown
    }
}
