// The screens of the installer with everything real but the machine: its disks are made up, and the steps do nothing.
// argv: a folder with found.json; what was answered is written to answers.yaml beside it, and what was asked for to log.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { runInstaller } from '../../src/apps/installer/installer.ts'
import { hashesOf } from '../../src/apps/installer/machine.ts'
import { openTerminal } from '../../src/apps/installer/terminal.ts'
import { Fault } from '../../src/base/fault.ts'
import { readAnswers } from '../../src/capabilities/install/answers.ts'
import { answersText, type Found } from '../../src/capabilities/install/choices.ts'
import { prepare } from '../../src/capabilities/install/prepare.ts'
import { answersChecks, answersSchema, installing, type NodeDocument } from '../../src/capabilities/table.provision.ts'
import { fakeClock, fakeSystem } from '../../src/ports/fake.ts'

const SECURE_BOOT = '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c'
const folder = process.argv[2]!
const found = JSON.parse(readFileSync(join(folder, 'found.json'), 'utf8')) as Found & { failOnce?: boolean }
const note = (line: string) => appendFileSync(join(folder, 'log'), `${line}\n`)

const machine = fakeSystem({
    files: {
        '/node.squashfs': '',
        '/proc/cmdline': 'console=tty0',
        // Four bytes of attributes before the value.
        ...(found.secureBoot && { [SECURE_BOOT]: new Uint8Array([6, 0, 0, 0, 1]) }),
    },
    tools: [
        { argv: argv => argv[0] === 'vgs', answer: {} },
        { argv: argv => argv[0] === 'lsblk', answer: { stdout: '{"blockdevices":[]}' } },
    ],
})
// Chrony and others of the steps are not what is looked at here.
const deps = {
    ...{ ...installing, machine, rooted: () => machine, clock: fakeClock(), pid: 1 },
    disks: async () => [...found.disks],
    resources: [],
}
let tries = 0

const terminal = await openTerminal({ stdin: process.stdin, stdout: process.stdout, env: process.env })
try {
    const end = await runInstaller(terminal, {
        found: async () => found,
        async prepare(choices) {
            const text = answersText(choices, found, await hashesOf(choices), installing.schema)
            writeFileSync(join(folder, 'answers.yaml'), text)
            const { answers, findings } = readAnswers<NodeDocument>(text, answersSchema, answersChecks)
            if (!answers) throw new Error(JSON.stringify(findings))
            const job = await prepare(deps, answers, { image: '/node.squashfs' })
            return { job, words: job.words }
        },
        async install(job, { signal, onPhase, onEvent }) {
            tries++
            onPhase({ title: 'Prepare the disks and unpack the system', at: 1, of: 4 })
            const steps = job.plan.groups.flatMap(group => group.steps)
            for (const [i, step] of steps.entries()) {
                if (signal.aborted) throw new Fault('cancelled', { summary: 'The installation was stopped' })
                const about = { resource: 'install.target', step }
                onEvent({ kind: 'step', ...about, at: i + 1, of: steps.length })
                // Until whoever looks on has seen what it is to see.
                while (i === 6 && !found.failOnce && !existsSync(join(folder, 'go'))) await pause(50)
                if (step.do === 'run')
                    onEvent({ kind: 'said', tool: step.tool, exitCode: 0, stdout: `${step.tool} says\n`, stderr: '' })
                if (found.failOnce && tries === 1 && step.do === 'run' && step.tool === 'lvcreate') {
                    throw new Fault('precondition', {
                        summary: 'A step of the installation failed',
                        detail: `${step.say}: A tool could not do its work (lvcreate ended with 5)`,
                        fix: 'What the tools said is in the log. Mend the cause, then try again: it begins anew.',
                    })
                }
                onEvent({ kind: 'done', ...about, tookMs: 0 })
            }
        },
        shell: async () => note('shell'),
        async saveLog(text) {
            writeFileSync(join(folder, 'saved.log'), text)
            return 'debvisor-install.log on STICK'
        },
        restart: async () => note('restart'),
        now: () => Date.now(),
    })
    note(end)
} finally {
    terminal.close()
}
process.exit(0)
