// Carries plans out: look, plan, do, and again until nothing is left; what fails stops what needs it, and nothing else.
import { asFault, Fault, type Problem, problemOf } from '../base/fault.ts'
import type { Clock } from '../ports/ports.ts'
import { type Carrying, carryOut } from './carry.ts'
import { type Consent, openConsents } from './consent.ts'
import { openRecord, openRejected, type Recorder } from './history.ts'
import type { Kit } from './kit.ts'
import { lockApply } from './lock.ts'
import { type Group, isEmpty, makePlan, outsideEnvelope, type Plan, runnable, withheldBy } from './plan.ts'
import type { Resource, Touch } from './resource.ts'
import { claimedBy, type Step } from './step.ts'
import { survey } from './survey.ts'

const PASSES = 8

export interface ApplyDeps {
    resources: readonly Resource[]
    kit: Kit
    touch: Touch
    clock: Clock
    pid: number
}

export interface ApplyWish {
    /** The checked document, and its text for the history. */
    document: unknown
    text: string
    by: string
    /** Of the lock, for others who want to change the node meanwhile; 'debvisor node apply' unless told. */
    what?: string
    consents?: readonly Consent[]
    /** Do what may be done, and leave out what nobody consented to; otherwise that refuses the whole. */
    leaveWithheld?: boolean
    /** Of a plan that was read: another basis is refused. */
    basis?: string
    /** Try guards again that came back before. */
    retry?: boolean
    /** Asks the operator about a change that comes back by itself; absent where nobody sits there. */
    ask?(question: string, deadlineMs: number): Promise<boolean>
    signal: AbortSignal
    /** Called once nothing refuses it any more, before anything is touched. */
    accepted?(): Promise<void>
    onEvent?(event: ApplyEvent): void
}

export type ApplyEvent =
    /** Its record is there. */
    | { kind: 'begin'; id: string }
    /** Words of a tool, as the journal keeps them. */
    | { kind: 'said'; tool: string; exitCode: number; stdout: string; stderr: string }
    | { kind: 'pass'; pass: number; plan: Plan }
    | { kind: 'step'; resource: string; step: Step; at: number; of: number }
    | { kind: 'done'; resource: string; step: Step; tookMs: number }
    | { kind: 'failed'; resource: string; step: Step; problem: Problem }
    | { kind: 'skipped'; resource: string; why: string }

export interface Applied {
    id: string
    steps: number
    failed: { resource: string; step: Step; problem: Problem }[]
    /** What is still to do; empty when the node is what the document says. */
    left: Plan
}

/**
 * Applies a document. Steps that fail are in the answer.
 * @throws Fault `conflict` when another apply runs or the basis moved, `denied` (at: consent) when something would be
 * destroyed unasked, `cancelled` between two steps, `exhausted` or `unavailable` when the journal cannot be written
 */
export async function apply(deps: ApplyDeps, wish: ApplyWish): Promise<Applied> {
    const { touch, clock } = deps
    const { what = 'debvisor node apply' } = wish
    const unlock = await lockApply({ machine: touch.machine, clock, pid: deps.pid, what })
    try {
        return await applyLocked(deps, wish)
    } finally {
        await unlock()
    }
}

async function applyLocked(deps: ApplyDeps, wish: ApplyWish): Promise<Applied> {
    const { resources, touch, clock, kit } = deps
    const consents = await openConsents(touch.root)
    const look = { phase: touch.phase, root: touch.root, machine: touch.machine }
    const planNow = async () => makePlan(resources, await survey(resources, wish.document, look), consents.agreed())
    const first = await planNow()
    if (wish.basis && wish.basis !== first.basis) throw moved()
    await consents.give(wish.consents ?? [])
    try {
        let plan = wish.consents?.length ? await planNow() : first
        refuseErrors(plan)
        if (!wish.leaveWithheld) refuseWithheld(plan)
        await wish.accepted?.()
        // Nothing, or nothing yet: what only waits leaves no record, and what was done before it can be taken back.
        if (runnable(plan).every(group => group.steps.length === 0)) return { id: '', steps: 0, failed: [], left: plan }
        const record = await openRecord(touch.root, clock, { by: wish.by, document: wish.text })
        const rejected = await openRejected(touch.root)
        const carrying: Carrying = {
            ...{ touch, kit, clock, signal: wish.signal },
            keep: record.keep,
            units: { stale: true },
            hear: async words => {
                await record.note({ op: 'said', ...words })
                wish.onEvent?.({ kind: 'said', ...words })
            },
            rejected: wish.retry ? { ...rejected, has: () => false } : rejected,
            ...(wish.ask ? { ask: wish.ask } : {}),
        }
        const failed: Applied['failed'] = []
        let steps = 0
        wish.onEvent?.({ kind: 'begin', id: record.id })
        try {
            for (let pass = 1; pass <= PASSES && !isEmpty(plan); pass++) {
                wish.onEvent?.({ kind: 'pass', pass, plan })
                const did = await onePass({ plan, record, carrying, consents, wish, failed, resources })
                steps += did
                const next = await planNow()
                if (outsideEnvelope(plan, next).length > 0)
                    refuseErrors({ ...next, errors: outsideEnvelope(plan, next) })
                plan = next
                // A pass that did nothing will do nothing again.
                if (did === 0 || failed.length > 0) break
            }
        } catch (thrown) {
            const fault = asFault(thrown)
            const state = fault.code === 'cancelled' ? 'cancelled' : 'failed'
            await record.end(state, { steps, failed: failed.length, summary: fault.summary }).catch(() => undefined)
            throw fault
        }
        await record.end(failed.length > 0 || !isEmpty(plan) ? 'failed' : 'done', { steps, failed: failed.length })
        return { id: record.id, steps, failed, left: plan }
    } finally {
        await consents.drop()
    }
}

