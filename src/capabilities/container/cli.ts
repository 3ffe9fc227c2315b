// The verbs of `debvisor container` that look at containers and switch them; those that make and store stand beside.
import { create } from '@bufbuild/protobuf'
import { formatBytes } from '../../base/units.ts'
import {
    type Container,
    ContainerService,
    type Detail,
    GetEngineResponseSchema,
    GetResponseSchema,
    ListProcessesResponseSchema,
    ListResponseSchema,
    type Port,
    State,
    type WatchResponse,
    WatchResponseSchema,
} from '../../gen/proto/capabilities/container/container_pb.js'
import { carryOut } from '../change.ts'
import { whole } from '../value.ts'
import type { Option, Verb, VerbContext, View } from '../verb.ts'
import { watchOne, watchRows } from '../watch.ts'
import { makeVerbs } from './cli-make.ts'
import { storeVerbs } from './cli-stores.ts'
import { CONTAINER, portsWord, portWord, STATES, stateWord, timeWord } from './cli-words.ts'

const usage = (container: Container): string => {
    if (container.state !== State.RUNNING) return ''
    const limit = container.memoryLimitBytes > 0n ? ` of ${formatBytes(Number(container.memoryLimitBytes))}` : ''
    return `${formatBytes(Number(container.memoryBytes))}${limit}`
}

const table = (context: VerbContext, containers: Container[], stale = false): View => ({
    kind: 'table',
    columns: [
        { key: 'name', label: 'NAME' },
        { key: 'state', label: 'STATE' },
        { key: 'image', label: 'IMAGE' },
        { key: 'cpu', label: 'CPU', align: 'right' },
        { key: 'memory', label: 'MEMORY', align: 'right' },
        { key: 'ports', label: 'PORTS' },
        { key: 'tags', label: 'TAGS' },
        { key: 'marks', label: 'REACHES THE NODE BY' },
        { key: 'id', label: 'ID', wide: true },
        { key: 'networks', label: 'NETWORKS', wide: true },
        { key: 'created', label: 'CREATED', wide: true },
        { key: 'command', label: 'COMMAND', wide: true },
    ],
    rows: containers.map(container => ({
        ...{ name: container.name, state: stateWord(container), image: container.image },
        cpu: container.state === State.RUNNING ? `${Math.round(container.cpu * 100)}%` : '',
        memory: usage(container),
        ports: portsWord(container.ports),
        ...{ tags: container.tags.join(', '), marks: container.marks.join(', ') },
        ...{ id: container.id.slice(0, 12), networks: container.networks.join(', ') },
        ...{ created: timeWord(container.created), command: container.command },
    })),
    empty: stale
        ? 'Docker does not answer: debvisor container engine says why.'
        : 'There is no container yet. Make one with: debvisor container create NAME IMAGE --start',
    json: context.json(ListResponseSchema, create(ListResponseSchema, { containers, stale })),
})

const reachLine = (port: Port): string => (port.reach ? `${portWord(port)}  ${port.reach}` : portWord(port))

