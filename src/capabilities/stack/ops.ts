// Changes of stacks: each is checked and planned as a whole first, and carried out as a task.
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { Change, PlanStep } from '../begin.ts'
import { appliedOf, bringUp, type OpsDeps, prepareNewest, settle, upSteps } from './bring-up.ts'
import { serviceOf } from './model.ts'
import type { Prepared } from './prepare.ts'
import { containersOf, thingsOf } from './seen.ts'
import type { StackDoc, StoredVersion } from './store.ts'

const MOST_CONTAINERS = 100
const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/
/** A grant on a VM names it by such an id, and must never be one on a stack. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @throws Fault `invalid` */
export function checkName(name: string): void {
    if (NAME.test(name) && !UUID.test(name)) return
    throw new Fault('invalid', {
        summary: 'That cannot be the name of a stack',
        detail: JSON.stringify(name.slice(0, 80)),
        at: 'name',
        fix: 'Use 1 to 63 small letters, digits, dashes and underscores; a letter or digit first.',
    })
}

const onStack = (verb: string, name: string) => ({ kind: `stack.${verb}`, title: `${TITLES[verb]} ${name}` })
const TITLES: Record<string, string> = {
    up: 'Bring up stack',
    down: 'Take down stack',
    pull: 'Pull the images of stack',
    remove: 'Remove stack',
}

export async function planUpNewest(deps: OpsDeps, doc: StackDoc, { pull = false } = {}): Promise<Change> {
    const { stored, prepared } = await prepareNewest(deps, doc)
    const { steps, findings, pulls, changes } = await upSteps(deps, prepared, { pull, doc })
    // What runs already is only noted as brought up.
    const plan = changes || doc.applied?.version !== stored.number || doc.unfinished ? steps : []
    return {
        ...onStack('up', doc.name),
        ...{ plan, findings, cancellable: true },
        work: task => bringUp(deps, { name: doc.name, version: stored.number, prepared, pulls }, task),
    }
}

export async function planDown(deps: OpsDeps, name: string): Promise<Change> {
    const there = await thingsOf(deps.docker, name)
    const plan: PlanStep[] = containersOf(deps.containers, name).map(one => ({
        sentence: `Stop and remove the container ${one.name}`,
    }))
    for (const network of there.networks) plan.push({ sentence: `Remove the network ${network}` })
    if (there.volumes.length > 0) plan.push({ sentence: `Keep what is in ${words(there.volumes)}` })
    return {
        ...onStack('down', name),
        ...{ plan, stops: true },
        work: task => takeDown(deps, name, task),
    }
}

async function takeDown(deps: OpsDeps, name: string, task: RunningTask): Promise<void> {
    task.progress(-1, 'taking down')
    try {
        await deps.compose.down(name, { signal: task.signal, say: line => task.say(line) })
    } finally {
        await settle(deps, name)
    }
    if (deps.store.get(name)) await deps.store.change(name, { applied: undefined, unfinished: undefined })
}

export async function planPull(deps: OpsDeps, doc: StackDoc): Promise<Change> {
    const { prepared } = await prepareNewest(deps, doc)
    const images = [...new Set(Object.values(prepared.model.services).flatMap(({ image }) => image ?? []))].sort()
    return {
        ...onStack('pull', doc.name),
        plan: images.map(image => ({ sentence: `Pull ${image}` })),
        cancellable: true,
        async work(task) {
            for (const [i, image] of images.entries()) {
                task.say(`Pull ${image} (${i + 1} of ${images.length})`)
                await deps.pull(image, task)
            }
        },
    }
}

/** @throws Fault `invalid` for a volume that is not the stack's */
export async function planRemove(deps: OpsDeps, name: string, volumes: readonly string[]): Promise<Change> {
    const { docker, store } = deps
    const [down, there] = await Promise.all([planDown(deps, name), thingsOf(docker, name)])
    const strange = volumes.filter(one => !there.volumes.includes(one))
    if (strange.length > 0)
        throw new Fault('invalid', {
            summary: 'That is no volume of the stack',
            detail: strange.join(', '),
            at: 'volumes',
            fix: there.volumes.length > 0 ? `Its volumes are: ${there.volumes.join(', ')}.` : 'It has none.',
        })
    const kept = there.volumes.filter(one => !volumes.includes(one))
    const plan: PlanStep[] = down.plan.filter(({ sentence }) => !sentence.startsWith('Keep '))
    for (const volume of volumes)
        plan.push({
            sentence: `Remove the volume ${volume} with all that is in it`,
            destroys: `container-volume:${volume}`,
        })
    plan.push({ sentence: `Remove the stack ${name}: its file, variables and history`, destroys: `stack:${name}` })
    if (kept.length > 0) plan.push({ sentence: `Keep what is in ${words(kept)}` })
    return {
        ...onStack('remove', name),
        ...{ plan, stops: true },
        async work(task) {
            await takeDown(deps, name, task)
            for (const volume of volumes)
                await docker.json({ method: 'DELETE', path: `/volumes/${encodeURIComponent(volume)}`, own: true })
            await store.remove(name)
        },
    }
}

