// Changes of containers and of what they stand on: the plan alone for a dry run, else a task.
import { Fault } from '../../base/fault.ts'
import type { DockerLink } from '../../drivers/docker/link.ts'
import type { TaskObject, Tasks } from '../../engine/task.ts'
import type { Begun } from '../../gen/proto/capabilities/debvisor_pb.js'
import type { Clock, Log } from '../../ports/ports.ts'
import { type Change as BasicChange, type BeginOptions, beginChange } from '../begin.ts'
import type { ContainerEntry } from './entry.ts'
import type { Inventory } from './inventory.ts'

export interface ContainerDeps {
    docker: DockerLink
    inventory: Inventory
    tasks: Tasks
    clock: Clock
    log: Log
}

export interface Change extends BasicChange {
    on: TaskObject
}

export const begin = ({ on, ...change }: Change, options: BeginOptions): Promise<Begun> =>
    beginChange(on, change, options)

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
