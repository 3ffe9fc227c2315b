// The document of this machine by its own engine: as root on the node itself, where no daemon needs to run.
import { writeFileSync } from 'node:fs'
import { Fault } from '../../base/fault.ts'
import { checks, documentSchema, kit, resources, titles } from '../../capabilities/table.provision.ts'
import type { VerbContext, View } from '../../capabilities/verb.ts'
import { isEmpty, type Plan, withheldBy } from '../../engine/plan.ts'
import { createProvision, DOCUMENT, type Provision } from '../../engine/provision.ts'
import { findingLines, renderPlan, summaryOf } from '../../engine/render.ts'
import { realClock, realSystem, rootedSystem } from '../../ports/real.ts'
import { answeredYes, type Io } from './io.ts'
import {
    appliedView,
    driftOf,
    historyView,
    journalView,
    noSavedPlan,
    planView,
    statusView,
    teller,
    unconsented,
    verifiedView,
} from './provision-views.ts'

/** `only`: a heading of the document, or one thing below it. @throws Fault `invalid` where there is no such part */
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
        schema: documentSchema,
        checks,
        resources: chosen,
        kit,
        touch,
        clock: realClock(),
        pid: process.pid,
    })
}

export function needRoot(): void {
    if (process.getuid?.() === 0) return
    throw new Fault('denied', {
        summary: 'Only root can look at and change a node from inside',
        fix: 'Run it with sudo; or over the API, after: debvisor login https://NODE:8443',
    })
}

const textOf = async ({ options, file }: VerbContext, provision: Provision<unknown>) =>
    options.file ? await file(options.file) : await provision.load()

export async function planHere(context: VerbContext): Promise<View> {
    const { options } = context
    const provision = provisionAt(options.root, options.only)
    const text = await textOf(context, provision)
    const plan = await provision.plan(text)
    if (options.out) writeFileSync(options.out, `${JSON.stringify({ text, plan }, null, 2)}\n`, { mode: 0o600 })
    return planView(plan, warningsOf(provision, text), options.verbose !== undefined)
}

export async function applyHere(context: VerbContext, io: Io): Promise<View> {
    const { options, lists, args, dryRun } = context
    const provision = provisionAt(options.root, options.only)
    const text = args.file ? await context.file(args.file) : await provision.load()
    const destroy = lists.destroy ?? []
    const known = (await provision.plan(text)).fingerprints
    for (const target of destroy) if (!(target in known)) throw noTarget(target, Object.keys(known))
    const consents = destroy.map(target => ({ target, fingerprint: known[target]! }))
    const plan = await provision.plan(text, consents)
    const verbose = options.verbose !== undefined
    const warnings = warningsOf(provision, text)
    if (dryRun || isEmpty(plan)) return planView(plan, warnings, verbose)
    const basis = options.plan ? savedBasis(await context.file(options.plan)) : undefined
    io.stderr.write(`${warnings.join('')}${renderPlan(plan, { titles, verbose })}\n`)
    const open = withheldBy(plan)
    if (open.length > 0 && options['leave-withheld'] === undefined) throw unconsented(open)
    await context.confirm(`Do this? ${summaryOf(plan)}`)
    const applied = await cancellable(signal =>
        provision.apply(text, {
            ...{ by: whoami(io), consents, basis: basis ?? plan.basis, signal, onEvent: tell(io) },
            ...{ leaveWithheld: options['leave-withheld'] !== undefined, retry: options.retry !== undefined },
            ...(options.yes === undefined && io.stdin.isTTY && io.stderr.isTTY ? { ask: asker(io) } : {}),
        }),
    )
    return appliedView(applied)
}

/** About a change that comes back by itself; `--yes` answers it as well. */
const asker = (io: Io) => (question: string, deadlineMs: number) => {
    io.stderr.write('\n')
    return answeredYes(io, question, deadlineMs)
}

export async function verifyHere(context: VerbContext): Promise<View> {
    const provision = provisionAt(context.options.root, context.options.only)
    return verifiedView(driftOf(await provision.plan(await textOf(context, provision))))
}

export async function statusHere({ options }: VerbContext): Promise<View> {
    const { holder, last, document } = await provisionAt(options.root).status()
    return statusView({
        document: document ? `${DOCUMENT} (${document})` : '',
        now: holder ? `${holder.what}, process ${holder.pid}, since ${new Date(holder.sinceMs).toLocaleString()}` : '',
        ...{ last, json: { holder, last, document } },
    })
}

export async function historyHere({ args, options }: VerbContext): Promise<View> {
    const provision = provisionAt(options.root)
    if (args.apply) {
        const { entries, record } = await provision.past(args.apply)
        return journalView(entries, record.state, options.verbose !== undefined)
    }
    const applies = await provision.history()
    return historyView(applies, applies)
}

export async function rollbackHere(context: VerbContext, io: Io): Promise<View> {
    const provision = provisionAt(context.options.root)
    const { id, plan } = await provision.planRollback(context.args.apply)
    if (context.dryRun || isEmpty(plan)) return planView(plan, [], context.options.verbose !== undefined)
    io.stderr.write(renderPlan(plan, { titles }))
    await context.confirm(`Take the apply ${id} back?`)
    const wish = { by: whoami(io), basis: plan.basis, onEvent: tell(io) }
    return appliedView(await cancellable(signal => provision.rollback(id, { ...wish, signal })))
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

const tell = (io: Io) => teller(text => void io.stderr.write(text))
const whoami = (io: Io) => io.env.SUDO_USER || 'root'

const noTarget = (target: string, known: readonly string[]) =>
    new Fault('invalid', {
        summary: 'There is nothing of that name that could be destroyed',
        detail: target,
        fix: known.length > 0 ? `There are: ${known.join(', ')}.` : 'The plan can do without any consent.',
        at: 'destroy',
    })

function savedBasis(text: string): string {
    try {
        const { plan } = JSON.parse(text) as { plan: Plan }
        if (typeof plan.basis === 'string') return plan.basis
    } catch {
        // Said below.
    }
    throw noSavedPlan()
}

const warningsOf = (provision: Provision<unknown>, text: string) =>
    provision.read(text).findings.map(finding => `line ${finding.line}: ${findingLines(finding).join('\n')}\n`)
