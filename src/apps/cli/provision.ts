// The verbs that make a node by its document: they work as root on the node itself, also where no daemon runs yet.
import { writeFileSync } from 'node:fs'
import { Fault } from '../../base/fault.ts'
import { diskWords } from '../../capabilities/disks/disk.ts'
import { seeDisks } from '../../capabilities/disks/observe.ts'
import { documentSchema, sample, titles } from '../../capabilities/table.provision.ts'
import type { Option, Verb, VerbContext, View } from '../../capabilities/verb.ts'
import { entriesOf } from '../../engine/history.ts'
import { isEmpty, type Plan } from '../../engine/plan.ts'
import { DOCUMENT, type Provision } from '../../engine/provision.ts'
import { findingLines, renderPlan } from '../../engine/render.ts'
import { jsonSchemaOf } from '../../engine/sample.ts'
import { realSystem, rootedSystem } from '../../ports/real.ts'
import {
    appliedView,
    asJson,
    cancellable,
    DESTROY,
    planAskApply,
    planView,
    provisionAt,
    teller,
    whoami,
} from './applying.ts'
import type { Io } from './io.ts'
import { needRoot } from './root.ts'

const FILE: Option = {
    name: 'file',
    short: 'f',
    value: 'FILE',
    summary: `another document than ${DOCUMENT}`,
    complete: 'file',
}
const ROOT: Option = {
    name: 'root',
    value: 'FOLDER',
    summary: 'a system below a folder instead of the running one (installer)',
}

