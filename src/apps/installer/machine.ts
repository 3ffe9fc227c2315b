// What the screens need, of this machine: its disks and network, the hashes of passwords, the installation itself.
import { Fault } from '../../base/fault.ts'
import { panelHash } from '../../capabilities/identity/installed.ts'
import { readAnswers } from '../../capabilities/install/answers.ts'
import { answersText, type Choices, type Found, type Hashes } from '../../capabilities/install/choices.ts'
import { passwordHashes } from '../../capabilities/install/hashes.ts'
import { carryOut } from '../../capabilities/install/install.ts'
import { seeMachine } from '../../capabilities/install/observe.ts'
import { type Job, prepare } from '../../capabilities/install/prepare.ts'
import type { InstallDeps } from '../../capabilities/install/stages.ts'
import { writeToStick } from '../../capabilities/install/stick.ts'
import {
    answersChecks,
    answersSchema,
    facts,
    installing,
    type NodeDocument,
    networkSample,
} from '../../capabilities/table.provision.ts'
import { realClock, realSystem, rootedSystem } from '../../ports/real.ts'
import { runAttached } from '../../ports/real-tools.ts'
import type { Machine } from './installer.ts'

export const realDeps = (): InstallDeps<NodeDocument> => ({
    ...{ ...installing, machine: realSystem(), rooted: rootedSystem, clock: realClock(), pid: process.pid },
})

export async function hashesOf({ root, administrator, node, monitor }: Choices): Promise<Hashes> {
    const [{ first }, all] = [administrator, { root, [administrator.name]: administrator, node, monitor }]
    const typed = Object.fromEntries(Object.entries(all).map(([name, password]) => [name, password.first]))
    return { system: await passwordHashes(typed), panel: await panelHash(first) }
}

export async function foundOn(deps: InstallDeps<NodeDocument>): Promise<Found> {
    const [disks, network, { cards }] = await Promise.all([
        deps.disks(deps.machine),
        networkSample(deps.machine),
        facts(deps.machine),
    ])
    const [bridge] = (network?.bridges ?? []) as { ports?: string[] }[]
    const card = cards.find(({ name }) => name === bridge?.ports?.[0])
    const address = card?.addresses.find(one => !one.includes(':'))
    return {
        disks,
        ...(network ? { network: withLease(network) } : {}),
        ...(card ? { card: card.name } : {}),
        ...(address ? { address } : {}),
        ...{ secureBoot: (await seeMachine(deps.machine)).secureBoot },
    }
}

/** The live system asked for an address; what it was given is none of the node's to keep. */
function withLease(network: Record<string, unknown>): Record<string, unknown> {
    const { dns: _, ...rest } = network
    const bridges = (network.bridges as Record<string, unknown>[]).map(bridge => ({
        ...bridge,
        ipv4: 'dhcp',
        ipv6: 'auto',
    }))
    return { ...rest, bridges }
}

export function realMachine(options: { image?: string }): Machine<Job<NodeDocument>> {
    const deps = realDeps()
    const by = 'the installer'
    return {
        found: () => foundOn(deps),
        async prepare(choices, found) {
            const text = answersText(choices, found, await hashesOf(choices), installing.schema)
            const { answers, findings } = readAnswers<NodeDocument>(text, answersSchema, answersChecks)
            const wrong = findings.find(({ severity }) => severity === 'error')
            if (!answers) {
                throw new Fault('invalid', {
                    summary: 'What was chosen cannot be used',
                    detail: `${wrong?.at}: ${wrong?.summary} (${wrong?.detail})`,
                    fix: wrong?.fix ?? '',
                })
            }
            const job = await prepare(deps, answers, options)
            return { job, words: job.words }
        },
        install: (job, telling) => carryOut(deps, job, { ...telling, by }),
        async shell() {
            process.stdout.write('A shell. "exit" goes back to the installer.\n')
            await runAttached(['/bin/bash', '--login'])
        },
        saveLog: text => writeToStick(deps.machine, 'debvisor-install.log', text),
        async restart() {
            await deps.machine.run({ argv: ['systemctl', 'reboot'], deadlineMs: 60_000 })
        },
        now: () => deps.clock.now(),
    }
}
