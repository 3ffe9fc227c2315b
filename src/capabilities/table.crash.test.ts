// Power cuts on a whole simulated node: whatever the document, at whatever touch, the next apply comes to the same end.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Machine, type MachineDisk, machineWith, PowerCut } from '../../tests/machine.ts'
import { type ApplyWish, apply } from '../engine/apply.ts'
import { readDocument } from '../engine/document.ts'
import { isEmpty, makePlan, withheldBy } from '../engine/plan.ts'
import { renderPlan } from '../engine/render.ts'
import { destroyedBy } from '../engine/step.ts'
import { survey } from '../engine/survey.ts'
import { fakeClock } from '../ports/fake.ts'
import { checks, documentSchema, resources as every, kit } from './table.provision.ts'

/** All moments, and many more documents: `make test-all`. */
const ALL = process.env.DEBVISOR_ALL === '1'
const LONG_MS = ALL ? 1_800_000 : 60_000
/** What the simulated machine has tools for. */
const KNOWN = /^(node|users|storage\.zfs|vm|docker|firewall|cockpit|fail2ban|monitoring|notify)\./
const resources = every.filter(({ name }) => KNOWN.test(name))

const BY_ID = '/dev/disk/by-id/'

interface Story {
    text: string
    disks: MachineDisk[]
    /** Of held disks, those that somebody agreed to lose. */
    agreed: string[]
}

const section = (name: string, body: object) => `${name}: ${JSON.stringify(body)}\n`

const story: fc.Arbitrary<Story> = fc
    .record({
        profile: fc.constantFrom('zfs', 'ceph', 'mixed'),
        holds: fc.array(fc.constantFrom('blank', 'blank', 'ext4', 'zfs_member'), { maxLength: 4 }),
        listed: fc.boolean(),
        agrees: fc.boolean(),
        layout: fc.constantFrom('auto', 'stripe'),
        datasets: fc.constantFrom(['vm', 'docker', 'k8s'], ['vm'], []),
        hostname: fc.constantFrom('node1', 'debian'),
        on: fc.record({ docker: fc.boolean(), cockpit: fc.boolean(), fail2ban: fc.boolean(), firewall: fc.boolean() }),
        admin: fc.boolean(),
    })
    .map(({ profile, holds, listed, agrees, layout, datasets, hostname, on, admin }) => {
        const disks = holds.map((held, at) => ({ name: `virtio-DATA${at + 1}`, holds: held }))
        const list = disks.map(({ name }) => `${BY_ID}${name}`)
        const named = profile === 'ceph' || (profile === 'zfs' && !listed) || list.length === 0 ? 'extra' : list
        const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqEYbwtXMfDH0CzqR1zVLBJJkqGRr1jLd3DJfJ0pQpZ ann'
        const text = [
            `profile: ${profile === 'mixed' && named === 'extra' ? 'zfs' : profile}\n`,
            section('node', { hostname }),
            section('storage', { zfs: { disks: named, layout, datasets } }),
            ...Object.entries(on).map(([name, enabled]) => section(name, { enabled })),
            admin ? section('users', { administrators: [{ name: 'ann', keys: [key] }] }) : '',
        ].join('')
        return {
            text,
            disks,
            agreed: agrees ? disks.filter(({ holds }) => holds !== 'blank').map(one => one.name) : [],
        }
    })

const documentOf = (text: string) => {
    const { document, findings } = readDocument(text, documentSchema, checks)
    if (!document) throw new Error(`no document: ${JSON.stringify(findings)}\n${text}`)
    return document
}
const touchOf = ({ system }: Machine) => ({ phase: 'boot' as const, root: system, machine: system })
const planOf = async (machine: Machine, text: string, given = resources) =>
    makePlan(given, await survey(given, documentOf(text), touchOf(machine)), new Map())

/** As an administrator does it, who agrees to lose what was on a disk at first, and to nothing else. */
async function run(machine: Machine, { text, agreed }: Story) {
    const known = (await planOf(machine, text)).fingerprints
    const targets = agreed
        .map(name => `disk:${BY_ID}${name}`)
        .filter(target => target in known && !known[target]!.includes('gpt'))
    const wish: ApplyWish = {
        ...{ document: documentOf(text), text, by: 'test', signal: new AbortController().signal },
        consents: targets.map(target => ({ target, fingerprint: known[target]! })),
        leaveWithheld: true,
    }
    return apply({ resources, kit, touch: touchOf(machine), clock: fakeClock(), pid: 1 }, wish)
}

/** Everything that may be done is done; what is left waits for a yes, or cannot be done at all. */
async function converged(machine: Machine, told: Story) {
    const plan = await planOf(machine, told.text)
    const open = plan.groups.filter(
        group => !group.waitsFor && group.errors.length === 0 && group.withheld.length === 0,
    )
    expect(open.length === 0, `${told.text}\n${renderPlan(plan)}`).toBe(true)
    return renderPlan(plan)
}

/** What is left to do, and why, when the power never went. */
async function calm(told: Story): Promise<string> {
    const machine = machineWith(told.disks)
    await finish(machine, told)
    return converged(machine, told)
}

