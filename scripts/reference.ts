// Writes docs/reference: the API from the protos and their comments, the command line from its verbs, node.yaml from its schema. `--check` compares.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import {
    createFileRegistry,
    type DescField,
    type DescFile,
    type DescMessage,
    type DescService,
    fromBinary,
} from '@bufbuild/protobuf'
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt'
import { allVerbs } from '../src/apps/cli/main.ts'
import { CHANGE_OPTIONS, EXIT_CODES, GLOBAL_OPTIONS, WATCH_OPTIONS } from '../src/apps/cli/parse.ts'
import { accessOf } from '../src/apps/rpcd/access.ts'
import { services } from '../src/capabilities/table.node.ts'
import { topics } from '../src/capabilities/table.verbs.ts'
import type { Option, Verb } from '../src/capabilities/verb.ts'
import { nodeYamlText } from './reference-node.ts'

/** Comments by the path that protobuf's source info gives them. */
function commentsOf(file: DescFile): Map<string, string> {
    const found = new Map<string, string>()
    for (const { path, leadingComments } of file.proto.sourceCodeInfo?.location ?? []) {
        if (leadingComments) found.set(path.join('.'), leadingComments.trim().replace(/\s*\n\s*/g, ' '))
    }
    return found
}

function typeWords(field: DescField): string {
    const one = field.message?.name ?? field.enum?.name ?? scalarWords(field)
    return field.fieldKind === 'list' ? `${one}[]` : one
}
const SCALARS: Record<number, string> = {
    1: 'double',
    3: 'int64',
    4: 'uint64',
    5: 'int32',
    8: 'bool',
    9: 'string',
    12: 'bytes',
    13: 'uint32',
}
const scalarWords = (field: DescField) => SCALARS[('scalar' in field ? field.scalar : undefined) ?? 0] ?? 'map'

const cell = (text: string) => text.replace(/\|/g, '\\|')

function messageText(message: DescMessage, comments: Map<string, string>): string[] {
    const index = message.file.messages.indexOf(message)
    const rows = message.fields.map(
        (field, i) => `| \`${field.name}\` | ${typeWords(field)} | ${cell(comments.get(`4.${index}.2.${i}`) ?? '')} |`,
    )
    return [
        `#### ${message.name}`,
        '',
        comments.get(`4.${index}`) ?? '',
        '',
        ...(rows.length ? ['| field | type | |', '| --- | --- | --- |', ...rows] : ['No fields.']),
        '',
    ]
}

function serviceText(service: DescService, file: DescFile): string[] {
    const comments = commentsOf(file)
    const methods = service.methods.flatMap((method, i) => {
        const rule = accessOf(services.find(s => s.typeName === service.typeName)!.methods[i]!)!
        const who = rule.open
            ? 'anyone'
            : rule.local
              ? 'root of the node'
              : rule.self
                ? 'anyone who is logged in'
                : `\`${rule.permission}\`${rule.on ? ` (or a grant on the ${rule.on})` : ''}${rule.filtered ? ' (answers what one may see)' : ''}`
        const reads = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS
        const answer = `${method.methodKind === 'server_streaming' ? 'stream of ' : ''}${method.output.name}`
        return [
            `### ${service.name}.${method.name}`,
            '',
            comments.get(`6.0.2.${i}`) ?? '',
            '',
            `\`POST /${service.typeName}/${method.name}\`: ${method.input.name} → ${answer}. ${reads ? 'Reads.' : 'Changes.'} Permission: ${who}.`,
            '',
        ]
    })
    const enums = file.enums.flatMap((e, k) => {
        const rows = e.values.map((value, j) => `| \`${value.name}\` | ${cell(comments.get(`5.${k}.2.${j}`) ?? '')} |`)
        return [`#### ${e.name}`, '', '| value | |', '| --- | --- |', ...rows, '']
    })
    return [
        `## ${service.name}`,
        '',
        [comments.get('6.0') ?? '', `\`${service.typeName}\``].filter(Boolean).join('\n\n'),
        '',
        ...methods,
        '### Messages',
        '',
        ...file.messages.flatMap(message => messageText(message, comments)),
        ...enums,
    ]
}

