// The verbs of `debvisor task`.
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { Fault } from '../../base/fault.ts'
import {
    GetResponseSchema,
    ListResponseSchema,
    State,
    type Task,
    TaskService,
} from '../../gen/proto/capabilities/task/task_pb.js'
import { carryOutAtOnce } from '../change.ts'
import type { Argument, Verb } from '../verb.ts'

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
const share = (task: Task) =>
    task.state === State.RUNNING && task.progress >= 0 ? ` ${Math.floor(task.progress * 100)}%` : ''

export const taskVerbs: Verb[] = [
    {
        words: ['task', 'list'],
        summary: 'list tasks, newest first',
        options: [
            { name: 'running', summary: 'only those that run' },
            { name: 'limit', value: 'N', summary: 'at most this many', default: '100' },
        ],
        async run(context) {
            const states = context.options.running ? [State.RUNNING] : []
            const answer = await context
                .client(TaskService)
                .list({ states, limit: Number(context.options.limit ?? 100) })
            return {
                kind: 'table',
                columns: [
                    { key: 'id', label: 'TASK' },
                    { key: 'title', label: 'WHAT' },
                    { key: 'state', label: 'STATE' },
                    { key: 'owner', label: 'BY' },
                    { key: 'started', label: 'STARTED' },
                    { key: 'problem', label: 'PROBLEM', wide: true },
                ],
                rows: answer.tasks.map(t => ({
                    id: t.id,
                    title: t.title,
                    state: STATES[t.state] + share(t),
                    owner: t.owner,
                    started: time(t.started),
                    problem: t.problem?.summary ?? '',
                })),
                empty: 'There is no task.',
                json: context.json(ListResponseSchema, answer),
            }
        },
    },
    {
        words: ['task', 'show'],
        summary: 'show a task with its log',
        arguments: [TASK],
        async run(context) {
            const answer = await context.client(TaskService).get({ id: context.args.task })
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
                    value: t.log
                        .map(l => `${l.at ? timestampDate(l.at).toLocaleTimeString() : ''} ${l.text}`)
                        .join('\n'),
                },
            ]
            return {
                kind: 'record',
                fields: fields.filter(f => f.value),
                json: context.json(GetResponseSchema, answer),
            }
        },
    },
    {
        words: ['task', 'follow'],
        summary: 'follow a task to its end',
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
            const { task } = await tasks.get({ id })
            const runs = task?.state === State.RUNNING
            if (runs && !task.cancellable) {
                throw new Fault('precondition', {
                    summary: 'That task cannot be cancelled',
                    detail: task.title,
                    fix: `Wait for its end: debvisor task follow ${id}`,
                })
            }
            return carryOutAtOnce(context, {
                sentence: runs ? `Cancel ${task.title}, and take back what it had made` : undefined,
                async work() {
                    await tasks.cancel({ id })
                    return { kind: 'text', text: `${task?.title} is being cancelled.`, json: { task: id } }
                },
            })
        },
    },
]
