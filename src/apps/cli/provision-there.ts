// The document of a node over its API: for those who are logged in to it, from wherever they are.
import { writeFileSync } from 'node:fs'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { Fault } from '../../base/fault.ts'
import { confirmed } from '../../capabilities/confirm.ts'
import { faultOfProblem } from '../../capabilities/problem.ts'
import type { VerbContext, View } from '../../capabilities/verb.ts'
import { findingLines } from '../../engine/render.ts'
import type { Finding } from '../../gen/proto/capabilities/debvisor_pb.js'
import {
    type AppliedRecord,
    type DocumentPlan,
    DocumentPlanSchema,
    GetApplyResponseSchema,
    GetStatusResponseSchema,
    ListAppliesResponseSchema,
    ProvisionService,
    VerifyResponseSchema,
} from '../../gen/proto/capabilities/node/provision_pb.js'
import type { Io } from './io.ts'
import { historyView, noSavedPlan, statusView, unconsented, verifiedView } from './provision-views.ts'

const client = (context: VerbContext) => context.client(ProvisionService)

async function textOf(context: VerbContext, file: string | undefined): Promise<string> {
    if (file) return context.file(file)
    const { exists, text, path } = await client(context).getDocument({})
    if (exists) return text
    throw new Fault('not-found', {
        summary: 'There is no document',
        detail: path,
        fix: 'Begin with a draft: debvisor node init > node.yaml',
    })
}

const isEmpty = (plan: DocumentPlan) => plan.groups.length === 0

const planView = (context: VerbContext, plan: DocumentPlan): View => ({
    kind: 'text',
    text: plan.text,
    json: context.json(DocumentPlanSchema, plan),
    pending: !isEmpty(plan),
})

export async function draftThere(context: VerbContext): Promise<View> {
    const { text } = await client(context).draftDocument({ profile: context.options.profile ?? 'zfs' })
    return { kind: 'text', text, json: text }
}

export async function planThere(context: VerbContext): Promise<View> {
    const text = await textOf(context, context.options.file)
    const plan = (await client(context).plan({ text })).plan!
    if (context.options.out) {
        const saved = { text, hash: plan.hash, plan: plan.text.split('\n') }
        writeFileSync(context.options.out, `${JSON.stringify(saved, null, 2)}\n`, { mode: 0o600 })
    }
    return planView(context, plan)
}

export async function applyThere(context: VerbContext, io: Io): Promise<View> {
    const { options, lists, args } = context
    const text = await textOf(context, args.file)
    const destroy = lists.destroy ?? []
    const plan = (await client(context).plan({ text, destroy })).plan!
    if (context.dryRun || isEmpty(plan)) return planView(context, plan)
    const hash = options.plan ? savedHash(await context.file(options.plan)) : plan.hash
    io.stderr.write(`${plan.text}\n`)
    const open = plan.destroys.filter(one => !one.agreed).map(one => one.target)
    const leaveWithheld = options['leave-withheld'] !== undefined
    if (open.length > 0 && !leaveWithheld) throw unconsented(open)
    await context.confirm(`Do this? ${plan.summary}`)
    const confirmationToken = await confirmed(context)
    const begun = await client(context).apply({
        ...{ text, hash, destroy, confirmationToken, leaveWithheld, retry: options.retry !== undefined },
    })
    return followed(context, begun.task, 'Done. The machine is what its document says.')
}

export async function verifyThere(context: VerbContext): Promise<View> {
    if (context.options.file) {
        const plan = (await client(context).plan({ text: await context.file(context.options.file) })).plan!
        const drift = plan.groups.flatMap(group => group.steps.map(step => `${group.resource}: ${step.say}`))
        const json = { converged: isEmpty(plan), plan: context.json(DocumentPlanSchema, plan) }
        return verifiedView({ converged: isEmpty(plan), drift, findings: linesOf(plan.findings), json })
    }
    const answer = await client(context).verify({})
    const { problem, converged, drift, findings } = answer.verified!
    if (problem) throw faultOfProblem(problem)
    const json = context.json(VerifyResponseSchema, answer)
    return verifiedView({ converged, drift, findings: linesOf(findings), json })
}

export async function statusThere(context: VerbContext): Promise<View> {
    const status = await client(context).getStatus({})
    const { document, now, nowSince, last, verified } = status
    const at = verified?.at ? new Date(timestampMs(verified.at)).toLocaleString() : ''
    return statusView({
        document: document && `/etc/debvisor/node.yaml (${document})`,
        now: now && `${now}${nowSince ? `, since ${new Date(timestampMs(nowSince)).toLocaleString()}` : ''}`,
        last: last && rowOf(last),
        more: [
            [
                'Last look',
                verified ? `${at}: ${verified.converged ? 'as its document says' : 'it differs'}` : 'none yet',
            ],
        ],
        json: context.json(GetStatusResponseSchema, status),
    })
}

export async function historyThere(context: VerbContext): Promise<View> {
    const { args, options } = context
    if (!args.apply) {
        const answer = await client(context).listApplies({})
        return historyView(answer.applies.map(rowOf), context.json(ListAppliesResponseSchema, answer))
    }
    const answer = await client(context).getApply({ apply: args.apply })
    const lines = answer.events.flatMap(({ kind, at, text, problem, state }) => {
        const time = at ? new Date(timestampMs(at)).toLocaleTimeString() : ''
        if (kind === 'done') return [`${time}  done    ${text}`]
        if (kind === 'failed')
            return [`${time}  FAILED  ${text}: ${[problem?.summary, problem?.detail].filter(Boolean).join(': ')}`]
        if (kind === 'said' && options.verbose !== undefined) return text.split('\n').map(line => `          | ${line}`)
        if (kind === 'end') return [`It ended: ${state}`]
        return []
    })
    return { kind: 'text', text: `${lines.join('\n')}\n`, json: context.json(GetApplyResponseSchema, answer) }
}

export async function rollbackThere(context: VerbContext, io: Io): Promise<View> {
    const { apply, plan } = await client(context).planRollback({ apply: context.args.apply ?? '' })
    if (context.dryRun || isEmpty(plan!)) return planView(context, plan!)
    io.stderr.write(plan!.text)
    await context.confirm(`Take the apply ${apply} back?`)
    const confirmationToken = await confirmed(context)
    const begun = await client(context).rollback({ apply, hash: plan!.hash, confirmationToken })
    return followed(context, begun.task, 'Done: its files are as they were before it.')
}

async function followed(context: VerbContext, task: string, text: string): Promise<View> {
    if (!task) return { kind: 'text', text: 'Nothing to do: the node is what the document says.\n', json: { task } }
    if (!(await context.follow(task))) return { kind: 'nothing' }
    return { kind: 'text', text: `${text}\n`, json: { task } }
}

const rowOf = ({ id, started, by, state, steps, failed }: AppliedRecord) => ({
    ...{ id, by, state, steps, failed, startedMs: started ? timestampMs(started) : 0 },
})

const linesOf = (findings: readonly Finding[]) =>
    findings.flatMap(one => findingLines({ ...one, severity: one.severity as 'error' | 'warning' | 'info' }))

function savedHash(text: string): string {
    try {
        const { hash } = JSON.parse(text) as { hash: unknown }
        if (typeof hash === 'string') return hash
    } catch {
        // Said below.
    }
    throw noSavedPlan()
}
