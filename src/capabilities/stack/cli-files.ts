// The verbs of `debvisor stack` that write files: made, taken in, changed, checked, and begun with from the catalogue.
import {
    CheckResponseSchema,
    ListCatalogueResponseSchema,
    StackService,
} from '../../gen/proto/capabilities/stack/stack_pb.js'
import { carryOut } from '../change.ts'
import type { Argument, Verb } from '../verb.ts'
import { type Given, STACK, VARIABLES, variablesOf } from './cli-words.ts'

const FILE: Argument = { name: 'file', summary: 'Compose file on this machine; - for standard input', complete: 'file' }

export const fileVerbs: Verb[] = [
    {
        words: ['stack', 'create'],
        summary: 'make a stack of a Compose file, or of an entry of the catalogue',
        description:
            'Published ports are reached from this node only, unless the file says x-debvisor: { expose: lan }. ' +
            'What reaches past the containers into the node needs the permission container.host.',
        arguments: [
            { name: 'name', summary: 'name of the new stack' },
            { ...FILE, optional: true },
        ],
        options: [
            { name: 'from', value: 'ENTRY', summary: 'entry of the catalogue to begin with' },
            ...VARIABLES,
            { name: 'up', summary: 'make and start its containers' },
        ],
        changes: true,
        examples: [
            { line: 'debvisor stack create shop compose.yaml --up', note: 'Of a file.' },
            { line: 'debvisor stack create site --from static-site --up', note: 'Of the catalogue.' },
        ],
        async run(context) {
            const { args, options } = context
            const composeFile = args.file ? await context.file(args.file) : ''
            const environment = await variablesOf(context)
            return carryOut(context, {
                call: dryRun =>
                    context.client(StackService).create({
                        ...{ name: args.name, composeFile, environment, dryRun },
                        ...{ catalogue: options.from ?? '', up: options.up !== undefined },
                    }),
            })
        },
    },
    {
        words: ['stack', 'update'],
        summary: 'write a new version of the file of a stack, or of its variables',
        description: 'Variables that are not named stay as they are; so does the file where none is given.',
        arguments: [STACK, { ...FILE, optional: true }],
        options: [
            ...VARIABLES,
            { name: 'unset', value: 'NAME', summary: 'variable to take away', repeats: true },
            { name: 'note', value: 'TEXT', summary: 'what the history says of it' },
            { name: 'up', summary: 'bring it up' },
        ],
        changes: true,
        examples: [
            { line: 'debvisor stack update shop compose.yaml --up --dry-run', note: 'What it would change.' },
            { line: 'debvisor stack update shop --set TAG=1.28 --up', note: 'The file stays.' },
        ],
        async run(context) {
            const { args, options, lists } = context
            const stacks = context.client(StackService)
            const { stack } = args
            const composeFile = args.file ? await context.file(args.file) : ''
            const given = await variablesOf(context)
            const before = await stacks.getVersion({ stack })
            const gone = new Set([...(lists.unset ?? []), ...given.map(({ name }) => name)])
            const kept = before.environment
                .filter(({ name }) => !gone.has(name))
                .map(({ name, secret }): Given => ({ name, secret, kept: true }))
            return carryOut(context, {
                call: dryRun =>
                    stacks.update({
                        ...{ stack, composeFile, environment: [...kept, ...given], dryRun },
                        ...{
                            base: before.version?.number ?? 0,
                            note: options.note ?? '',
                            up: options.up !== undefined,
                        },
                    }),
            })
        },
    },
    {
        words: ['stack', 'import'],
        summary: 'take in a stack that Compose runs already; nothing of it is touched',
        arguments: [STACK, FILE],
        options: VARIABLES,
        changes: true,
        examples: [
            { line: 'debvisor stack import blog /srv/blog/compose.yaml', note: 'debvisor stack list names them.' },
        ],
        async run(context) {
            const { stack, file = '' } = context.args
            const composeFile = await context.file(file)
            const environment = await variablesOf(context)
            return carryOut(context, {
                call: dryRun => context.client(StackService).import({ name: stack, composeFile, environment, dryRun }),
            })
        },
    },
    {
        words: ['stack', 'check'],
        summary: 'say what is wrong with a Compose file, line by line',
        arguments: [FILE],
        options: [{ name: 'stack', value: 'NAME', summary: 'with the variables of this stack', complete: 'stack' }],
        examples: [{ line: 'debvisor stack check compose.yaml', note: 'Ends with 2 when something is wrong.' }],
        verifies: true,
        async run(context) {
            const composeFile = await context.file(context.args.file ?? '')
            const answer = await context.client(StackService).check({ stack: context.options.stack ?? '', composeFile })
            const lines = answer.findings.map(({ line, finding }) => {
                const words = [finding?.at, finding?.summary, finding?.detail].filter(Boolean).join(': ')
                return `${line ? `line ${line}: ` : ''}${words}. ${finding?.fix ?? ''}`.trim()
            })
            return {
                kind: 'text',
                text: lines.length > 0 ? `${lines.join('\n')}\n` : 'Nothing is wrong with it.\n',
                pending: answer.findings.some(({ finding }) => finding?.severity === 'error'),
                json: context.json(CheckResponseSchema, answer),
            }
        },
    },
    {
        words: ['stack', 'catalogue'],
        summary: 'list the stacks to begin with, with their variables',
        examples: [{ line: 'debvisor stack catalogue', note: 'Then: debvisor stack create NAME --from ENTRY --up' }],
        async run(context) {
            const answer = await context.client(StackService).listCatalogue({})
            return {
                kind: 'table',
                columns: [
                    { key: 'name', label: 'ENTRY' },
                    { key: 'title', label: 'TITLE' },
                    { key: 'summary', label: 'WHAT IT IS' },
                    { key: 'variables', label: 'VARIABLES' },
                    { key: 'tested', label: 'TESTED' },
                ],
                rows: answer.entries.map(({ name, title, summary, variables, tested }) => ({
                    ...{ name, title, summary, tested },
                    variables: variables.map(one => `${one.name}${one.required ? ' (needed)' : ''}`).join(', '),
                })),
                json: context.json(ListCatalogueResponseSchema, answer),
            }
        },
    },
]