export const provisionVerbs = (io: Io): Verb[] => [
    {
        words: ['node', 'init'],
        summary: 'write a document for this machine from what it is',
        description:
            'Prints it; --write puts it to its place, when there is none yet. Every key stands in it with its words.',
        options: [
            {
                name: 'profile',
                value: 'NAME',
                summary: 'what things are stored on',
                choices: ['ceph', 'zfs', 'mixed'],
                default: 'zfs',
            },
            { name: 'write', summary: `write it to ${DOCUMENT}` },
        ],
        examples: [
            { line: 'debvisor node init --profile zfs --write', note: 'Then read it: editor /etc/debvisor/node.yaml' },
        ],
        async run({ options }) {
            const text = await sample(realSystem(), options.profile ?? 'zfs')
            if (!options.write) return { kind: 'text', text, json: text }
            needRoot()
            const system = realSystem()
            await system.makeDirectory('/etc/debvisor', 0o755)
            if (!(await system.claim(DOCUMENT, text, 0o644))) {
                throw new Fault('exists', {
                    summary: 'There is a document already',
                    detail: DOCUMENT,
                    fix: 'Edit it, or move it away.',
                })
            }
            return {
                kind: 'text',
                text: `${DOCUMENT} is written. Read it, then: debvisor node plan\n`,
                json: { path: DOCUMENT },
            }
        },
    },
    {
        words: ['node', 'schema'],
        summary: 'the JSON Schema of node.yaml, for editors',
        examples: [
            { line: 'debvisor node schema', note: 'Keep it in a file: editors complete and check node.yaml by it.' },
        ],
        async run() {
            const schema = jsonSchemaOf(documentSchema)
            return { kind: 'text', text: `${JSON.stringify(schema, null, 2)}\n`, json: asJson(schema) }
        },
    },
    {
        words: ['node', 'disks'],
        summary: 'list the disks of this machine by the names that a document uses',
        examples: [{ line: 'debvisor node disks', note: 'What is blank may be taken; for the rest a plan asks.' }],
        async run() {
            needRoot()
            const disks = await seeDisks(realSystem())
            const rows = disks.map(disk => ({
                id: disk.id,
                path: disk.path,
                use: disk.system ? 'system' : '',
                what: diskWords(disk),
            }))
            const columns = [
                { key: 'id', label: 'DISK' },
                { key: 'path', label: 'NOW' },
                { key: 'use', label: 'USE' },
                { key: 'what', label: 'WHAT' },
            ]
            return { kind: 'table', columns, rows, empty: 'There is no disk.', json: asJson(disks) }
        },
    },
    {
        words: ['node', 'plan'],
        summary: 'show what would make this machine what its document says',
        options: [
            FILE,
            ROOT,
            { name: 'out', value: 'FILE', summary: 'save the plan, for apply --plan', complete: 'file' },
        ],
        examples: [
            { line: 'debvisor node plan', note: 'What dies and what is interrupted stands first.' },
            {
                line: 'debvisor node plan --file new.yaml --out plan.json',
                note: 'Apply just this: debvisor node apply new.yaml --plan plan.json',
            },
        ],
        verifies: false,
        async run({ options, file }) {
            needRoot()
            const provision = provisionAt(options.root)
            const text = options.file ? await file(options.file) : await provision.load()
            const plan = await provision.plan(text)
            if (options.out) writeFileSync(options.out, `${JSON.stringify({ text, plan }, null, 2)}\n`, { mode: 0o600 })
            return planView(plan, warningsOf(provision, text), options.verbose !== undefined)
        },
    },
    {
        words: ['node', 'apply'],
        summary: 'make this machine what its document says',
        description:
            'Shows the plan, asks, and does it step by step. What would destroy data is done only where you name it with ' +
            '--destroy; without that nothing at all is done, unless --leave-withheld asks for the rest. Ctrl-C stops ' +
            'between two steps; apply again to go on.',
        arguments: [{ name: 'file', summary: `the document; ${DOCUMENT} otherwise`, optional: true, complete: 'file' }],
        options: [
            DESTROY,
            { name: 'leave-withheld', summary: 'do the rest where nobody agreed to a destruction' },
            { name: 'plan', value: 'FILE', summary: 'only if it is still this plan', complete: 'file' },
            { name: 'retry', summary: 'try again what came back by itself before' },
            ROOT,
        ],
        examples: [
            { line: 'debvisor node apply', note: 'Shows the plan and asks.' },
            { line: 'debvisor node apply --check', note: 'Does nothing; ends with 2 when there is something to do.' },
        ],
        changes: true,
        run: context => applyVerb(context, io),
    },
    {
        words: ['node', 'verify'],
        summary: 'say whether this machine is what its document says; ends with 2 when it is not',
        options: [FILE, ROOT],
        examples: [{ line: 'debvisor node verify', note: 'Touches nothing.' }],
        verifies: true,
        async run({ options, file }) {
            needRoot()
            const provision = provisionAt(options.root)
            const text = options.file ? await file(options.file) : await provision.load()
            const plan = await provision.plan(text)
            const pending = !isEmpty(plan)
            const drift = plan.groups.flatMap(group => group.steps.map(step => `  ${group.resource}: ${step.say}`))
            const head = pending
                ? 'The machine is not what its document says. To mend it, apply would:'
                : 'The machine is what its document says.'
            const said = [head, ...drift, ...plan.findings.flatMap(findingLines)]
            return { kind: 'text', text: `${said.join('\n')}\n`, json: asJson({ converged: !pending, plan }), pending }
        },
    },
    {
        words: ['node', 'status'],
        summary: 'what is going on with the document of this machine',
        options: [ROOT],
        examples: [{ line: 'debvisor node status', note: 'Who applies now, and how the last apply ended.' }],
        async run({ options }) {
            needRoot()
            const { holder, last, document } = await provisionAt(options.root).status()
            const fields = [
                {
                    label: 'Document',
                    value: document ? `${DOCUMENT} (${document})` : 'there is none: debvisor node init',
                },
                {
                    label: 'Now',
                    value: holder
                        ? `${holder.what}, process ${holder.pid}, since ${new Date(holder.sinceMs).toLocaleString()}`
                        : 'nothing is being changed',
                },
                {
                    label: 'Last apply',
                    value: last ? `${last.id}: ${last.state}, ${last.steps} done, ${last.failed} failed` : 'none yet',
                },
            ]
            return { kind: 'record', fields, json: asJson({ holder, last, document }) }
        },
    },
    {
        words: ['node', 'history'],
        summary: 'list what was applied; with an id, what it did',
        arguments: [{ name: 'apply', summary: 'id of one apply', optional: true }],
        options: [ROOT],
        examples: [{ line: 'debvisor node history', note: 'Newest first.' }],
        async run({ args, options }) {
            needRoot()
            const provision = provisionAt(options.root)
            const applies = await provision.history()
            if (args.apply) return oneApply(args.apply, options)
            const rows = applies.map(({ id, startedMs, by, state, steps, failed }) => ({
                id,
                at: new Date(startedMs).toLocaleString(),
                by,
                state,
                steps,
                failed,
            }))
            const columns = [
                { key: 'id', label: 'APPLY' },
                { key: 'at', label: 'STARTED' },
                { key: 'by', label: 'BY' },
                { key: 'state', label: 'STATE' },
                { key: 'steps', label: 'STEPS', align: 'right' as const },
                { key: 'failed', label: 'FAILED', align: 'right' as const },
            ]
            return { kind: 'table', columns, rows, empty: 'Nothing was applied here yet.', json: asJson(applies) }
        },
    },
    {
        words: ['node', 'rollback'],
        summary: 'bring back the files and the document of before an apply',
        description: 'Files come back as they were before it; packages that it installed and pools that it made stay.',
        arguments: [{ name: 'apply', summary: 'id of the apply to take back; the last one otherwise', optional: true }],
        options: [ROOT],
        examples: [{ line: 'debvisor node rollback --dry-run', note: 'Shows what would come back.' }],
        changes: true,
        async run(context) {
            needRoot()
            const provision = provisionAt(context.options.root)
            const { id, plan } = await provision.planRollback(context.args.apply)
            if (context.dryRun || isEmpty(plan)) return planView(plan, [], context.options.verbose !== undefined)
            io.stderr.write(renderPlan(plan, { titles }))
            await context.confirm(`Take the apply ${id} back?`)
            return appliedView(
                await cancellable(signal => provision.rollback(id, { by: whoami(io), signal, onEvent: teller(io) })),
            )
        },
    },
]