export interface NewFile {
    file: string
    values: StoredVersion['values']
    scale: Record<string, number>
    by: string
    note: string
    up: boolean
}

const versionOf = ({ clock }: OpsDeps, { file, values, scale, by, note }: NewFile, { model, tags }: Prepared) => ({
    ...{ atMs: clock.now(), file, values, scale, by, note, tags },
    services: Object.keys(model.services).sort(),
})

const NOTHING = { steps: [] as PlanStep[], findings: [] as Finding[], pulls: [] as string[] }

export async function planCreate(
    deps: OpsDeps,
    doc: Pick<StackDoc, 'name' | 'owner' | 'catalogue' | 'folder' | 'key'>,
    { made, prepared }: { made: NewFile; prepared: Prepared },
): Promise<Change> {
    const { name } = doc
    const up = made.up ? await upSteps(deps, prepared) : { ...NOTHING, findings: prepared.findings }
    return {
        ...{ kind: 'stack.create', title: `Create stack ${name}`, findings: up.findings, cancellable: true },
        plan: [{ sentence: `Keep the file as version 1 of the stack ${name}` }, ...up.steps],
        async work(task) {
            await deps.store.create(doc, versionOf(deps, made, prepared))
            if (made.up) await bringUp(deps, { name, version: 1, prepared, pulls: up.pulls }, task)
        },
    }
}

/** What runs stays as it is; where it is what the file says, the stack counts as brought up. */
export async function planImport(
    deps: OpsDeps,
    doc: Pick<StackDoc, 'name' | 'owner' | 'catalogue' | 'folder' | 'key'>,
    { made, prepared }: { made: NewFile; prepared: Prepared },
): Promise<Change> {
    const { name } = doc
    const { steps, changes, findings } = await upSteps(deps, prepared)
    const differs: Finding[] = changes
        ? [
              {
                  ...{ severity: 'warning', code: 'differs', at: 'compose_file' },
                  summary: 'What runs is not quite what the file says; to bring it up would change this',
                  detail: steps.map(({ sentence }) => sentence).join('; '),
                  fix: 'Nothing of it is done now. Read the plan before you bring it up.',
              },
          ]
        : []
    return {
        ...{ kind: 'stack.import', title: `Take in stack ${name}`, findings: [...findings, ...differs] },
        plan: [
            { sentence: `Keep the file as version 1 of the stack ${name}` },
            { sentence: 'Leave what runs as it is' },
        ],
        async work() {
            await deps.store.create(doc, versionOf(deps, made, prepared))
            if (changes) return
            const applied = { version: 1, atMs: deps.clock.now(), services: appliedOf(prepared) }
            await deps.store.change(name, { applied })
        },
    }
}

/** A new version after `base`, and the way to it. */
export async function planVersion(
    deps: OpsDeps,
    doc: StackDoc,
    { base, made, prepared, title }: { base: number; made: NewFile; prepared: Prepared; title: string },
): Promise<Change> {
    const up = made.up ? await upSteps(deps, prepared, { doc }) : { ...NOTHING, findings: prepared.findings }
    const { name } = doc
    return {
        ...{ kind: 'stack.update', title, findings: up.findings, cancellable: true },
        plan: [{ sentence: `Keep this as version ${base + 1} of the stack ${name}` }, ...up.steps],
        async work(task) {
            await deps.store.add(name, base, versionOf(deps, made, prepared))
            if (made.up) await bringUp(deps, { name, version: base + 1, prepared, pulls: up.pulls }, task)
        },
    }
}

/** @throws Fault `not-found` for a service, `invalid` for a number */
export function scaled(
    { model }: Prepared,
    scale: Record<string, number>,
    { service, count }: { service: string; count: number },
): Record<string, number> {
    const one = serviceOf(model, service)
    if (count > MOST_CONTAINERS || (count > 1 && one.container_name))
        throw new Fault('invalid', {
            summary: 'A service cannot have so many containers',
            detail: `${service}: ${count}`,
            at: 'count',
            fix: one.container_name
                ? 'Take container_name out of the file: two containers cannot have one name.'
                : `Use 0 to ${MOST_CONTAINERS}.`,
        })
    return { ...scale, [service]: count }
}

const words = (volumes: readonly string[]) =>
    `${volumes.length > 1 ? 'the volumes' : 'the volume'} ${volumes.join(', ')}`
