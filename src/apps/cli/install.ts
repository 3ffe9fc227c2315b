// The verbs of the installer: an installation by answers that stand in a file, and what is done to such a file beforehand.
import { Fault } from '../../base/fault.ts'
import { carryOut } from '../../capabilities/install/install.ts'
import { prepare, unagreed } from '../../capabilities/install/prepare.ts'
import type { InstallDeps } from '../../capabilities/install/stages.ts'
import { textOf } from '../../capabilities/install/words.ts'
import { installing, type NodeDocument } from '../../capabilities/table.provision.ts'
import type { Verb, VerbContext, View } from '../../capabilities/verb.ts'
import { realClock, realSystem, rootedSystem } from '../../ports/real.ts'
import { withOwnMounts } from '../../ports/real-tools.ts'
import { checkedAnswers } from './answers.ts'
import { cancellable, needRoot, tell } from './applying.ts'
import { installAutomatically } from './automatic.ts'
import { CONSENT, type Io } from './io.ts'
import { isoVerbs } from './iso.ts'
import { asJson } from './provision-views.ts'

const ANSWERS = { name: 'answers', value: 'FILE', summary: 'the file of answers', complete: 'file' as const }

export const installVerbs = (io: Io): Verb[] => [
    ...isoVerbs(),
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
                name: 'automatic',
                summary:
                    'by the answers of the medium, a stick or an address, where the boot menu was told so; asks nobody',
            },
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
        run: context => (context.options.automatic ? automatically(io) : install(context, io)),
    },
]

export const unagreedFault = (disks: readonly string[]) =>
    new Fault('denied', {
        summary: 'Data would be destroyed, and the answers do not agree to that',
        detail: disks.join(', '),
        fix: 'To agree, write it into the answers: install: { consent: [target] }. Nothing was touched.',
        at: CONSENT,
    })

/** Of this machine. */
export const installDeps = (): InstallDeps<NodeDocument> => ({
    ...{ ...installing, machine: realSystem(), rooted: rootedSystem, clock: realClock(), pid: process.pid },
})

function automatically(io: Io): Promise<View> {
    needRoot()
    return installAutomatically(io)
}

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
    const answers = checkedAnswers(await context.file(options.answers))
    const deps = installDeps()
    const job = await prepare(deps, answers, { ...(options.image ? { image: options.image } : {}) })
    const text = textOf(job.words)
    if (dryRun) return { kind: 'text', text, json: asJson(job.words), pending: true }
    const open = unagreed(job)
    if (open.length > 0) {
        io.stderr.write(text)
        throw unagreedFault(open)
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
        text: `${job.words.restart.map(line => `${line}\n`).join('')}Installed in ${seconds} s. Take the medium out and restart: systemctl reboot\n`,
        json: { seconds },
    }
}
