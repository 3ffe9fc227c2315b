// What all verbs that carry out a plan have in common: they show it, ask, do it step by step, and say how it ended.
import type { JsonValue } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import { checks, documentSchema, kit, resources, titles } from '../../capabilities/table.provision.ts'
import type { Option, VerbContext, View } from '../../capabilities/verb.ts'
import { type Applied, type ApplyEvent, CONSENT_AT } from '../../engine/apply.ts'
import type { Consent } from '../../engine/consent.ts'
import { isEmpty, type Plan, withheldBy } from '../../engine/plan.ts'
import { createProvision, type Provision, type Wish } from '../../engine/provision.ts'
import { renderPlan, summaryOf } from '../../engine/render.ts'
import { realClock, realSystem, rootedSystem } from '../../ports/real.ts'
import type { Io } from './io.ts'

export const DESTROY: Option = {
    name: 'destroy',
    value: 'TARGET',
    summary: 'agree to the destruction of one target of the plan',
    repeats: true,
}

/** The node that runs, or a system below a folder. */
export function provisionAt(folder: string | undefined): Provision<unknown> {
    const machine = realSystem()
    const touch = folder
        ? { phase: 'image' as const, root: rootedSystem(folder), machine }
        : { phase: 'boot' as const, root: machine, machine }
    return createProvision({
        schema: documentSchema,
        checks,
        resources,
        kit,
        touch,
        clock: realClock(),
        pid: process.pid,
    })
}

export const asJson = (value: unknown) => JSON.parse(JSON.stringify(value)) as JsonValue

export interface Doing {
    /** As it would be with these consents. */
    plan(consents: readonly Consent[]): Promise<Plan>
    apply(wish: Wish): Promise<Applied>
    /** Shown above the plan. */
    warnings?: readonly string[]
    /** Of a plan that was saved; that of the plan that is shown otherwise. */
    basis?: string
    leaveWithheld?: boolean
    retry?: boolean
}

/**
 * Shows the plan, asks, and does it. Answers the plan's view where there is nothing to do, or nothing may be done.
 * @throws Fault `denied` (at: consent) when data would be destroyed and --destroy does not name it
 */
export async function planAskApply(context: VerbContext, io: Io, doing: Doing): Promise<View | Applied> {
    const { options, lists, dryRun } = context
    const known = (await doing.plan([])).fingerprints
    const destroy = lists.destroy ?? []
    for (const target of destroy) if (!(target in known)) throw noTarget(target, Object.keys(known))
    const consents = destroy.map(target => ({ target, fingerprint: known[target]! }))
    const plan = await doing.plan(consents)
    const verbose = options.verbose !== undefined
    const warnings = doing.warnings ?? []
    if (dryRun || isEmpty(plan)) return planView(plan, warnings, verbose)
    io.stderr.write(`${warnings.join('')}${renderPlan(plan, { titles, verbose })}\n`)
    const open = withheldBy(plan)
    if (open.length > 0 && !doing.leaveWithheld) throw unconsented(open, doing.leaveWithheld !== undefined)
    await context.confirm(`Do this? ${summaryOf(plan)}`)
    return cancellable(signal =>
        doing.apply({
            ...{ by: whoami(io), consents, basis: doing.basis ?? plan.basis, signal, onEvent: teller(io) },
            ...{ leaveWithheld: doing.leaveWithheld ?? false, retry: doing.retry ?? false },
        }),
    )
}

/** Ctrl-C stops between two steps. */
export async function cancellable<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController()
    const stop = () => abort.abort()
    process.once('SIGINT', stop).once('SIGTERM', stop)
    try {
        return await work(abort.signal)
    } finally {
        process.off('SIGINT', stop).off('SIGTERM', stop)
    }
}

const unconsented = (targets: readonly string[], mayLeave: boolean) =>
    new Fault('denied', {
        summary: 'Data would be destroyed, and nobody has agreed to that',
        detail: targets.join(', '),
        fix: `To agree: ${targets.map(target => `--destroy ${target}`).join(' ')}${mayLeave ? '. To do the rest without it: --leave-withheld' : ''}`,
        at: CONSENT_AT,
    })

const noTarget = (target: string, known: readonly string[]) =>
    new Fault('invalid', {
        summary: 'There is nothing of that name that could be destroyed',
        detail: target,
        fix: known.length > 0 ? `There are: ${known.join(', ')}.` : 'The plan can do without any consent.',
        at: 'destroy',
    })

export const whoami = (io: Io) => io.env.SUDO_USER || 'root'

export const planView = (plan: Plan, warnings: readonly string[], verbose: boolean): View => ({
    kind: 'text',
    text: `${warnings.join('')}${renderPlan(plan, { titles, verbose })}`,
    json: asJson(plan),
    pending: !isEmpty(plan),
})

/** One line a step, as it is done. */
export function teller(io: Io): (event: ApplyEvent) => void {
    return event => {
        if (event.kind === 'pass' && event.pass > 1) io.stderr.write(`\nPass ${event.pass}: ${summaryOf(event.plan)}\n`)
        if (event.kind === 'step') io.stderr.write(`[${event.at}/${event.of}] ${event.step.say} …`)
        if (event.kind === 'done')
            io.stderr.write(` done${event.tookMs > 1000 ? ` (${Math.round(event.tookMs / 1000)} s)` : ''}\n`)
        if (event.kind === 'failed') {
            const { summary, detail, fix } = event.problem
            io.stderr.write(` FAILED\n    ${summary}${detail ? `: ${detail}` : ''}\n${fix ? `    ${fix}\n` : ''}`)
        }
        if (event.kind === 'skipped') io.stderr.write(`Left out: ${event.resource}, for ${event.why}\n`)
    }
}

export function appliedView(applied: Applied): View {
    const { id, steps, failed, left } = applied
    const json = asJson({
        id,
        steps,
        failed: failed.map(({ resource, step, problem }) => ({ resource, say: step.say, problem })),
        left,
    })
    if (failed.length > 0) throw failedFault(applied)
    if (isEmpty(left))
        return { kind: 'text', text: `Done: ${steps} steps. The machine is what its document says.\n`, json }
    return {
        kind: 'text',
        text: `Done: ${steps} steps. Left:\n${renderPlan(left, { titles })}`,
        json,
        pending: true,
    }
}

/** Of an apply some steps of which failed. */
export function failedFault({ id, failed }: Applied): Fault {
    return new Fault('precondition', {
        summary: failed.length === 1 ? 'One step failed' : `${failed.length} steps failed`,
        detail: failed
            .map(
                ({ step, problem }) => `${step.say}: ${problem.summary}${problem.detail ? ` (${problem.detail})` : ''}`,
            )
            .join('; '),
        fix: `What was done stays. Mend the cause, then apply again. The whole story: debvisor node history ${id} --verbose`,
    })
}
