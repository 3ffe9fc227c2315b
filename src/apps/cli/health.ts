// The verbs about what is wrong on this node: they look as root on the node itself, and tell those whom the document names.
import type { JsonValue } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { testMessage } from '../../capabilities/notify/message.ts'
import { type Target, targetsOf } from '../../capabilities/notify/targets.ts'
import { tell } from '../../capabilities/notify/tell.ts'
import { checks, documentSchema, healthChecks } from '../../capabilities/table.provision.ts'
import type { Verb, View } from '../../capabilities/verb.ts'
import { readDocument } from '../../engine/document.ts'
import { healthOf } from '../../engine/health.ts'
import { DOCUMENT } from '../../engine/provision.ts'
import { findingLines } from '../../engine/render.ts'
import type { System } from '../../ports/ports.ts'
import { realSystem } from '../../ports/real.ts'
import { needRoot } from './applying.ts'
import type { Io } from './io.ts'

/** Whom the document names; nobody where there is no document, or none that can be read. */
async function targets(system: System): Promise<Target[]> {
    const text = await system.readText(DOCUMENT)
    const { document } = text === undefined ? { document: undefined } : readDocument(text, documentSchema, checks)
    return document ? targetsOf(document.notify, system) : []
}

export const healthVerbs = (io: Io): Verb[] => [
    {
        words: ['node', 'health'],
        summary: 'say what is wrong on this machine; ends with 2 when something is',
        description:
            'Services that failed, disks that are failing, pools and clusters that are not whole, file systems without room. ' +
            'A timer looks every ten minutes.',
        options: [{ name: 'tell', summary: 'tell those whom the document names of what is new since the last time' }],
        examples: [{ line: 'debvisor node health', note: 'With each trouble, what to do about it.' }],
        verifies: true,
        async run({ options }) {
            needRoot()
            const system = realSystem()
            const findings = await healthOf(healthChecks, system)
            if (options.tell) {
                const { told, faults } = await tell({
                    ...{ system, node: system.hostname(), findings, targets: await targets(system) },
                })
                if (told.length > 0) io.stderr.write(`Told by ${told.join(' and ')}.\n`)
                for (const fault of faults) io.stderr.write(`${fault.message}\n`)
            }
            return healthView(findings)
        },
    },
    {
        words: ['notify', 'test'],
        summary: 'send a test to everybody who is told when something is wrong',
        examples: [{ line: 'debvisor notify test', note: 'After a change of notify in node.yaml.' }],
        async run() {
            needRoot()
            const system = realSystem()
            const all = await targets(system)
            if (all.length === 0) {
                throw new Fault('precondition', {
                    summary: 'Nobody is told of anything',
                    detail: DOCUMENT,
                    fix: 'Name a mail server or a webhook below notify, and apply.',
                })
            }
            for (const target of all) await target.send(testMessage(system.hostname()))
            const names = all.map(target => target.name)
            return { kind: 'text', text: `Sent by ${names.join(' and ')}.\n`, json: { sent: names } }
        },
    },
]

const healthView = (findings: readonly Finding[]): View => ({
    kind: 'text',
    text: findings.length === 0 ? 'Nothing is wrong.\n' : `${findings.flatMap(findingLines).join('\n')}\n`,
    json: JSON.parse(JSON.stringify({ findings })) as JsonValue,
    pending: findings.some(({ severity }) => severity !== 'info'),
})