function details(context: VerbContext, detail: Detail): View {
    const one = detail.container!
    const variables = detail.environment.map(({ name, value, hidden }) => `${name}=${hidden ? '[hidden]' : value}`)
    const mounts = detail.mounts.map(
        ({ source, target, readOnly, type }) => `${source || type} at ${target}${readOnly ? ', read only' : ''}`,
    )
    const limits = [
        one.cpuLimit > 0 && `${one.cpuLimit} cores`,
        one.memoryLimitBytes > 0n && formatBytes(Number(one.memoryLimitBytes)),
        one.processLimit > 0 && `${one.processLimit} processes`,
    ]
    const fields = [
        { label: 'Name', value: one.name },
        { label: 'State', value: stateWord(one) },
        { label: 'Problem', value: one.problem },
        { label: 'Image', value: one.image },
        { label: 'Command', value: one.command },
        { label: 'Started', value: timeWord(one.started) },
        { label: 'Ended', value: timeWord(one.finished) },
        {
            label: 'Restarts',
            value: one.restarts > 0 ? `${one.restarts} (policy ${one.restart})` : `policy ${one.restart}`,
        },
        { label: 'Limits', value: limits.filter(Boolean).join(', ') || 'none' },
        { label: 'Ports', value: one.ports.map(reachLine).join('\n') },
        {
            label: 'Addresses',
            value: detail.addresses.map(a => `${a.network}  ${a.ipv4}  ${a.ipv6}`.trim()).join('\n'),
        },
        { label: 'Mounts', value: mounts.join('\n') },
        { label: 'Reaches the node by', value: one.marks.join('\n') },
        { label: 'Stack', value: one.stack && `${one.stack}, service ${one.service}` },
        { label: 'Tags', value: one.tags.join(', ') },
        { label: 'Made by', value: one.owner },
        { label: 'Environment', value: variables.join('\n') },
        { label: 'Id', value: one.id },
    ]
    const json = context.json(GetResponseSchema, create(GetResponseSchema, { detail }))
    return { kind: 'record', fields: fields.filter(field => field.value), json }
}

const DEADLINE: Option = { name: 'deadline', value: 'SECONDS', summary: 'kill it when it has not ended by then' }

interface Power {
    method: 'start' | 'stop' | 'restart' | 'pause' | 'unpause'
    summary: string
    note: string
    question?: (name: string) => string
}

const power = ({ method, summary, note }: Power): Verb => ({
    words: ['container', method],
    summary,
    arguments: [CONTAINER],
    options: method === 'stop' || method === 'restart' ? [DEADLINE] : [],
    changes: true,
    examples: [{ line: `debvisor container ${method} web`, note }],
    run: context =>
        carryOut(context, {
            call: dryRun =>
                context.client(ContainerService)[method]({
                    container: context.args.container,
                    deadlineSeconds: whole(context.options.deadline ?? '0', '--deadline', { most: 86_400 }),
                    dryRun,
                } as { container: string; dryRun: boolean }),
        }),
})

