// An installation that asks nobody: the answers are found, checked against this machine, carried out, and told on the consoles.
import { asFault, type Fault } from '../../base/fault.ts'
import { findAnswers } from '../../capabilities/install/find-answers.ts'
import { carryOut } from '../../capabilities/install/install.ts'
import { seeMachine } from '../../capabilities/install/observe.ts'
import { prepare, unagreed } from '../../capabilities/install/prepare.ts'
import { textOf } from '../../capabilities/install/words.ts'
import type { View } from '../../capabilities/verb.ts'
import { realSystem } from '../../ports/real.ts'
import { withOwnMounts } from '../../ports/real-tools.ts'
import { checkedAnswers } from './answers.ts'
import { cancellable } from './applying.ts'
import { openConsoles } from './firstboot.ts'
import { installDeps, unagreedFault } from './install.ts'
import type { Io } from './io.ts'
import { teller } from './provision-views.ts'

const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
const AFTER = 'debvisor.after=poweroff'

/** Restarts the machine at its end, or turns it off where the kernel was told so. */
export async function installAutomatically(io: Io): Promise<View> {
    const code = await withOwnMounts()
    if (code !== undefined) process.exit(code)
    const system = realSystem()
    const consoles = io.env.JOURNAL_STREAM ? await openConsoles(system) : []
    const say = (text: string) => {
        io.stdout.write(text)
        for (const console of consoles) console.write(text.replace(/\r?\n/g, '\r\n'))
    }
    try {
        const { arguments: words } = await seeMachine(system)
        say('\nDebVisor: automatic installation\n')
        const { text, from } = await findAnswers({ machine: system, pause }, words)
        say(`The answers come from ${from}.\n`)
        const deps = installDeps()
        const job = await prepare(deps, checkedAnswers(text))
        say(`${textOf(job.words)}\n`)
        const open = unagreed(job)
        if (open.length > 0) throw unagreedFault(open)
        const began = Date.now()
        await cancellable(signal =>
            carryOut(deps, job, {
                ...{ signal, by: 'automatic installation', onEvent: teller(say) },
                onPhase: ({ title, at, of }) => say(`\n${at} of ${of}: ${title}\n`),
            }),
        )
        const seconds = Math.round((Date.now() - began) / 1000)
        const off = words.includes(AFTER)
        for (const line of job.words.restart) say(`\n${line}\n`)
        say(`\nInstalled in ${seconds} s. The machine ${off ? 'turns itself off' : 'restarts'}.\n`)
        await system.run({ argv: ['systemctl', off ? 'poweroff' : 'reboot'], deadlineMs: 60_000 })
        return { kind: 'nothing' }
    } catch (thrown) {
        say(`\nDebVisor is NOT installed.\n${wordsOf(asFault(thrown))}`)
        throw thrown
    } finally {
        for (const console of consoles) console.close()
    }
}

const wordsOf = ({ message, fix, findings }: Fault) =>
    [
        ...(findings.length > 1 ? findings.map(one => `${one.at}: ${one.summary}: ${one.detail}`) : [message]),
        ...(fix ? [fix] : []),
        'Press Enter for a shell.\n',
    ].join('\n')
