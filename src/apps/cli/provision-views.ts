// What the verbs of the document show: plans, how an apply went, what one did.
import type { JsonValue } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import { titles } from '../../capabilities/table.provision.ts'
import type { View } from '../../capabilities/verb.ts'
import type { Applied, ApplyEvent } from '../../engine/apply.ts'
import { CONSENT_AT } from '../../engine/apply.ts'
import type { Noted } from '../../engine/history.ts'
import { isEmpty, type Plan } from '../../engine/plan.ts'
import { driftLines, findingLines, renderPlan, summaryOf } from '../../engine/render.ts'

export const asJson = (value: unknown) => JSON.parse(JSON.stringify(value)) as JsonValue

export const planView = (plan: Plan, warnings: readonly string[], verbose: boolean): View => ({
    kind: 'text',
    text: `${warnings.join('')}${renderPlan(plan, { titles, verbose })}`,
    json: asJson(plan),
    pending: !isEmpty(plan),
})

export function verifiedView(verified: {
    converged: boolean
    drift: readonly string[]
    findings: string[]
    json: unknown
}): View {
    const head = verified.converged
        ? 'The machine is what its document says.'
        : 'The machine is not what its document says. To mend it, apply would:'
    const said = [head, ...verified.drift.map(one => `  ${one}`), ...verified.findings]
    return { kind: 'text', text: `${said.join('\n')}\n`, json: asJson(verified.json), pending: !verified.converged }
}

export const driftOf = (plan: Plan) => ({
    converged: isEmpty(plan),
    drift: driftLines(plan),
    findings: plan.findings.flatMap(findingLines),
    json: { converged: isEmpty(plan), plan },
})

/** One line a step, as it is done. */
export function teller(write: (text: string) => void): (event: ApplyEvent) => void {
    return event => {
        if (event.kind === 'pass' && event.pass > 1) write(`\nPass ${event.pass}: ${summaryOf(event.plan)}\n`)
        if (event.kind === 'step') write(`[${event.at}/${event.of}] ${event.step.say} …`)
        if (event.kind === 'done')
            write(` done${event.tookMs > 1000 ? ` (${Math.round(event.tookMs / 1000)} s)` : ''}\n`)
        if (event.kind === 'failed') {
            const { summary, detail, fix } = event.problem
            write(` FAILED\n    ${summary}${detail ? `: ${detail}` : ''}\n${fix ? `    ${fix}\n` : ''}`)
        }
        if (event.kind === 'skipped') write(`Left out: ${event.resource}, for ${event.why}\n`)
    }
}

/** @throws Fault `precondition` with the steps that failed */
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
    return { kind: 'text', text: `Done: ${steps} steps. Left:\n${renderPlan(left, { titles })}`, json, pending: true }
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

const tookWords = (tookMs: unknown) => (Number(tookMs) > 1000 ? ` (${Math.round(Number(tookMs) / 1000)} s)` : '')

export function journalView(entries: readonly Noted[], state: string, verbose: boolean): View {
    const lines = entries.flatMap(entry => {
        const at = new Date(entry.atMs).toLocaleTimeString()
        if (entry.op === 'done') return [`${at}  done    ${entry.say}${tookWords(entry.tookMs)}`]
        if (entry.op === 'failed') {
            const { summary, detail } = entry.problem as { summary: string; detail: string }
            return [`${at}  FAILED  ${entry.say}: ${summary}${detail ? ` (${detail})` : ''}`]
        }
        if (entry.op === 'said' && verbose) {
            const words = `${entry.stdout}${entry.stderr}`.trimEnd()
            return [
                `          ${entry.tool} ended with ${entry.exitCode}`,
                ...words.split('\n').map(line => `          | ${line}`),
            ]
        }
        return []
    })
    const text = `${[...lines, state === 'running' ? 'It goes on.' : `It ended: ${state}`].join('\n')}\n`
    return { kind: 'text', text, json: asJson(entries) }
}

export interface HistoryRow {
    id: string
    startedMs: number
    by: string
    state: string
    steps: number
    failed: number
}

export function historyView(applies: readonly HistoryRow[], json: unknown): View {
    const rows = applies.map(({ startedMs, id, by, state, steps, failed }) => ({
        ...{ id, at: new Date(startedMs).toLocaleString(), by, state, steps, failed },
    }))
    const columns = [
        { key: 'id', label: 'APPLY' },
        { key: 'at', label: 'STARTED' },
        { key: 'by', label: 'BY' },
        { key: 'state', label: 'STATE' },
        { key: 'steps', label: 'STEPS', align: 'right' as const },
        { key: 'failed', label: 'FAILED', align: 'right' as const },
    ]
    return { kind: 'table', columns, rows, empty: 'Nothing was applied here yet.', json: asJson(json) }
}

export function statusView(status: {
    document: string
    now: string
    last?: HistoryRow
    more?: [string, string][]
    json: unknown
}): View {
    const { document, now, last, more = [] } = status
    const fields = [
        { label: 'Document', value: document || 'there is none: debvisor node init' },
        { label: 'Now', value: now || 'nothing is being changed' },
        {
            label: 'Last apply',
            value: last ? `${last.id}: ${last.state}, ${last.steps} done, ${last.failed} failed` : 'none yet',
        },
        ...more.map(([label, value]) => ({ label, value })),
    ]
    return { kind: 'record', fields, json: asJson(status.json) }
}

/** `mayLeave`: the rest may be done without it. */
export const unconsented = (targets: readonly string[], mayLeave = true) =>
    new Fault('denied', {
        summary: 'Data would be destroyed, and nobody has agreed to that',
        detail: targets.join(', '),
        fix: `To agree: ${targets.map(target => `--destroy ${target}`).join(' ')}${mayLeave ? '. To do the rest without it: --leave-withheld' : ''}`,
        at: CONSENT_AT,
    })

export const noSavedPlan = () =>
    new Fault('invalid', {
        summary: 'That is no saved plan',
        fix: 'Make one the same way as you apply it: debvisor node plan --out FILE',
        at: 'plan',
    })
