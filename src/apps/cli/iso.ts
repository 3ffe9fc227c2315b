// The verbs of media: answers that are checked, the hashes that belong into them, and an ISO that has them on it.
import { createHash } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { Fault } from '../../base/fault.ts'
import { panelHash } from '../../capabilities/identity/installed.ts'
import { checkPassword } from '../../capabilities/identity/password.ts'
import { passwordHashes } from '../../capabilities/install/hashes.ts'
import { addToIso, hasImage, readFromIso } from '../../capabilities/install/xorriso.ts'
import type { Verb, VerbContext, View } from '../../capabilities/verb.ts'
import { realSystem } from '../../ports/real.ts'
import { checkedAnswers, findingWords, type NodeAnswers } from './answers.ts'
import { asJson } from './provision-views.ts'

export const isoVerbs = (): Verb[] => [
    {
        words: ['iso', 'validate'],
        summary: 'check a file of answers; every mistake is told, with its line',
        arguments: [{ name: 'file', summary: 'the file of answers', complete: 'file' }],
        examples: [{ line: 'debvisor iso validate node1.yaml', note: 'Works on any machine, as any user.' }],
        async run(context) {
            const answers = checkedAnswers(await context.file(context.args.file!))
            const { findings } = answers
            const warnings = findings.flatMap(findingWords).map(line => `${line}\n`)
            return { kind: 'text', text: `${warnings.join('')}${wordsOf(answers)}\n`, json: asJson({ findings }) }
        },
    },
    {
        words: ['iso', 'prepare'],
        summary: 'put answers into a copy of an ISO; the boot entry Automatic install then asks nothing',
        description:
            'Nothing is built again and no root is needed. The answers are checked first. The hashes in them can be read ' +
            'by whoever has the ISO: keep it as you would keep them.',
        arguments: [{ name: 'iso', summary: 'the ISO of DebVisor', complete: 'file' }],
        options: [
            { name: 'answers', value: 'FILE', summary: 'the file of answers', complete: 'file' },
            { name: 'output', short: 'o', value: 'FILE', summary: 'the ISO to write', complete: 'file' },
        ],
        examples: [
            {
                line: 'debvisor iso prepare debvisor.iso --answers node1.yaml -o node1.iso',
                note: 'Write node1.iso to a stick, boot it, and choose Automatic install.',
            },
        ],
        run: prepareIso,
    },
    {
        words: ['iso', 'password'],
        summary: 'ask for a password, and print its hashes as answers take them',
        arguments: [{ name: 'account', summary: 'root, or the name of an administrator' }],
        options: [{ name: 'panel', summary: 'also the hash for the panel, whose first administrator it becomes' }],
        examples: [{ line: 'debvisor iso password ann --panel', note: 'Paste both below install: in the answers.' }],
        run: printHashes,
    },
]

function wordsOf({ document: { install, profile } }: NodeAnswers): string {
    const { machine, disks } = install
    const where =
        machine === 'any'
            ? 'any machine'
            : 'serial' in machine
              ? `the machine with the serial number ${machine.serial}`
              : `the machine with the network card ${machine.mac}`
    return `These answers are whole: ${disks.length === 2 ? 'two mirrored disks' : 'one disk'}, profile ${profile}, for ${where}.`
}

function needed(context: VerbContext, option: string): string {
    const value = context.options[option]
    if (value) return value
    throw new Fault('invalid', { summary: 'An option is missing', fix: `Give --${option} FILE.`, at: `--${option}` })
}

async function prepareIso(context: VerbContext): Promise<View> {
    const iso = resolve(context.args.iso!)
    const output = resolve(needed(context, 'output'))
    const text = await context.file(needed(context, 'answers'))
    const answers = checkedAnswers(text)
    if (existsSync(output)) {
        throw new Fault('exists', {
            summary: 'There is a file already where the ISO would be written',
            detail: output,
            fix: 'Name another one, or remove it.',
            at: '--output',
        })
    }
    const system = realSystem()
    if (!(await hasImage(system, iso))) {
        throw new Fault('invalid', {
            summary: 'That is no ISO of DebVisor',
            detail: iso,
            fix: 'Name the file debvisor-….hybrid.iso, as it was built or downloaded.',
            at: 'iso',
        })
    }
    try {
        await addToIso(system, { iso, output, text })
        if ((await readFromIso(system, output)) !== text)
            throw new Fault('internal', { summary: 'The answers on the ISO are not those of the file', detail: output })
    } catch (thrown) {
        rmSync(output, { force: true })
        throw thrown
    }
    const sha256 = createHash('sha256').update(text).digest('hex')
    const words = `${output} is written. ${wordsOf(answers)}\nSHA-256 of the answers: ${sha256}\n`
    return { kind: 'text', text: words, json: { output, sha256 } }
}

async function printHashes(context: VerbContext): Promise<View> {
    const account = context.args.account!
    const password = await context.secret(`Password of ${account}`)
    checkPassword(password, account)
    if ((await context.secret('Once more')) !== password)
        throw new Fault('invalid', { summary: 'The two passwords are not the same', fix: 'Type it again.' })
    const system = await passwordHashes({ [account]: password })
    const panel = context.options.panel ? { panel: { [account]: await panelHash(password) } } : {}
    const lines = [
        'passwords:',
        `  ${account}: ${system[account]}`,
        ...(panel.panel ? ['panel:', `  ${account}: ${panel.panel[account]}`] : []),
    ]
    return { kind: 'text', text: `${lines.join('\n')}\n`, json: asJson({ passwords: system, ...panel }) }
}