function apiText(): string {
    const folder = mkdtempSync(join(tmpdir(), 'reference-'))
    try {
        const image = join(folder, 'api.binpb')
        execFileSync('npx', ['--no-install', 'buf', 'build', '-o', image], { stdio: ['ignore', 'inherit', 'inherit'] })
        const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(image)))
        const shared = registry.getFile('capabilities/debvisor.proto')!
        return [
            '<!-- Made from the .proto files by `npm run generate`; do not edit. -->',
            '# API reference',
            '',
            'Every call is a POST with JSON, protobuf, gRPC or gRPC-web to the same address. With `curl`, and a file `auth` that holds the line `Authorization: Bearer <token>`:',
            '',
            '```sh',
            'curl --cacert panel.crt -H @auth -H "Content-Type: application/json" \\',
            "    -d '{}' https://node1:8443/debvisor.vm.v1.VmService/List",
            '```',
            '',
            'Sizes are bytes; 64-bit numbers are strings in JSON; times are RFC 3339. An unknown field is refused. Errors carry a',
            '[Problem](#problem) in their details. Calls that change something answer [Begun](#begun) at once; follow its `task`',
            'with TaskService.Watch. Server reflection is on, so `grpcurl` needs no files.',
            '',
            ...services.flatMap(service => {
                const desc = registry.getService(service.typeName)!
                return serviceText(desc, desc.file)
            }),
            '## Shared messages',
            '',
            ...shared.messages
                .filter(m => m.name !== 'Access')
                .flatMap(message => messageText(message, commentsOf(shared))),
        ].join('\n')
    } finally {
        rmSync(folder, { recursive: true })
    }
}

const optionRow = (o: Option): string => {
    const flag = cell(`${o.short ? `-${o.short}, ` : ''}--${o.name}${o.value ? ` ${o.value}` : ''}`)
    return `| \`${flag}\` | ${cell(o.summary)}${o.choices ? `: ${o.choices.join(', ')}` : ''}${o.default ? ` (default: ${o.default})` : ''} |`
}

function verbText(verb: Verb): string[] {
    const [noun, ...rest] = verb.words
    const args = (verb.arguments ?? []).map(a => {
        const name = a.repeats ? `${a.name}...` : a.name
        return a.optional ? `[${name}]` : `<${name}>`
    })
    const given = (verb.arguments ?? []).map(
        a => `| \`${cell(a.name)}\` | ${cell(a.summary)}${a.choices ? `: ${a.choices.join(', ')}` : ''} |`,
    )
    const common = [
        verb.changes ? ['--dry-run', '--check', '--yes', '--no-wait'] : [],
        verb.watches ? ['--watch'] : [],
    ].flat()
    return [
        `### debvisor ${[noun, rest.join('-')].filter(Boolean).join(' ')} ${args.join(' ')}`.trimEnd(),
        '',
        `${verb.summary[0]!.toUpperCase()}${verb.summary.slice(1)}.${verb.description ? ` ${verb.description.replace(/([^.])$/, '$1.')}` : ''}`,
        '',
        ...(given.length ? ['| argument | |', '| --- | --- |', ...given, ''] : []),
        ...(verb.options?.length ? ['| option | |', '| --- | --- |', ...verb.options.map(optionRow), ''] : []),
        ...(common.length ? [`Also ${common.map(name => `\`${name}\``).join(', ')}.`, ''] : []),
        ...(verb.examples ?? []).flatMap(e => ['```sh', e.line, '```', '', e.note, '']),
    ]
}

/** Reads nothing and writes nothing: the verbs are only looked at. */
const nowhere = () => ({ stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough(), env: {} })

function cliText(): string {
    const verbs = allVerbs(nowhere()).filter(verb => !verb.hidden)
    const nouns = new Set(topics.map(topic => topic.name))
    return [
        '<!-- Made from the verbs by `npm run generate`; do not edit. -->',
        '# Command line reference',
        '',
        'The exit code says how it ended:',
        '',
        '| code | |',
        '| --- | --- |',
        ...EXIT_CODES.map(([code, text]) => `| ${code} | ${cell(text)} |`),
        '',
        'A value that can be read and is refused (a size, a number, a name) ends with 1, as what the node refuses does.',
        '',
        '## Common options',
        '',
        '| option | |',
        '| --- | --- |',
        ...[...WATCH_OPTIONS, ...CHANGE_OPTIONS, ...GLOBAL_OPTIONS].map(optionRow),
        '',
        '`--dry-run`, `--check`, `--yes` and `--no-wait` belong to commands that change something, `--watch` to those that can watch; each says so below. The others are understood by every command.',
        '',
        ...topics.flatMap(topic => [
            `## ${topic.name}: ${topic.summary}`,
            '',
            ...verbs.filter(v => v.words[0] === topic.name).flatMap(verbText),
        ]),
        '## This machine and you',
        '',
        ...verbs.filter(v => !nouns.has(v.words[0])).flatMap(verbText),
    ].join('\n')
}

const pages = {
    'docs/reference/api.md': apiText(),
    'docs/reference/cli.md': cliText(),
    'docs/reference/node-yaml.md': nodeYamlText(),
}
let stale = 0
for (const [path, made] of Object.entries(pages)) {
    const text = `${made.replace(/\n{3,}/g, '\n\n').trimEnd()}\n`
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
    if (process.argv.includes('--check')) {
        process.stderr.write(`${path} is not what the sources say: run npm run generate\n`)
        stale++
        continue
    }
    mkdirSync('docs/reference', { recursive: true })
    writeFileSync(path, text)
    process.stdout.write(`${path} is written\n`)
}
process.exitCode = stale ? 1 : 0
