// What the screens need, of this machine: its disks and network, the hashes of passwords, the installation itself.
import { createHash, randomBytes } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import { cryptSha512 } from '../../base/sha512crypt.ts'
import { panelHashText } from '../../capabilities/identity/installed.ts'
import { createPasswords, normalise } from '../../capabilities/identity/password.ts'
import { readAnswers } from '../../capabilities/install/answers.ts'
import { answersText, type Choices, type Found, type Hashes } from '../../capabilities/install/choices.ts'
import { carryOut, type InstallDeps, type Job, prepare } from '../../capabilities/install/install.ts'
import { writeToStick } from '../../capabilities/install/stick.ts'
import {
    answersChecks,
    answersSchema,
    facts,
    installing,
    type NodeDocument,
    networkSample,
} from '../../capabilities/table.provision.ts'
import { realClock, realSystem, rootedSystem, runAttached } from '../../ports/real.ts'
import type { Machine } from './installer.ts'

/** More than crypt's 5000: a login takes as long once, and a guess each time. */
const ROUNDS = 50_000

export const realDeps = (): InstallDeps<NodeDocument> => ({
    ...{ ...installing, machine: realSystem(), rooted: rootedSystem, clock: realClock(), pid: process.pid },
})

export async function hashesOf(choices: Choices): Promise<Hashes> {
    const digest = async (bytes: Uint8Array) => createHash('sha512').update(bytes).digest()
    const system: Record<string, string> = {}
    const { root, administrator, node, monitor } = choices
    for (const [name, { first }] of Object.entries({ root, [administrator.name]: administrator, node, monitor }))
        if (first) system[name] = await cryptSha512(first, new Uint8Array(randomBytes(16)), digest, ROUNDS)
    return { system, panel: panelHashText(await createPasswords().hash(normalise(administrator.first), 'installer')) }
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
