// The verbs that make a node by its document: as root on the node itself by its own engine, else over the API.
import { Fault } from '../../base/fault.ts'
import { diskWords } from '../../capabilities/disks/disk.ts'
import { seeDisks } from '../../capabilities/disks/observe.ts'
import { documentSchema, facts, sample } from '../../capabilities/table.provision.ts'
import type { Option, Verb, VerbContext, View } from '../../capabilities/verb.ts'
import { DOCUMENT } from '../../engine/provision.ts'
import { jsonSchemaOf } from '../../engine/sample.ts'
import { realSystem } from '../../ports/real.ts'
import { DESTROY, needRoot } from './applying.ts'
import { readLogin } from './connect.ts'
import { factsView } from './facts.ts'
import { firstBootHere } from './firstboot.ts'
import type { Io } from './io.ts'
import { applyHere, historyHere, planHere, rollbackHere, statusHere, verifyHere } from './provision-here.ts'
import {
    applyThere,
    draftThere,
    historyThere,
    planThere,
    rollbackThere,
    statusThere,
    verifyThere,
} from './provision-there.ts'
import { asJson } from './provision-views.ts'

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
const ONLY: Option = {
    name: 'only',
    value: 'PART',
    summary: 'this part of the document alone, such as kubernetes; what it needs of others is taken as it is',
}

/** True where it is asked of the node's API: an address is given, or somebody who is not root is logged in. */
function isThere({ options }: VerbContext, io: Io): boolean {
    // The API knows the whole document of its own node.
    if (options.root !== undefined || options.only !== undefined) return false
    if (options.server !== undefined || options.socket !== undefined || options['token-file'] !== undefined) return true
    return process.getuid?.() !== 0 && readLogin(io.env) !== undefined
}

type Run = (context: VerbContext, io: Io) => Promise<View>

const byWay =
    (io: Io, here: Run, there: Run): Verb['run'] =>
    async context => {
        if (isThere(context, io)) return there(context, io)
        needRoot()
        return here(context, io)
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
        async run(context) {
            const { options } = context
            if (isThere(context, io) && !options.write) return draftThere(context)
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
        words: ['node', 'facts'],
        summary: 'what this machine is made of, by the names that a document uses',
        description:
            'Looks at the machine itself: no service of DebVisor has to run. To see how a node does: node show.',
        examples: [
            { line: 'debvisor node facts', note: 'Before a document is written.' },
            { line: "debvisor node facts --json | jq -r '.cards[].mac'", note: 'For scripts that write documents.' },
        ],
        async run() {
            needRoot()
            return factsView(await facts(realSystem()))
        },
    },
    {
        words: ['node', 'plan'],
        summary: 'show what would make this machine what its document says',
        options: [
            FILE,
            ROOT,
            ONLY,
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
        run: byWay(io, planHere, planThere),
    },
    {
        words: ['node', 'apply'],
        summary: 'make this machine what its document says',
        description:
            'Shows the plan, asks, and does it step by step. What would destroy data is done only where you name it with ' +
            '--destroy; without that nothing at all is done, unless --leave-withheld asks for the rest. Ctrl-C stops ' +
            'between two steps; apply again to go on. A change of the network is asked about once more when it is in force: ' +
            'without a yes in time it comes back. --yes says that beforehand.',
        arguments: [{ name: 'file', summary: `the document; ${DOCUMENT} otherwise`, optional: true, complete: 'file' }],
        options: [
            DESTROY,
            { name: 'leave-withheld', summary: 'do the rest where nobody agreed to a destruction' },
            { name: 'plan', value: 'FILE', summary: 'only if it is still this plan', complete: 'file' },
            { name: 'retry', summary: 'try again what came back by itself before' },
            ROOT,
            ONLY,
        ],
        examples: [
            { line: 'debvisor node apply', note: 'Shows the plan and asks.' },
            { line: 'debvisor node apply --check', note: 'Does nothing; ends with 2 when there is something to do.' },
        ],
        changes: true,
        run: byWay(io, applyHere, applyThere),
    },
    {
        words: ['node', 'verify'],
        summary: 'say whether this machine is what its document says; ends with 2 when it is not',
        options: [FILE, ROOT, ONLY],
        examples: [{ line: 'debvisor node verify', note: 'Touches nothing.' }],
        verifies: true,
        run: byWay(io, verifyHere, verifyThere),
    },
    {
        words: ['node', 'status'],
        summary: 'what is going on with the document of this machine',
        options: [ROOT],
        examples: [{ line: 'debvisor node status', note: 'Who applies now, and how the last apply ended.' }],
        run: byWay(io, statusHere, statusThere),
    },
    {
        words: ['node', 'history'],
        summary: 'list what was applied; with an id, what it did',
        arguments: [{ name: 'apply', summary: 'id of one apply', optional: true }],
        options: [ROOT],
        examples: [{ line: 'debvisor node history', note: 'Newest first.' }],
        run: byWay(io, historyHere, historyThere),
    },
    {
        words: ['node', 'rollback'],
        summary: 'bring back the files and the document of before an apply',
        description: 'Files come back as they were before it; packages that it installed and pools that it made stay.',
        arguments: [{ name: 'apply', summary: 'id of the apply to take back; the last one otherwise', optional: true }],
        options: [ROOT],
        examples: [{ line: 'debvisor node rollback --dry-run', note: 'Shows what would come back.' }],
        changes: true,
        run: byWay(io, rollbackHere, rollbackThere),
    },
    {
        words: ['node', 'firstboot'],
        summary: 'make this machine what its document says at its first boot',
        description:
            'For debvisor-firstboot.service. Without a document it writes one by the profile in /etc/debvisor-profile. ' +
            'It leaves alone what somebody would have to agree to, tells on the consoles how it goes, and takes itself ' +
            'out of the boot once all is done.',
        examples: [{ line: 'debvisor node firstboot --dry-run', note: 'The whole plan, and nothing else.' }],
        changes: true,
        async run(context) {
            needRoot()
            return firstBootHere(context.dryRun, io)
        },
    },
]
