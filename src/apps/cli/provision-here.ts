// The document of this machine by its own engine: as root on the node itself, where no daemon needs to run.
import { writeFileSync } from 'node:fs'
import { titles } from '../../capabilities/table.provision.ts'
import type { VerbContext, View } from '../../capabilities/verb.ts'
import { isEmpty, type Plan } from '../../engine/plan.ts'
import { DOCUMENT, type Provision } from '../../engine/provision.ts'
import { findingLines, renderPlan } from '../../engine/render.ts'
import { cancellable, planAskApply, provisionAt, tell, whoami } from './applying.ts'
import type { Io } from './io.ts'
import {
    appliedView,
    driftOf,
    historyView,
    journalView,
    noSavedPlan,
    planView,
    statusView,
    verifiedView,
} from './provision-views.ts'

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
    const { options, args } = context
    const provision = provisionAt(options.root, options.only)
    const text = args.file ? await context.file(args.file) : await provision.load()
    const applied = await planAskApply(context, io, {
        plan: consents => provision.plan(text, consents),
        apply: wish => provision.apply(text, wish),
        warnings: warningsOf(provision, text),
        basis: options.plan ? savedBasis(await context.file(options.plan)) : undefined,
        leaveWithheld: options['leave-withheld'] !== undefined,
        retry: options.retry !== undefined,
    })
    return 'kind' in applied ? applied : appliedView(applied)
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
