// The verbs of `debvisor task`.
import { create } from '@bufbuild/protobuf'
import { timestampDate, timestampMs } from '@bufbuild/protobuf/wkt'
import { Fault } from '../../base/fault.ts'
import {
    type GetResponse,
    GetResponseSchema,
    ListResponseSchema,
    State,
    type Task,
    TaskService,
    type WatchResponse,
    WatchResponseSchema,
} from '../../gen/proto/capabilities/task/task_pb.js'
import { carryOutAtOnce, lookedUp } from '../change.ts'
import { whole } from '../value.ts'
import type { Argument, Verb, VerbContext, View } from '../verb.ts'
import { watchOne, watchRows } from '../watch.ts'

const TASK: Argument = { name: 'task', summary: 'id of the task', complete: 'task' }

const STATES: Record<State, string> = {
    [State.STATE_UNSPECIFIED]: 'unknown',
    [State.RUNNING]: 'running',
    [State.DONE]: 'done',
    [State.FAILED]: 'failed',
    [State.CANCELLED]: 'cancelled',
    [State.INTERRUPTED]: 'interrupted',
}

const time = (at: Task['started']) => (at ? timestampDate(at).toLocaleString() : '')
const startedMs = (task: Task) => (task.started ? timestampMs(task.started) : 0)
const share = (task: Task) =>
    task.state === State.RUNNING && task.progress >= 0 ? ` ${Math.floor(task.progress * 100)}%` : ''

const table = (context: VerbContext, tasks: Task[]): View => ({
    kind: 'table',
    columns: [
        { key: 'id', label: 'TASK' },
        { key: 'title', label: 'WHAT' },
        { key: 'state', label: 'STATE' },
        { key: 'owner', label: 'BY' },
        { key: 'started', label: 'STARTED' },
        { key: 'problem', label: 'PROBLEM', wide: true },
    ],
    rows: tasks.map(t => ({
        id: t.id,
        title: t.title,
        state: STATES[t.state] + share(t),
        owner: t.owner,
        started: time(t.started),
        problem: t.problem?.summary ?? '',
    })),
    empty: 'There is no task.',
    json: context.json(ListResponseSchema, create(ListResponseSchema, { tasks })),
})

function details(context: VerbContext, answer: GetResponse): View {
    const t = answer.task!
    const fields = [
        { label: 'Task', value: t.id },
        { label: 'What', value: t.title },
        { label: 'State', value: `${STATES[t.state]}${share(t)}${t.phase ? `, ${t.phase}` : ''}` },
        { label: 'By', value: t.owner },
        { label: 'Started', value: time(t.started) },
        { label: 'Ended', value: time(t.ended) },
        {
            label: 'Problem',
            value: t.problem?.code
                ? [`${t.problem.summary}: ${t.problem.detail}`, t.problem.fix].filter(Boolean).join('\n')
                : '',
        },
        {
            label: 'Log',
            value: t.log.map(l => `${l.at ? timestampDate(l.at).toLocaleTimeString() : ''} ${l.text}`).join('\n'),
        },
    ]
    return { kind: 'record', fields: fields.filter(f => f.value), json: context.json(GetResponseSchema, answer) }
}

/** Those that tell of a task. */
async function* ofTasks(changes: AsyncIterable<WatchResponse>) {
    for await (const change of changes) if (change.task) yield change
}

async function watchList(context: VerbContext, asked: { states: State[]; limit: number }): Promise<View> {
    const tasks = context.client(TaskService)
    const changes = ofTasks(tasks.watch({}, { signal: context.signal }))
    const { tasks: before } = await tasks.list(asked)
    if (!context.options.json) context.show(table(context, before))
    return watchRows<WatchResponse, Task>(context, {
        changes,
        json: change => context.json(WatchResponseSchema, change),
        apply({ task, existing }, rows) {
            if (rows.size === 0) for (const one of before) rows.set(one.id, one)
            if (task) rows.set(task.id, task)
            return !existing
        },
        view: all =>
            table(
                context,
                all
                    .filter(task => asked.states.length === 0 || asked.states.includes(task.state))
                    .sort((a, b) => startedMs(b) - startedMs(a))
                    .slice(0, asked.limit),
            ),
    })
}

export const taskVerbs: Verb[] = [
    {
        words: ['task', 'list'],
        summary: 'list tasks, newest first',
        options: [
            { name: 'running', summary: 'only those that run' },
            { name: 'limit', value: 'N', summary: 'at most this many', default: '100' },
        ],
        watches: true,
        examples: [{ line: 'debvisor task list --running --watch', note: 'What goes on, until Ctrl-C.' }],
        async run(context) {
            const states = context.options.running ? [State.RUNNING] : []
            const asked = { states, limit: whole(context.options.limit ?? '100', '--limit', { least: 1 }) }
            if (context.watch) return watchList(context, asked)
            return table(context, (await context.client(TaskService).list(asked)).tasks)
        },
    },
    {
        words: ['task', 'show'],
        examples: [
            { line: 'debvisor task show mi8xq2k0-4f9a1c', note: 'Why did it fail?' },
            { line: 'debvisor task show mi8xq2k0-4f9a1c --watch', note: 'With its log, until it ends.' },
        ],
        summary: 'show a task with its log',
        arguments: [TASK],
        watches: true,
        async run(context) {
            const tasks = context.client(TaskService)
            const id = context.args.task!
            const look = async () => details(context, await tasks.get({ id }))
            if (!context.watch) return look()
            return watchOne(context, {
                changes: tasks.watch({ id }, { signal: context.signal }),
                about: change => !change.existing,
                look,
            })
        },
    },
    {
        words: ['task', 'follow'],
        summary: 'follow a task to its end',
        description: 'Ctrl-C cancels it where it can be cancelled, and leaves it where it cannot, or the second time.',
        examples: [
            {
                line: 'debvisor task follow mi8xq2k0-4f9a1c',
                note: 'Ends with 0 when the task is done, with 1 when it failed.',
            },
        ],
        arguments: [TASK],
        async run(context) {
            const ended = await context.follow(context.args.task!)
            if (!ended) return { kind: 'nothing' }
            return { kind: 'text', text: 'Done.', json: { task: context.args.task!, state: 'done' } }
        },
    },
    {
        words: ['task', 'cancel'],
        summary: 'stop a task and take back what it had made',
        arguments: [TASK],
        changes: true,
        examples: [{ line: 'debvisor task cancel mi8xq2k0-4f9a1c', note: 'What runs: debvisor task list --running' }],
        async run(context) {
            const id = context.args.task!
            const tasks = context.client(TaskService)
            const task = (await lookedUp(context, () => tasks.get({ id })))?.task
            const runs = !task || task.state === State.RUNNING
            if (task && runs && !task.cancellable) {
                throw new Fault('precondition', {
                    summary: 'That task cannot be cancelled',
                    detail: task.title,
                    fix: `Wait for its end: debvisor task follow ${id}`,
                })
            }
            return carryOutAtOnce(context, {
                sentence: runs ? `Cancel ${task?.title}, and take back what it had made` : undefined,
                async work() {
                    const { task: ending } = await tasks.cancel({ id })
                    return { kind: 'text', text: `${ending?.title} is being cancelled.`, json: { task: id } }
                },
            })
        },
    },
]
