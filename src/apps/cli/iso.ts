// The verbs of media: answers that are checked, the hashes that belong into them, and an ISO that has them on it.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { Fault } from '../../base/fault.ts'
import { panelHash } from '../../capabilities/identity/installed.ts'
import { checkPassword } from '../../capabilities/identity/password.ts'
import { passwordHashes } from '../../capabilities/install/hashes.ts'
import { makeNetboot } from '../../capabilities/install/netboot.ts'
import { addToIso, hasImage, readFromIso } from '../../capabilities/install/xorriso.ts'
import type { Verb, VerbContext, View } from '../../capabilities/verb.ts'
import type { System } from '../../ports/ports.ts'
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
        words: ['iso', 'netboot'],
        summary: 'take from an ISO what machines boot over the network, with a script for iPXE',
        description:
            'The folder is for a web server. The script names the file systems with their checksums, and nothing is used ' +
            'that does not have its own. With answers there is an entry that installs without a question; whoever reaches ' +
            'the folder can read the hashes in them.',
        arguments: [{ name: 'iso', summary: 'the ISO of DebVisor', complete: 'file' }],
        options: [
            {
                name: 'url',
                value: 'URL',
                summary: 'where machines will find the folder, such as http://10.0.0.2/debvisor',
            },
            { name: 'output', short: 'o', value: 'FOLDER', summary: 'the folder to make', complete: 'file' },
            { name: 'answers', value: 'FILE', summary: 'a file of answers', complete: 'file' },
        ],
        examples: [
            {
                line: 'debvisor iso netboot debvisor.iso --url http://10.0.0.2/debvisor -o /srv/www/debvisor',
                note: 'Then let DHCP name http://10.0.0.2/debvisor/boot.ipxe as the file to boot.',
            },
        ],
        run: netbootOf,
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

function needed(context: VerbContext, option: string, what = 'FILE'): string {
    const value = context.options[option]
    if (value) return value
    throw new Fault('invalid', { summary: 'An option is missing', fix: `Give --${option} ${what}.`, at: `--${option}` })
}

async function netbootOf(context: VerbContext): Promise<View> {
    const iso = resolve(context.args.iso!)
    const folder = resolve(needed(context, 'output', 'FOLDER'))
    const url = needed(context, 'url', 'URL').replace(/\/+$/, '')
    if (!/^https?:\/\/[^\s@$?#]+$/.test(url)) {
        throw new Fault('invalid', {
            summary: 'That is no address of a folder',
            detail: url,
            fix: 'Write it like http://10.0.0.2/debvisor, without a name or a password.',
            at: '--url',
        })
    }
    const answers = context.options.answers ? await context.file(context.options.answers) : undefined
    if (answers !== undefined) checkedAnswers(answers)
    refuseExisting(folder, 'the files would be written')
    const system = realSystem()
    await refuseOther(system, iso)
    mkdirSync(folder, { recursive: true })
    try {
        const files = await makeNetboot(system, { iso, folder, url, ...(answers === undefined ? {} : { answers }) })
        const words = `${folder} has ${files.join(', ')}.\nLet machines boot ${url}/boot.ipxe.\n`
        return { kind: 'text', text: words, json: { folder, files, boot: `${url}/boot.ipxe` } }
    } catch (thrown) {
        rmSync(folder, { recursive: true, force: true })
        throw thrown
    }
}

function refuseExisting(path: string, what: string): void {
    if (!existsSync(path)) return
    throw new Fault('exists', {
        summary: `There is something already where ${what}`,
        detail: path,
        fix: 'Name another place, or remove it.',
        at: '--output',
    })
}

async function refuseOther(system: System, iso: string): Promise<void> {
    if (await hasImage(system, iso)) return
    throw new Fault('invalid', {
        summary: 'That is no ISO of DebVisor',
        detail: iso,
        fix: 'Name the file debvisor-….hybrid.iso, as it was built or downloaded.',
        at: 'iso',
    })
}

async function prepareIso(context: VerbContext): Promise<View> {
    const iso = resolve(context.args.iso!)
    const output = resolve(needed(context, 'output'))
    const text = await context.file(needed(context, 'answers'))
    const answers = checkedAnswers(text)
    refuseExisting(output, 'the ISO would be written')
    const system = realSystem()
    await refuseOther(system, iso)
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
