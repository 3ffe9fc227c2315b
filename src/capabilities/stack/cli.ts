// The verbs of `debvisor stack` that look at stacks; those that bring them up and down, and that write files, stand beside.
import { create } from '@bufbuild/protobuf'
import {
    type Detail,
    GetResponseSchema,
    GetVersionResponseSchema,
    ListResponseSchema,
    type Stack,
    StackService,
    type WatchResponse,
    WatchResponseSchema,
} from '../../gen/proto/capabilities/stack/stack_pb.js'
import { whole } from '../value.ts'
import type { Verb, VerbContext, View } from '../verb.ts'
import { watchOne, watchRows } from '../watch.ts'
import { fileVerbs } from './cli-files.ts'
import { powerVerbs } from './cli-power.ts'
import { STACK, stateWord, timeWord, versionWord } from './cli-words.ts'

const table = (context: VerbContext, stacks: Stack[], stale = false): View => ({
    kind: 'table',
    columns: [
        { key: 'name', label: 'NAME' },
        { key: 'state', label: 'STATE' },
        { key: 'version', label: 'VERSION' },
        { key: 'services', label: 'SERVICES' },
        { key: 'tags', label: 'TAGS' },
        { key: 'drift', label: 'DIFFERS' },
        { key: 'marks', label: 'REACHES THE NODE BY' },
        { key: 'owner', label: 'MADE BY', wide: true },
        { key: 'changed', label: 'CHANGED', wide: true },
    ],
    rows: stacks.map(one => ({
        ...{ name: one.name, state: stateWord(one), version: versionWord(one), services: one.services.join(', ') },
        ...{ tags: one.tags.join(', '), drift: one.drift.join('; '), marks: one.marks.join(', ') },
        ...{ owner: one.owner, changed: timeWord(one.changed) },
    })),
    empty: stale
        ? 'Docker does not answer: debvisor container engine says why.'
        : 'There is no stack yet. Make one with: debvisor stack create NAME FILE --up, or see: debvisor stack catalogue',
    json: context.json(ListResponseSchema, create(ListResponseSchema, { stacks, stale })),
})

function details(context: VerbContext, detail: Detail): View {
    const one = detail.stack!
    const fields = [
        { label: 'Name', value: one.name },
        { label: 'State', value: stateWord(one) },
        { label: 'Version', value: versionWord(one) },
        { label: 'Differs', value: one.drift.join('\n') },
        {
            label: 'Services',
            value: detail.services
                .map(({ name, image, wanted, running }) => `${name}  ${image}  ${running} of ${wanted}`)
                .join('\n'),
        },
        {
            label: 'Ports',
            value: detail.ports
                .map(
                    ({ service, host, container, protocol, address, reach }) =>
                        `${address}:${host} → ${service} ${container}/${protocol}: ${reach}`,
                )
                .join('\n'),
        },
        { label: 'Volumes', value: detail.volumes.join('\n') },
        { label: 'Reaches the node by', value: one.marks.join('\n') },
        { label: 'Tags', value: one.tags.join(', ') },
        {
            label: 'Variables',
            value: detail.environment
                .map(({ name, value, secret }) => `${name}=${secret ? '[hidden]' : value}`)
                .join('\n'),
        },
        { label: 'From the catalogue', value: one.catalogue },
        { label: 'Made by', value: one.owner },
        { label: 'Files', value: one.files.join('\n') },
        {
            label: 'Trouble',
            value: detail.findings.map(f => [f.summary, f.detail, f.fix].filter(Boolean).join('. ')).join('\n'),
        },
    ]
    const json = context.json(GetResponseSchema, create(GetResponseSchema, { detail }))
    return { kind: 'record', fields: fields.filter(field => field.value), json }
}

export const stackVerbs: Verb[] = [
    {
        words: ['stack', 'list'],
        summary: 'list the stacks with their state and version',
        description: 'Also those that only Compose knows of; debvisor stack import takes them in.',
        watches: true,
        options: [
            { name: 'search', short: 's', value: 'TEXT', summary: 'part of a name or service' },
            { name: 'tag', value: 'TAG', summary: 'only those with this tag' },
        ],
        examples: [{ line: 'debvisor stack list --watch', note: 'Stays, and shows changes as they come.' }],
        async run(context) {
            const { search = '', tag = '' } = context.options
            const stacks = context.client(StackService)
            if (!context.watch) {
                const answer = await stacks.list({ search, tag })
                return table(context, answer.stacks, answer.stale)
            }
            const text = search.toLowerCase()
            const fits = (one: Stack) =>
                (tag === '' || one.tags.includes(tag)) &&
                (text === '' || `${one.name}\n${one.services.join('\n')}`.toLowerCase().includes(text))
            let synced = false
            return watchRows<WatchResponse, Stack>(context, {
                changes: stacks.watch({}, { signal: context.signal }),
                json: change => context.json(WatchResponseSchema, change),
                apply(change, rows) {
                    for (const name of change.removed) rows.delete(name)
                    for (const one of change.stacks) rows.set(one.name, one)
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
        words: ['stack', 'show'],
        summary: 'show a stack with its services, and who reaches its ports',
        arguments: [STACK],
        watches: true,
        examples: [{ line: 'debvisor stack show shop', note: 'Also what differs from its file.' }],
        async run(context) {
            const stacks = context.client(StackService)
            const { stack } = context.args
            const look = async (): Promise<View> => details(context, (await stacks.get({ stack })).detail!)
            if (!context.watch) return look()
            return watchOne(context, {
                changes: stacks.watch({}, { signal: context.signal }),
                about: change => !change.synced && change.stacks.some(one => one.name === stack),
                look,
            })
        },
    },
    {
        words: ['stack', 'history'],
        summary: 'list the versions of a stack',
        arguments: [STACK],
        examples: [{ line: 'debvisor stack history shop', note: 'Newest first.' }],
        async run(context) {
            const { detail } = await context.client(StackService).get({ stack: context.args.stack })
            const { applied } = detail!.stack!
            return {
                kind: 'table',
                columns: [
                    { key: 'version', label: 'VERSION', align: 'right' },
                    { key: 'runs', label: 'RUNS' },
                    { key: 'at', label: 'WRITTEN' },
                    { key: 'by', label: 'BY' },
                    { key: 'note', label: 'NOTE' },
                ],
                rows: detail!.versions.map(({ number, at, by, note }) => ({
                    ...{ version: number, runs: number === applied ? 'yes' : '', at: timeWord(at), by, note },
                })),
                empty: 'Only Compose knows of this stack: it has no history here.',
                json: context.json(GetResponseSchema, create(GetResponseSchema, { detail })),
            }
        },
    },
    {
        words: ['stack', 'file'],
        summary: 'print the Compose file of a stack',
        arguments: [STACK],
        options: [{ name: 'number', value: 'NUMBER', summary: 'of the version; otherwise the newest' }],
        examples: [{ line: 'debvisor stack file shop --number 2', note: 'As it was written.' }],
        async run(context) {
            const { number = '0' } = context.options
            const answer = await context.client(StackService).getVersion({
                ...{ stack: context.args.stack, version: whole(number, '--number') },
            })
            return {
                kind: 'text',
                text: answer.composeFile.endsWith('\n') ? answer.composeFile : `${answer.composeFile}\n`,
                json: context.json(GetVersionResponseSchema, answer),
            }
        },
    },
    ...fileVerbs,
    ...powerVerbs,
]
