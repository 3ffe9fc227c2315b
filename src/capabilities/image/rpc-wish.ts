// A change that a call asks for: answered with its plan for a dry run, else begun as a task.
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { HandlerContext } from '@connectrpc/connect'
import { Fault } from '../../base/fault.ts'
import type { RunningTask, TaskSpec, Tasks } from '../../engine/task.ts'
import { type Begun, BegunSchema, type StepSchema } from '../../gen/proto/capabilities/debvisor_pb.js'
import { callerOf } from '../caller.ts'

export type Step = MessageInitShape<typeof StepSchema>

export interface Wish {
    spec: Omit<TaskSpec, 'owner'>
    object: string
    plan: Step[]
    dryRun: boolean
    work(task: RunningTask): Promise<void>
}

export type Begin = (context: HandlerContext, wish: Wish) => Promise<Begun>

export const beginner =
    (tasks: Tasks): Begin =>
    async (context, wish) => {
        const { object, plan } = wish
        if (wish.dryRun) return create(BegunSchema, { object, plan })
        const { task } = await tasks.begin({ ...wish.spec, owner: callerOf(context).user }, wish.work)
        return create(BegunSchema, { task: task.id, object, plan })
    }

export const onPool = (name: string) => ({ kind: 'pool', id: name, name })
export const onVolume = (pool: string, name: string) => ({ kind: 'volume', id: `${pool}/${name}`, name })

/** Sizes that no double holds exactly are no sizes of disks. */
export function sizeOf(value: bigint, at: string): number {
    const sizeBytes = Number(value)
    if (value > 0n && Number.isSafeInteger(sizeBytes)) return sizeBytes
    throw new Fault('invalid', {
        summary: 'A size must be a whole number of bytes above zero',
        detail: String(value),
        fix: 'Give a size between 1 byte and 8 PiB.',
        at,
    })
}
