// What all verbs that carry out a plan here have in common: they show it, ask, do it step by step, and say how it ended.
import { Fault } from '../../base/fault.ts'
import { checks, documentSchema, kit, resources, titles } from '../../capabilities/table.provision.ts'
import type { Option, VerbContext, View } from '../../capabilities/verb.ts'
import type { Applied } from '../../engine/apply.ts'
import { type Consent, consentsTo } from '../../engine/consent.ts'
import { isEmpty, type Plan, withheldBy } from '../../engine/plan.ts'
import { createProvision, type Provision, type Wish } from '../../engine/provision.ts'
import { renderPlan, summaryOf } from '../../engine/render.ts'
import { realClock, realSystem, rootedSystem } from '../../ports/real.ts'
import { answeredYes, type Io } from './io.ts'
import { planView, teller, unconsented } from './provision-views.ts'

export const DESTROY: Option = {
    name: 'destroy',
    value: 'TARGET',
    summary: 'agree to the destruction of one target of the plan',
    repeats: true,
}

/** @throws Fault `denied` for anybody but root */
export function needRoot(): void {
    if (process.getuid?.() === 0) return
    throw new Fault('denied', {
        summary: 'Only root can look at and change a node from inside',
        fix: 'Run it with sudo; or over the API, after: debvisor login https://NODE:8443',
    })
}

/**
 * The node that runs, or a system below a folder. `only`: a heading of the document, or one thing below it.
 * @throws Fault `invalid` where there is no such part
 */
export function provisionAt(folder: string | undefined, only?: string): Provision<unknown> {
    const chosen = resources.filter(({ name }) => only === undefined || name === only || name.startsWith(`${only}.`))
    if (chosen.length === 0) {
        throw new Fault('invalid', {
            summary: 'The document has no such part',
            detail: only ?? '',
            fix: `There are: ${[...new Set(resources.map(({ name }) => name.split('.')[0]))].join(', ')}.`,
            at: 'only',
        })
    }
    const machine = realSystem()
    const touch = folder
        ? { phase: 'image' as const, root: rootedSystem(folder), machine }
        : { phase: 'boot' as const, root: machine, machine }
    return createProvision({
        ...{ schema: documentSchema, checks, resources: chosen, kit, touch },
        ...{ clock: realClock(), pid: process.pid },
    })
}

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
    const consents = consentsTo(lists.destroy ?? [], (await doing.plan([])).fingerprints)
    const plan = await doing.plan(consents)
    const verbose = options.verbose !== undefined
    const warnings = doing.warnings ?? []
    if (dryRun || isEmpty(plan)) return planView(plan, warnings, verbose)
    io.stderr.write(`${warnings.join('')}${renderPlan(plan, { titles, verbose })}\n`)
    const open = withheldBy(plan)
    if (open.length > 0 && !doing.leaveWithheld) throw unconsented(open, doing.leaveWithheld !== undefined)
    await context.confirm(`Do this? ${summaryOf(plan)}`)
    const sitsThere = options.yes === undefined && io.stdin.isTTY && io.stderr.isTTY
    return cancellable(signal =>
        doing.apply({
            ...{ by: whoami(io), consents, basis: doing.basis ?? plan.basis, signal, onEvent: tell(io) },
            ...{ leaveWithheld: doing.leaveWithheld ?? false, retry: doing.retry ?? false },
            ...(sitsThere ? { ask: asker(io) } : {}),
        }),
    )
}

/** About a change that comes back by itself; `--yes` answers it as well. */
const asker = (io: Io) => (question: string, deadlineMs: number) => {
    io.stderr.write('\n')
    return answeredYes(io, question, deadlineMs)
}

/** Ctrl-C stops between two steps. */
export async function cancellable<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController()
    const stop = () => abort.abort()
    // What waits for a condition has no timer that keeps a process alive.
    const alive = setInterval(() => {}, 60_000)
    process.once('SIGINT', stop).once('SIGTERM', stop)
    try {
        return await work(abort.signal)
    } finally {
        clearInterval(alive)
        process.off('SIGINT', stop).off('SIGTERM', stop)
    }
}

export const tell = (io: Io) => teller(text => void io.stderr.write(text))
export const whoami = (io: Io) => io.env.SUDO_USER || 'root'
