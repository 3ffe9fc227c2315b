// From what is wanted and what is seen to a plan: groups of steps in order, what waits, and what may not be done yet.
import type { Finding } from '../base/finding.ts'
import { inOrder } from '../base/order.ts'
import type { Basics, BasicsSeen } from './basics.ts'
import { planAfter, planBefore } from './plan-basics.ts'
import type { Deferred, Opening, Phase, Resource } from './resource.ts'
import { destroyedBy, flatten, type Step } from './step.ts'

/** What may be destroyed: the target, and what stood on it when that was agreed to; undefined when it is ours. */
export type Agreed = ReadonlyMap<string, string | undefined>

/** The steps of one resource. */
export interface Group {
    resource: string
    steps: Step[]
    deferred: Deferred[]
    /** Targets that its steps destroy and nobody consented to: while there are any, none of its steps runs. */
    withheld: string[]
    /** Why the resource cannot be made as things are; none of its steps runs. */
    errors: Finding[]
    /** A resource that must come before and cannot run; its steps wait with it. */
    waitsFor?: string
}

export interface Plan {
    /** Hash of the document and of what was seen: a saved plan whose basis has moved is refused. */
    basis: string
    groups: Group[]
    openings: (Opening & { resource: string })[]
    /** Of all resources. */
    findings: Finding[]
    /** What stands now on each thing that could be destroyed here; a consent holds for that alone. */
    fingerprints: Readonly<Record<string, string>>
    /** What makes the whole plan impossible: it is not applied at all. */
    errors: Finding[]
}

/** What one resource wants and sees; `want` undefined: no wish. */
export interface Surveyed {
    want: unknown
    basics: Basics
    own: unknown
}

export interface Survey {
    basis: string
    phase: Phase
    seen: BasicsSeen
    resources: ReadonlyMap<string, Surveyed>
}

const RUNNING: ReadonlySet<string> = new Set(['start', 'stop', 'restart', 'reload'])

/** Pure and deterministic; the order of `resources` decides only between those that do not need one another. */
export function makePlan(resources: readonly Resource[], survey: Survey, agreed: Agreed): Plan {
    const findings: Finding[] = []
    const groups: Group[] = []
    const openings: Plan['openings'] = []
    const prints: Record<string, string> = {}
    const sorted = inOrder(resources)
    for (const one of sorted) {
        const surveyed = survey.resources.get(one.name)
        if (!surveyed) continue
        for (const opening of one.openings?.(surveyed.want) ?? []) openings.push({ resource: one.name, ...opening })
        const before = planBefore(surveyed.basics, survey.seen)
        const own = one.plan?.(surveyed.want, surveyed.own, agreed) ?? { steps: [] }
        findings.push(...(own.findings ?? []))
        const changed = new Set(
            flatten([...before, ...own.steps]).flatMap(step =>
                step.do === 'write' || step.do === 'remove' ? [step.path] : [],
            ),
        )
        // Nothing runs below a root folder: the boot starts what is enabled.
        const after = planAfter(surveyed.basics, survey.seen, changed).filter(
            step => survey.phase === 'boot' || (step.do === 'unit' && !RUNNING.has(step.action)),
        )
        const steps = [...before, ...own.steps, ...after]
        const deferred = own.deferred ?? []
        const errors = (own.findings ?? []).filter(finding => finding.severity === 'error')
        if (steps.length === 0 && deferred.length === 0 && errors.length === 0) continue
        const fingerprints = own.fingerprints ?? {}
        Object.assign(prints, fingerprints)
        const withheld = destroyedBy(steps).filter(target => !isAgreed(target, agreed, fingerprints[target] ?? ''))
        groups.push({ resource: one.name, steps, deferred, withheld, errors })
    }
    markWaiting(sorted, groups)
    return { basis: survey.basis, groups, openings, findings, errors: clashes(openings), fingerprints: prints }
}

const isAgreed = (target: string, agreed: Agreed, fingerprint: string) =>
    agreed.has(target) && (agreed.get(target) ?? fingerprint) === fingerprint

/** Groups that need one that cannot run wait with it. */
function markWaiting(sorted: readonly Resource[], groups: readonly Group[]): void {
    const held = new Map<string, string>()
    for (const one of sorted) {
        const group = groups.find(candidate => candidate.resource === one.name)
        const waitsFor = (one.needs ?? []).map(word => held.get(word)).find(name => name !== undefined)
        if (group && waitsFor) group.waitsFor = waitsFor
        const cause = group && (group.withheld.length > 0 || group.errors.length > 0) ? one.name : waitsFor
        if (cause) for (const word of [one.name, ...(one.provides ?? [])]) held.set(word, cause)
    }
}

function clashes(openings: Plan['openings']): Finding[] {
    return openings.flatMap((opening, at): Finding[] => {
        const other = openings
            .slice(0, at)
            .find(before => before.resource !== opening.resource && meet(before, opening))
        if (!other) return []
        return [
            {
                severity: 'error',
                code: 'port-taken',
                at: opening.resource,
                summary: 'Two parts of the node want the same port',
                detail: `${opening.port}/${opening.protocol}: ${other.resource} and ${opening.resource}`,
                fix: 'Give one of them another port in the document.',
            },
        ]
    })
}

function meet(one: Opening, other: Opening): boolean {
    const [a, b] = [one, other].map(({ port }) => String(port).split('-').map(Number))
    const [first, second] = [a!, b!]
    return one.protocol === other.protocol && first[0]! <= second.at(-1)! && second[0]! <= first.at(-1)!
}

/** True when there is nothing to do and nothing waits. */
export const isEmpty = (plan: Plan): boolean => plan.groups.length === 0

/** The groups whose steps may run now. */
export const runnable = (plan: Plan): Group[] =>
    plan.groups.filter(group => group.withheld.length === 0 && group.errors.length === 0 && !group.waitsFor)

/** What is destroyed without consent, each once. */
export const withheldBy = (plan: Plan): string[] => [...new Set(plan.groups.flatMap(group => group.withheld))]

/**
 * Why a later pass may not go on: what it does outside the envelopes that the pass before announced. A resource that
 * announced nothing may only repeat kinds of steps that it had planned, and destroy nothing new.
 */
export function outsideEnvelope(before: Plan, now: Plan): Finding[] {
    const announced = new Set(
        before.groups.flatMap(group => [...destroyedBy(group.steps), ...group.deferred.flatMap(d => d.destroys ?? [])]),
    )
    return now.groups.flatMap(group =>
        destroyedBy(group.steps)
            .filter(target => !announced.has(target))
            .map(
                (target): Finding => ({
                    severity: 'error',
                    code: 'outside-envelope',
                    at: group.resource,
                    summary: 'A later pass would destroy what the first plan did not name',
                    detail: target,
                    fix: 'Read the new plan with: debvisor node plan',
                }),
            ),
    )
}
