// Bringing a stack up: what that would do, and doing it, until it is healthy.
import { Fault } from '../../base/fault.ts'
import { hasErrors } from '../../base/finding.ts'
import type { DockerLink } from '../../drivers/docker/link.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { Clock } from '../../ports/ports.ts'
import type { PlanStep } from '../begin.ts'
import { changesOf } from './changes.ts'
import { untilHealthy } from './health.ts'
import { wantedOf } from './model.ts'
import { type AppliedServices, othersSentences, planUp } from './plan.ts'
import { type PrepareDeps, type Prepared, prepare, type Source } from './prepare.ts'
import { type Containers, containersOf, seeStack, thingsOf } from './seen.ts'
import type { StackDoc, Store, StoredVersion } from './store.ts'

export interface OpsDeps extends PrepareDeps {
    store: Store
    docker: DockerLink
    containers: Containers
    clock: Clock
    pull(reference: string, task: RunningTask): Promise<void>
}

export const sourceOf = (
    doc: Pick<StackDoc, 'name' | 'folder' | 'key'>,
    { file, values, scale }: Pick<StoredVersion, 'file' | 'values' | 'scale'>,
): Source => ({ name: doc.name, folder: doc.folder, key: doc.key, file, values, scale })

/** The newest version, ready to be brought up. */
export async function prepareNewest(deps: OpsDeps, doc: StackDoc) {
    const stored = await deps.store.version(doc.name, doc.versions[0]!.number)
    return { stored, prepared: await prepare(deps, sourceOf(doc, stored)) }
}

export const appliedOf = ({ model, hashes }: Prepared): AppliedServices =>
    Object.fromEntries(
        Object.entries(model.services).map(([name, service]) => [
            name,
            { hash: hashes[name] ?? '', wanted: wantedOf(service) },
        ]),
    )

/** The sentences of bringing it up; refused where Docker would refuse. @throws Fault `precondition` */
export async function upSteps(
    deps: OpsDeps,
    prepared: Prepared,
    { pull = false, doc }: { pull?: boolean; doc?: StackDoc } = {},
) {
    const { model, hashes, allMarks } = prepared
    const changes = doc ? await changesSince(deps, doc, prepared) : new Map<string, string>()
    const plan = planUp({ model, hashes, changes, pull }, await seeStack(deps, model))
    const wrong = plan.findings.filter(({ severity }) => severity === 'error')
    if (hasErrors(wrong))
        throw new Fault('precondition', {
            summary: 'The stack cannot be brought up like this',
            detail: wrong.map(({ summary, detail }) => `${summary}: ${detail}`).join('; '),
            fix: wrong[0]!.fix,
            at: wrong[0]!.at,
            findings: wrong,
        })
    const steps: PlanStep[] = [...plan.steps]
    if (plan.changes) {
        for (const sentence of othersSentences(model)) steps.push({ sentence })
        for (const mark of allMarks) steps.push({ sentence: `Let it reach past itself into the node: ${mark}` })
    }
    return { ...plan, steps, findings: [...prepared.findings, ...plan.findings] }
}

/** By service: why its containers are made anew. Empty where the version of then cannot be read any more. */
async function changesSince(deps: OpsDeps, doc: StackDoc, prepared: Prepared): Promise<Map<string, string>> {
    const { applied } = doc
    const known = Object.entries(applied?.services ?? {}).filter(([name]) => prepared.hashes[name])
    const same = ([name, { hash }]: (typeof known)[number]) => hash === prepared.hashes[name]
    const reasons = new Map(known.filter(same).map(([name]) => [name, 'somebody made it of other settings']))
    if (!applied || known.every(same)) return reasons
    const before = await deps.store
        .version(doc.name, applied.version)
        .then(stored => prepare(deps, sourceOf(doc, stored)))
        .catch(() => undefined)
    if (!before) return reasons
    const side = ({ model, project: { values } }: Prepared) => ({ model, values })
    for (const one of known)
        if (!same(one)) reasons.set(one[0], changesOf(one[0], side(before), side(prepared)).join('; '))
    return reasons
}

interface Up {
    name: string
    version: number
    prepared: Prepared
    pulls: readonly string[]
}

/** Brings a version up; what was begun and did not end is on the disk meanwhile. */
export async function bringUp(deps: OpsDeps, { name, version, prepared, pulls }: Up, task: RunningTask): Promise<void> {
    const { store, clock, compose } = deps
    for (const image of pulls) {
        task.say(`Pull ${image}`)
        await deps.pull(image, task)
    }
    await store.change(name, { unfinished: { version, atMs: clock.now() } })
    task.progress(-1, 'bringing up')
    try {
        await compose.up(prepared.project, { signal: task.signal, say: line => task.say(line) })
    } finally {
        await settle(deps, name)
    }
    const applied = { version, atMs: clock.now(), services: appliedOf(prepared) }
    await store.change(name, { applied, unfinished: undefined })
    task.progress(-1, 'waiting until it is healthy')
    await untilHealthy(deps, name, { signal: task.signal, say: names => task.say(`Wait until healthy: ${names}`) })
}

/** The list of containers knows what Docker knows: whoever looks after the task has ended sees it. */
export async function settle({ docker, containers }: OpsDeps, name: string): Promise<void> {
    const now = await thingsOf(docker, name).catch(() => undefined)
    const ids = new Set([...(now?.containers ?? []), ...containersOf(containers, name).map(({ id }) => id)])
    await Promise.all([...ids].map(id => containers.refresh(id).catch(() => undefined)))
}