async function applyVerb(context: VerbContext, io: Io): Promise<View> {
    needRoot()
    const { options, args } = context
    const provision = provisionAt(options.root)
    const text = args.file ? await context.file(args.file) : await provision.load()
    const leaveWithheld = options['leave-withheld'] !== undefined
    const applied = await planAskApply(context, io, {
        plan: consents => provision.plan(text, consents),
        apply: wish => provision.apply(text, wish),
        warnings: warningsOf(provision, text),
        basis: options.plan ? savedBasis(await context.file(options.plan)) : undefined,
        ...{ leaveWithheld, retry: options.retry !== undefined },
    })
    return 'kind' in applied ? applied : appliedView(applied)
}

function savedBasis(text: string): string {
    try {
        const { plan } = JSON.parse(text) as { plan: Plan }
        if (typeof plan.basis === 'string') return plan.basis
    } catch {
        // Said below.
    }
    throw new Fault('invalid', {
        summary: 'That is no saved plan',
        fix: 'Make one: debvisor node plan --out FILE',
        at: 'plan',
    })
}

const warningsOf = (provision: Provision<unknown>, text: string) =>
    provision.read(text).findings.map(finding => `line ${finding.line}: ${findingLines(finding).join('\n')}\n`)

async function oneApply(id: string, options: VerbContext['options']): Promise<View> {
    const root = options.root ? rootedSystem(options.root) : realSystem()
    const entries = await entriesOf(root, id)
    if (entries.length === 0)
        throw new Fault('not-found', {
            summary: 'There is no such apply',
            detail: id,
            fix: 'See: debvisor node history',
        })
    const verbose = options.verbose !== undefined
    const lines = entries.flatMap(entry => {
        const at = new Date(entry.atMs).toLocaleTimeString()
        if (entry.op === 'done')
            return [
                `${at}  done    ${entry.say}${Number(entry.tookMs) > 1000 ? ` (${Math.round(Number(entry.tookMs) / 1000)} s)` : ''}`,
            ]
        if (entry.op === 'failed') {
            const { summary, detail } = entry.problem as { summary: string; detail: string }
            return [`${at}  FAILED  ${entry.say}: ${summary}${detail ? ` (${detail})` : ''}`]
        }
        if (entry.op === 'end') return [`${at}  ended: ${entry.state}`]
        if (entry.op === 'said' && verbose) {
            const words = `${entry.stdout}${entry.stderr}`.trimEnd()
            return [
                `          ${entry.tool} ended with ${entry.exitCode}`,
                ...words.split('\n').map(line => `          | ${line}`),
            ]
        }
        return []
    })
    return { kind: 'text', text: `${lines.join('\n')}\n`, json: asJson(entries) }
}
