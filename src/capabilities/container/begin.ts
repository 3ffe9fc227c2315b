// From a change that was found possible to the answer of its call: the plan for a dry run, else a task.
import { create } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { DockerLink } from '../../drivers/docker/link.ts'
import type { RunningTask, TaskObject, Tasks } from '../../engine/task.ts'
import { type Begun, BegunSchema } from '../../gen/proto/capabilities/debvisor_pb.js'
import type { Clock, Log } from '../../ports/ports.ts'
import type { ContainerEntry } from './entry.ts'
import type { Inventory } from './inventory.ts'

export interface ContainerDeps {
    docker: DockerLink
    inventory: Inventory
    tasks: Tasks
    clock: Clock
    log: Log
}

export interface Change {
    /** Such as `container.start`. */
    kind: string
    title: string
    on: TaskObject
    plan: { sentence: string; destroys?: string }[]
    findings?: Finding[]
    cancellable?: boolean
    stops?: boolean
    work(task: RunningTask): Promise<void>
}

export interface How {
    owner: string
    dryRun: boolean
}

/** Begins the change, or only says what it would do. */
export async function begin(tasks: Tasks, change: Change, { owner, dryRun }: How): Promise<Begun> {
    const { kind, title, on, cancellable, stops, plan, findings = [], work } = change
    const answer = create(BegunSchema, {
        object: on.id,
        plan: plan.map(({ sentence, destroys = '' }) => ({ sentence, destroys })),
        findings,
    })
    if (dryRun) return answer
    const { task } = await tasks.begin({ kind, title, on, cancellable, stops, owner }, work)
    answer.task = task.id
    return answer
}

export const onContainer = ({ id, name }: Pick<ContainerEntry, 'id' | 'name'>): TaskObject => ({
    kind: 'container',
    id,
    name,
})

/** The refusal of a state that does not allow what was asked. */
export const notNow = (entry: ContainerEntry, summary: string, fix: string): Fault =>
    new Fault('precondition', { summary, detail: entry.name, fix, at: 'container' })

export const pathOf = ({ id }: Pick<ContainerEntry, 'id'>, verb = ''): string =>
    `/containers/${encodeURIComponent(id)}${verb ? `/${verb}` : ''}`
