// The verbs of the installer: an installation by answers that stand in a file, and what is done to such a file beforehand.
import { Fault } from '../../base/fault.ts'
import { type Answers, readAnswers } from '../../capabilities/install/answers.ts'
import { carryOut, type InstallDeps, prepare, unagreed } from '../../capabilities/install/install.ts'
import { textOf } from '../../capabilities/install/words.ts'
import { answersChecks, answersSchema, installing, type NodeDocument } from '../../capabilities/table.provision.ts'
import type { Verb, VerbContext, View } from '../../capabilities/verb.ts'
import type { DocumentFinding } from '../../engine/document.ts'
import { findingLines } from '../../engine/render.ts'
import { realClock, realSystem, rootedSystem, withOwnMounts } from '../../ports/real.ts'
import { cancellable, needRoot, tell } from './applying.ts'
import { CONSENT, type Io } from './io.ts'
import { asJson } from './provision-views.ts'

const ANSWERS = { name: 'answers', value: 'FILE', summary: 'the file of answers', complete: 'file' as const }

export const installVerbs = (io: Io): Verb[] => [
    {
        words: ['install'],
        summary: 'install a node on a disk of this machine, by answers that stand in a file',
        description:
            'For the live system of the ISO, as root. Shows what will be done and every disk that is erased, asks, and ' +
            'does it. A disk that holds data is erased only where the answers agree to it (install.consent). An ' +
            'installation that was cut off is begun again by the same command.',
        options: [
            ANSWERS,
            {
                name: 'image',
                value: 'FILE',
                summary: 'another image of a node than that of the medium',
                complete: 'file',
            },
        ],
        changes: true,
        examples: [
            { line: 'debvisor install --answers node1.yaml --dry-run', note: 'What it would do, and nothing else.' },
        ],
        run: context => install(context, io),
    },
    {
        words: ['iso', 'validate'],
        summary: 'check a file of answers; every mistake is told, with its line',
        arguments: [{ name: 'file', summary: 'the file of answers', complete: 'file' }],
        examples: [{ line: 'debvisor iso validate node1.yaml', note: 'Works on any machine, as any user.' }],
        async run(context) {
            const { document, findings } = checked(await context.file(context.args.file!))
            const { machine, disks } = document.install
            const warnings = findings.flatMap(finding => linesOf(finding)).map(line => `${line}\n`)
            const says = `These answers are whole: ${disks.length === 2 ? 'two mirrored disks' : 'one disk'}, profile ${document.profile}, for ${machineWords(machine)}.\n`
            return { kind: 'text', text: warnings.join('') + says, json: asJson({ findings }) }
        },
    },
]

const machineWords = (machine: NodeAnswers['document']['install']['machine']) =>
    machine === 'any'
        ? 'any machine'
        : 'serial' in machine
          ? `the machine with the serial number ${machine.serial}`
          : `the machine with the network card ${machine.mac}`

type NodeAnswers = Answers<NodeDocument>

/** @throws Fault `invalid` with all findings */
function checked(text: string): NodeAnswers & { findings: DocumentFinding[] } {
    const { answers, findings } = readAnswers<NodeDocument>(text, answersSchema, answersChecks)
    if (answers) return { ...answers, findings }
    const errors = findings.filter(({ severity }) => severity === 'error')
    throw new Fault('invalid', {
        summary: errors.length === 1 ? 'The answers have a mistake' : 'The answers have mistakes',
        detail: errors.map(one => `${linesOf(one)[0]}`).join('; '),
        fix: errors[0]?.fix ?? '',
        findings: errors.map(({ line, ...one }) => ({ ...one, at: `line ${line}${one.at ? `: ${one.at}` : ''}` })),
    })
}

const linesOf = ({ line, ...finding }: DocumentFinding) =>
    findingLines(finding).map((text, i) => (i === 0 ? `line ${line}: ${text}` : text))

/** Of this machine. */
export const installDeps = (): InstallDeps<NodeDocument> => ({
    ...{ ...installing, machine: realSystem(), rooted: rootedSystem, clock: realClock(), pid: process.pid },
})

async function install(context: VerbContext, io: Io): Promise<View> {
    needRoot()
    const { options, dryRun } = context
    if (!options.answers) {
        throw new Fault('invalid', {
            summary: 'Nothing says what is to be installed',
            fix: 'Name a file of answers with --answers; to be asked instead: debvisor-installer.',
            at: '--answers',
        })
    }
    const answers = checked(await context.file(options.answers))
    const deps = installDeps()
    const job = await prepare(deps, answers, { ...(options.image ? { image: options.image } : {}) })
    const text = textOf(job.words)
    if (dryRun) return { kind: 'text', text, json: asJson(job.words), pending: true }
    const open = unagreed(job)
    if (open.length > 0) {
        io.stderr.write(text)
        throw new Fault('denied', {
            summary: 'Data would be destroyed, and the answers do not agree to that',
            detail: open.join(', '),
            fix: 'To agree, write it into the answers: install: { consent: [target] }. Nothing was touched.',
            at: CONSENT,
        })
    }
    // Again from the beginning in mounts of its own: what it says and asks comes once.
    const code = await withOwnMounts()
    if (code !== undefined) process.exit(code)
    io.stderr.write(`${text}\n`)
    await context.confirm('Install?')
    const began = Date.now()
    await cancellable(signal =>
        carryOut(deps, job, {
            ...{ signal, by: 'debvisor install', onEvent: tell(io) },
            onPhase: ({ title, at, of }) => io.stderr.write(`\n${at} of ${of}: ${title}\n`),
        }),
    )
    const seconds = Math.round((Date.now() - began) / 1000)
    return {
        kind: 'text',
        text: `Installed in ${seconds} s. Take the medium out and restart: systemctl reboot\n`,
        json: { seconds },
    }
}
