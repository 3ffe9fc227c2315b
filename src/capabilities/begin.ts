// From a validated change to the answer of its call: the plan alone for a dry run, else a task that carries it out.
import { create } from '@bufbuild/protobuf'
import type { Finding } from '../base/finding.ts'
import type { Anchor, RunningTask, TaskObject, Tasks } from '../engine/task.ts'
import { type Begun, BegunSchema } from '../gen/proto/capabilities/debvisor_pb.js'

export interface PlanStep {
    sentence: string
    /** What dies by it, such as `volume:default/web1.qcow2`. */
    destroys?: string
}

/** A change of one thing that was found possible; nothing of it has happened. */
export interface Change {
    /** Such as `vm.start`. */
    kind: string
    title: string
    plan: PlanStep[]
    findings?: Finding[]
    cancellable?: boolean
    anchor?: Anchor
    /** It only stops something: it is carried out even when its record cannot be written. */
    stops?: boolean
    work(task: RunningTask): Promise<void>
}

export interface BeginOptions {
    tasks: Tasks
    owner: string
    dryRun: boolean
}

/** Begins the change, or only says what it would do. */
export async function beginChange(
    on: TaskObject,
    change: Change,
    { tasks, owner, dryRun }: BeginOptions,
): Promise<Begun> {
    const { kind, title, plan, findings = [], cancellable, anchor, stops } = change
    const answer = create(BegunSchema, {
        object: on.id,
        plan: plan.map(({ sentence, destroys = '' }) => ({ sentence, destroys })),
        findings,
    })
    if (dryRun) return answer
    const { task } = await tasks.begin({ kind, title, owner, on, cancellable, anchor, stops }, async running => {
        for (const { summary, detail } of findings) running.say([summary, detail].filter(Boolean).join(': '))
        await change.work(running)
    })
    answer.task = task.id
    return answer
}