interface Pass {
    plan: Plan
    record: Recorder
    carrying: Carrying
    consents: Awaited<ReturnType<typeof openConsents>>
    wish: ApplyWish
    failed: Applied['failed']
    resources: readonly Resource[]
}

/** How many steps were done. */
async function onePass({ plan, record, carrying, consents, wish, failed, resources }: Pass): Promise<number> {
    const groups = runnable(plan)
    const of = groups.reduce((sum, group) => sum + group.steps.length, 0)
    const broken = new Map<string, string>()
    let at = 0
    let done = 0
    for (const group of groups) {
        const one = resources.find(candidate => candidate.name === group.resource)!
        const needs = (one.needs ?? []).map(word => broken.get(word)).find(Boolean)
        if (needs) {
            for (const word of [one.name, ...(one.provides ?? [])]) broken.set(word, needs)
            wish.onEvent?.({ kind: 'skipped', resource: group.resource, why: `it needs ${needs}, which failed` })
            at += group.steps.length
            continue
        }
        const trouble = await oneGroup({ group, record, carrying, consents, wish, at, of, onDone: () => done++ })
        at += group.steps.length
        if (!trouble) continue
        failed.push({ resource: group.resource, ...trouble })
        for (const word of [one.name, ...(one.provides ?? [])]) broken.set(word, group.resource)
    }
    return done
}

interface Doing extends Omit<Pass, 'plan' | 'failed' | 'resources'> {
    group: Group
    at: number
    of: number
    onDone(): void
}

async function oneGroup(doing: Doing): Promise<{ step: Step; problem: Problem } | undefined> {
    const { group, record, carrying, consents, wish, of, onDone } = doing
    const { resource } = group
    const targets = claimedBy(group.steps)
    if (targets.length > 0) await consents.begin(targets, { apply: record.id, resource })
    for (const [index, step] of group.steps.entries()) {
        if (wish.signal.aborted)
            throw new Fault('cancelled', { summary: 'The apply was cancelled', fix: 'Apply again to go on.' })
        wish.onEvent?.({ kind: 'step', resource, step, at: doing.at + index + 1, of })
        await record.note({ op: 'step', resource, step: forJournal(step) })
        const beganMs = carrying.clock.ticks()
        try {
            await carryOut(step, carrying)
        } catch (thrown) {
            const fault = asFault(thrown)
            await record.note({ op: 'failed', resource, say: step.say, problem: problemOf(fault) })
            if (fault.code === 'cancelled' && wish.signal.aborted) throw fault
            wish.onEvent?.({ kind: 'failed', resource, step, problem: problemOf(fault) })
            return { step, problem: problemOf(fault) }
        }
        const tookMs = Math.round(carrying.clock.ticks() - beganMs)
        await record.note({ op: 'done', resource, say: step.say, tookMs })
        wish.onEvent?.({ kind: 'done', resource, step, tookMs })
        onDone()
        // The last step that names a target makes it whole.
        const later = claimedBy(group.steps.slice(index + 1))
        await consents.finish(claimedBy([step]).filter(target => !later.includes(target)))
    }
    return undefined
}

/** Without the contents of files: they are in the document's folder and in the kept copies. */
function forJournal(step: Step): object {
    if (step.do === 'guard') return { ...step, steps: step.steps.map(forJournal) }
    if (step.do !== 'write') return step
    const { content, was, ...rest } = step
    return { ...rest, bytes: typeof content === 'string' ? content.length : undefined }
}

const moved = () =>
    new Fault('conflict', {
        summary: 'The node or the document has changed since the plan was made',
        fix: 'Read a new plan: debvisor node plan',
    })

function refuseErrors(plan: Plan): void {
    const { errors } = plan
    const [first] = errors
    if (!first) return
    throw new Fault('precondition', {
        summary: first.summary,
        ...(first.detail ? { detail: first.detail } : {}),
        ...(first.fix ? { fix: first.fix } : {}),
        at: first.at,
        findings: errors,
    })
}

/** `at` of the Fault that stands for a missing consent: exit code 3. */
export const CONSENT_AT = 'consent'

function refuseWithheld(plan: Plan): void {
    const targets = withheldBy(plan)
    if (targets.length === 0) return
    throw new Fault('denied', {
        summary: 'Data would be destroyed, and nobody has agreed to that',
        detail: targets.join(', '),
        fix: `Read the plan. To agree: ${targets.map(target => `--destroy ${target}`).join(' ')}`,
        at: CONSENT_AT,
    })
}