function nothingLost(machine: Machine, { disks, agreed }: Story) {
    const lost = machine.overwritten.map(({ disk }) => disk.slice(BY_ID.length))
    expect(lost.filter(name => !agreed.includes(name))).toEqual([])
    // A disk that held something is overwritten once, and a pool that was whole is never made again.
    for (const { name, holds } of disks)
        expect(lost.filter(one => one === name).length).toBeLessThanOrEqual(holds === 'blank' ? 0 : 1)
    for (const [, count] of machine.poolsMade) expect(count).toBe(1)
}

/** Until nothing more is done: a pass that had to leave something out ends an apply early. */
async function finish(machine: Machine, told: Story) {
    for (let round = 0; round < 3; round++) {
        const { failed, steps, left } = await run(machine, told)
        expect(failed.map(({ step, problem }) => `${step.say}: ${problem.summary} ${problem.detail ?? ''}`)).toEqual([])
        if (steps === 0 || isEmpty(left)) break
    }
}

/** Applies with the power going at a moment; answers how many moments there were when it did not go. */
async function cutAt(told: Story, moments: readonly number[]): Promise<Machine> {
    const machine = machineWith(told.disks)
    for (const moment of moments) {
        machine.moments = 0
        machine.cutAt = moment
        const was = await run(machine, told).catch(thrown => thrown)
        if (
            was instanceof Error &&
            !(was instanceof PowerCut) &&
            !/power/.test(JSON.stringify([was.message, was.cause]))
        )
            throw was
        await machine.boot()
    }
    await finish(machine, told)
    return machine
}

/** The same document with the keys of every block the other way round. */
function turned(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(turned)
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(
        Object.entries(value)
            .reverse()
            .map(([key, inner]) => [key, turned(inner)]),
    )
}

describe('whatever the document says of whatever machine', () => {
    it(
        'the plan is the same twice, with turned keys too, and destroys only what is named',
        async () => {
            await fc.assert(
                fc.asyncProperty(story, async told => {
                    const machine = machineWith(told.disks)
                    const plan = await planOf(machine, told.text)
                    expect(await planOf(machine, told.text)).toEqual(plan)
                    expect(await planOf(machine, JSON.stringify(turned(documentOf(told.text))))).toEqual(plan)
                    const destroys = destroyedBy(plan.groups.flatMap(group => group.steps))
                    expect(destroys.filter(target => !withheldBy(plan).includes(target))).toEqual([])
                    expect(machine.moments).toBe(0)
                }),
                { numRuns: ALL ? 300 : 10 },
            )
        },
        LONG_MS,
    )

    it(
        'it is done, and done again changes nothing',
        async () => {
            await fc.assert(
                fc.asyncProperty(story, async told => {
                    const machine = machineWith(told.disks)
                    await finish(machine, told)
                    await converged(machine, told)
                    nothingLost(machine, told)
                    expect((await run(machine, told)).steps).toBe(0)
                    await machine.boot()
                    await converged(machine, told)
                }),
                { numRuns: ALL ? 200 : 6 },
            )
        },
        LONG_MS,
    )

    it(
        'a power cut at any touch, and a second one after it, are made up for',
        async () => {
            await fc.assert(
                fc.asyncProperty(
                    story,
                    fc.array(fc.nat(600), { minLength: 1, maxLength: 2 }),
                    async (told, moments) => {
                        const machine = await cutAt(told, moments)
                        expect(await converged(machine, told)).toBe(await calm(told))
                        nothingLost(machine, told)
                    },
                ),
                { numRuns: ALL ? 1000 : 12 },
            )
        },
        LONG_MS,
    )
})

describe.each([
    ['zfs', 'profile: zfs\n', ['blank', 'blank']],
    [
        'zfs over a disk that held something',
        `profile: zfs\nstorage: { zfs: { disks: [${BY_ID}virtio-DATA1] } }\n`,
        ['ext4'],
    ],
    ['ceph', 'profile: ceph\n', ['blank']],
    ['mixed', `profile: mixed\nstorage: { zfs: { disks: [${BY_ID}virtio-DATA1] } }\n`, ['blank', 'ext4']],
])('cut at every touch: %s', (_, text, holds) => {
    const disks = holds.map((held, at) => ({ name: `virtio-DATA${at + 1}`, holds: held }))
    const told: Story = { text, disks, agreed: ['virtio-DATA1'] }
    it(
        ALL ? 'each one' : 'a handful, spread over all',
        async () => {
            const whole = machineWith(disks)
            await run(whole, told)
            const of = whole.moments
            const left = await calm(told)
            const every = Math.ceil(of / 5)
            const all = Array.from({ length: of }, (_, moment) => moment)
            for (const moment of ALL ? all : [...all.filter(at => at % every === 0), ...whole.halves]) {
                const machine = await cutAt(told, [moment])
                expect(await converged(machine, told), `cut at ${moment}`).toBe(left)
                nothingLost(machine, told)
            }
            expect(of).toBeGreaterThan(100)
        },
        LONG_MS,
    )
})