export const containerVerbs: Verb[] = [
    {
        words: ['container', 'list'],
        summary: 'list the containers with their state and load',
        watches: true,
        options: [
            { name: 'search', short: 's', value: 'TEXT', summary: 'part of a name, image or stack' },
            {
                name: 'state',
                value: 'STATE',
                summary: 'only those in this state',
                choices: Object.values(STATES).filter(word => word !== 'unknown'),
            },
            { name: 'tag', value: 'TAG', summary: 'only those with this tag' },
            { name: 'stack', value: 'NAME', summary: 'only those of this stack' },
        ],
        examples: [
            { line: 'debvisor container list --watch', note: 'Stays, and shows changes as they come.' },
            { line: 'debvisor container list --tag shop', note: 'Those with a tag.' },
        ],
        async run(context) {
            const { search = '', state, tag = '', stack = '' } = context.options
            const states = Object.entries(STATES).flatMap(([value, word]) => (word === state ? [Number(value)] : []))
            const asked = { search, tag, stack, states }
            const containers = context.client(ContainerService)
            if (!context.watch) {
                const answer = await containers.list(asked)
                return table(context, answer.containers, answer.stale)
            }
            const text = search.toLowerCase()
            const fits = (one: Container) =>
                (states.length === 0 || states.includes(one.state)) &&
                (tag === '' || one.tags.includes(tag)) &&
                (stack === '' || one.stack === stack) &&
                (text === '' || `${one.name}\n${one.image}\n${one.stack}`.toLowerCase().includes(text))
            let synced = false
            return watchRows<WatchResponse, Container>(context, {
                changes: containers.watch({}, { signal: context.signal }),
                json: change => context.json(WatchResponseSchema, change),
                apply(change, rows) {
                    for (const id of change.removed) rows.delete(id)
                    for (const one of change.containers) rows.set(one.id, one)
                    synced ||= change.synced
                    return synced
                },
                view: all =>
                    table(
                        context,
                        all.filter(fits).sort((a, b) => (a.name < b.name ? -1 : 1)),
                    ),
            })
        },
    },
    {
        words: ['container', 'show'],
        summary: 'show a container with its settings',
        arguments: [CONTAINER],
        options: [{ name: 'inspect', summary: "print Docker's own description of it" }],
        watches: true,
        examples: [{ line: 'debvisor container show web', note: 'Ports, mounts, limits, environment.' }],
        async run(context) {
            const containers = context.client(ContainerService)
            let id = ''
            const look = async (): Promise<View> => {
                const { detail } = await containers.get({ container: id || context.args.container })
                id = detail!.container!.id
                if (context.options.inspect === undefined) return details(context, detail!)
                return { kind: 'text', text: detail!.inspect, json: JSON.parse(detail!.inspect) }
            }
            if (!context.watch) return look()
            return watchOne(context, {
                changes: containers.watch({}, { signal: context.signal }),
                about: change => !change.synced && change.containers.some(one => one.id === id),
                look,
            })
        },
    },
    {
        words: ['container', 'processes'],
        summary: 'list the processes in a container',
        arguments: [CONTAINER],
        examples: [{ line: 'debvisor container processes web', note: 'Numbered as the node sees them.' }],
        async run(context) {
            const answer = await context.client(ContainerService).listProcesses({ container: context.args.container })
            return {
                kind: 'table',
                columns: answer.titles.map(title => ({ key: title, label: title })),
                rows: answer.processes.map(({ values }) =>
                    Object.fromEntries(answer.titles.map((title, i) => [title, values[i]])),
                ),
                json: context.json(ListProcessesResponseSchema, answer),
            }
        },
    },
    power({ method: 'start', summary: 'start a container', note: 'Of one that is paused: debvisor container unpause' }),
    power({
        method: 'stop',
        summary: 'ask a container to end, and kill it at the deadline',
        note: 'After 10 s, if it says nothing else.',
    }),
    power({
        method: 'restart',
        summary: 'stop a container and start it again',
        note: 'One that does not run is started.',
    }),
    power({
        method: 'pause',
        summary: 'halt a container; its memory stays taken',
        note: 'Nothing in it hears of this.',
    }),
    power({ method: 'unpause', summary: 'let a paused container go on', note: 'From where it was.' }),
    {
        words: ['container', 'kill'],
        summary: 'end a container at once, or send it a signal',
        arguments: [CONTAINER],
        options: [{ name: 'signal', value: 'SIGNAL', summary: 'such as HUP', default: 'KILL' }],
        changes: true,
        examples: [
            { line: 'debvisor container kill web --signal HUP', note: 'Many servers read their settings anew.' },
        ],
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context
                        .client(ContainerService)
                        .kill({ container: context.args.container, signal: context.options.signal, dryRun }),
                question: context.options.signal
                    ? undefined
                    : `What ${context.args.container} has not written is lost.`,
            }),
    },
    ...makeVerbs,
    ...storeVerbs,
    {
        words: ['container', 'engine'],
        summary: 'say whether Docker answers, and which one it is',
        examples: [{ line: 'debvisor container engine', note: 'What is wrong with it, and what to do.' }],
        async run(context) {
            const answer = await context.client(ContainerService).getEngine({})
            const trouble = answer.findings.map(({ summary, detail, fix }) =>
                [summary, detail, fix].filter(Boolean).join('\n'),
            )
            const fields = [
                {
                    label: 'Docker',
                    value: answer.up ? `${answer.version}, API ${answer.apiVersion}` : 'does not answer',
                },
                { label: 'Trouble', value: trouble.join('\n') },
            ]
            return {
                kind: 'record',
                fields: fields.filter(field => field.value),
                json: context.json(GetEngineResponseSchema, answer),
            }
        },
    },
]
