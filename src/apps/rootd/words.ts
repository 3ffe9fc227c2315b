// Plans, records and journals of the engine as messages.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Problem } from '../../base/fault.ts'
import type { ApplyRecord, Noted } from '../../engine/history.ts'
import { type Plan, withheldBy } from '../../engine/plan.ts'
import { planHash } from '../../engine/provision.ts'
import { patchOf, renderPlan, summaryOf, titleOf } from '../../engine/render.ts'
import { destroyedBy, flatten, type Step } from '../../engine/step.ts'
import {
    AppliedRecordSchema,
    type ApplyEvent,
    ApplyEventSchema,
    DocumentPlanSchema,
    type PlanStep,
    PlanStepSchema,
} from '../../gen/proto/capabilities/node/provision_pb.js'

type Titles = Readonly<Record<string, string>>

/** A step of a file that is longer is cut: the rest is in the plan as text. */
const DIFF_LINES = 400
export const SAID_LENGTH = 4000

export function planMessage(plan: Plan, titles: Titles) {
    const steps = plan.groups.flatMap(group => group.steps)
    const withheld = withheldBy(plan)
    return create(DocumentPlanSchema, {
        hash: planHash(plan),
        groups: plan.groups.map(group => ({
            resource: group.resource,
            title: titleOf(group.resource, { titles }),
            steps: group.steps.map(stepMessage),
            later: group.deferred.map(one => one.reason),
            withheld: group.withheld,
            errors: group.errors,
            waitsFor: group.waitsFor ?? '',
        })),
        destroys: destroyedBy(steps).map(target => ({ target, agreed: !withheld.includes(target) })),
        disrupts: [...new Set(flatten(steps).flatMap(step => step.disrupts ?? []))],
        findings: plan.findings,
        errors: plan.errors,
        summary: summaryOf(plan),
        text: renderPlan(plan, { titles }),
    })
}

function stepMessage(step: Step): PlanStep {
    const patch = step.do === 'write' ? patchOf(step) : []
    const shown = (patch ?? []).slice(0, DIFF_LINES)
    const more = (patch?.length ?? 0) - shown.length
    return create(PlanStepSchema, {
        say: step.say,
        kind: step.do,
        destroys: [...(step.destroys ?? [])],
        disrupts: step.disrupts ?? '',
        diff: [...shown, ...(more > 0 ? [`… ${more} more lines`] : [])].join('\n'),
        secret: patch === undefined,
        steps: step.do === 'guard' ? step.steps.map(stepMessage) : [],
    })
}

export const recordMessage = (record: ApplyRecord) =>
    create(AppliedRecordSchema, {
        ...{ id: record.id, by: record.by, state: record.state, steps: record.steps, failed: record.failed },
        summary: record.summary ?? '',
        started: timestampFromMs(record.startedMs),
        ended: record.endedMs === undefined ? undefined : timestampFromMs(record.endedMs),
    })

/** What the journal of an apply says, as the events that were told while it ran; with its end, also where it was cut off. */
export function eventsOf(entries: readonly Noted[], record: ApplyRecord): ApplyEvent[] {
    const events: ApplyEvent[] = []
    const add = (entry: { atMs: number }, event: Omit<Partial<ApplyEvent>, 'number' | 'at' | '$typeName'>) =>
        events.push(
            create(ApplyEventSchema, {
                ...event,
                number: events.length + 1,
                at: timestampFromMs(Number(entry.atMs) || record.startedMs),
            } as never),
        )
    for (const entry of entries) {
        const resource = String(entry.resource ?? '')
        const text = String(entry.say ?? '')
        if (entry.op === 'step')
            add(entry, {
                kind: 'step',
                resource,
                text: String((entry.step as { say?: string } | undefined)?.say ?? ''),
            })
        if (entry.op === 'said') add(entry, { kind: 'said', text: saidText(entry as unknown as Said) })
        if (entry.op === 'done') add(entry, { kind: 'done', resource, text, tookMs: Number(entry.tookMs) || 0 })
        if (entry.op === 'failed') add(entry, { kind: 'failed', resource, text, problem: entry.problem as never })
    }
    if (record.state !== 'running') add({ atMs: record.endedMs ?? entries.at(-1)?.atMs ?? 0 }, endOf(record))
    return events
}

const endOf = ({ state, summary }: ApplyRecord) => ({ kind: 'end', state, text: summary ?? '' })

interface Said {
    tool: string
    exitCode: number
    stdout: string
    stderr: string
}

/** The last of what a tool said, and how it ended. */
export const saidText = ({ tool, exitCode, stdout, stderr }: Said): string => {
    const words = `${stdout ?? ''}${stderr ?? ''}`.trimEnd().slice(-SAID_LENGTH)
    return `${tool} ended with ${exitCode}${words ? `\n${words}` : ''}`
}

export const problemMessage = (problem: Problem) => ({ ...problem, findings: [...problem.findings] })
