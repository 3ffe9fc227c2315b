// The tasks of this node over the API: one's own for everybody, all of them for those who may see them.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ConnectRouter } from '@connectrpc/connect'
import { Fault } from '../../base/fault.ts'
import type { TaskRecord, TaskState, Tasks } from '../../engine/task.ts'
import { ProblemSchema } from '../../gen/proto/capabilities/debvisor_pb.js'
import { State, type Task, TaskSchema, TaskService } from '../../gen/proto/capabilities/task/task_pb.js'
import { type Caller, callerOf, type Guarded } from '../caller.ts'
import type { Capability } from '../capability.ts'

const STATES: Record<TaskState, State> = {
    running: State.RUNNING,
    done: State.DONE,
    failed: State.FAILED,
    cancelled: State.CANCELLED,
    interrupted: State.INTERRUPTED,
}
const LIST_LIMIT = 100

export interface TaskDeps {
    tasks: Tasks
    /** The tags that a VM or container has now: a grant on a tag covers the tasks of what has it. */
    tagsOf(id: string): readonly string[]
}

/** The capability over the tasks of the engine. It starts and ends nothing itself. */
export function createTask({ tasks, tagsOf }: TaskDeps): Capability {
    const guarded = ({ on, owner }: TaskRecord): Guarded => ({
        ...{ id: on?.id ?? '', owner },
        tags: on?.kind === 'vm' || on?.kind === 'container' ? tagsOf(on.id) : [],
    })
    /** Whether one may follow one’s own is for the caller to know: a token's scope may leave tasks out. */
    const maySee = (caller: Caller, task: TaskRecord): boolean => caller.may('task.view', guarded(task))

    /** The task, when the caller may see it; whoever may not learns no more than that there is none. */
    function visible(id: string, caller: Caller): TaskRecord {
        const task = tasks.get(id)
        if (task && maySee(caller, task)) return task
        throw new Fault('not-found', {
            summary: 'There is no such task',
            detail: id.slice(0, 80),
            fix: 'List the tasks; ended ones are kept for 30 days, a thousand at most.',
            at: 'id',
        })
    }

    return {
        name: 'task',
        services: (router: ConnectRouter) =>
            router.service(TaskService, {
                list: (request, context) => {
                    const caller = callerOf(context)
                    const found = tasks
                        .list()
                        .filter(t => request.states.length === 0 || request.states.includes(STATES[t.state]))
                        .filter(t => request.onId === '' || t.on?.id === request.onId)
                        .filter(t => maySee(caller, t))
                    return { tasks: found.slice(0, request.limit || LIST_LIMIT).map(t => toProto(t)) }
                },
                get: async (request, context) => {
                    const task = visible(request.id, callerOf(context))
                    return { task: toProto(task, await tasks.log(task.id)) }
                },
                watch: async function* (request, context) {
                    const caller = callerOf(context)
                    const only = request.id
                    if (only) visible(only, caller)
                    else yield {}
                    const stop = new AbortController()
                    for await (const { task, existing } of tasks.watch(
                        AbortSignal.any([context.signal, stop.signal]),
                    )) {
                        if (only ? task.id !== only : !maySee(caller, task)) continue
                        // The right to it may be gone by now.
                        if (only) visible(only, caller)
                        yield { task: toProto(task), existing }
                        if (only && task.endedMs !== undefined) stop.abort()
                    }
                },
                cancel: async (request, context) => {
                    const caller = callerOf(context)
                    const task = visible(request.id, caller)
                    caller.need('task.cancel', guarded(task))
                    return { task: toProto(await tasks.cancel(task.id)) }
                },
            }),
    }
}

function toProto(task: TaskRecord, log: { atMs: number; text: string }[] = []): Task {
    return create(TaskSchema, {
        ...{ id: task.id, kind: task.kind, title: task.title, state: STATES[task.state], progress: task.progress },
        ...{ phase: task.phase, owner: task.owner, cancellable: task.cancellable && task.endedMs === undefined },
        ...{ onKind: task.on?.kind ?? '', onId: task.on?.id ?? '', onName: task.on?.name ?? '' },
        started: timestampFromMs(task.startedMs),
        ended: task.endedMs === undefined ? undefined : timestampFromMs(task.endedMs),
        problem: task.problem && create(ProblemSchema, task.problem),
        log: log.map(({ atMs, text }) => ({ at: timestampFromMs(atMs), text })),
    })
}
