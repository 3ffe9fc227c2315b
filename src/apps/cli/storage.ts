// The verbs about the disks of pools: what they are made of, a disk in the place of a failed one, and more of them.
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { nearest } from '../../base/nearest.ts'
import { type AddWish, COPYING, type StorageDriver, type StorageSet } from '../../capabilities/storage/driver.ts'
import { storageDrivers } from '../../capabilities/table.provision.ts'
import type { Verb, VerbContext, View } from '../../capabilities/verb.ts'
import { isEmpty } from '../../engine/plan.ts'
import { findingLines } from '../../engine/render.ts'
import type { Resource } from '../../engine/resource.ts'
import type { Clock, Probe } from '../../ports/ports.ts'
import { realClock, realSystem } from '../../ports/real.ts'
import { DESTROY, needRoot, planAskApply, provisionAt } from './applying.ts'
import type { Io } from './io.ts'
import { asJson, failedFault } from './provision-views.ts'

const WAIT = { name: 'wait', summary: 'wait until all is copied, and say how far it is' }
const POLL_MS = 2000
const FOLLOW = 'To follow: debvisor storage status --wait'

export const storageVerbs = (io: Io): Verb[] => [
    {
        words: ['storage', 'status'],
        summary: 'list the disks of pools, and what is being copied; ends with 2 when a pool is not whole',
        options: [WAIT],
        examples: [
            { line: 'debvisor storage status', note: 'Each disk by the name that storage replace takes.' },
            { line: 'debvisor storage status --wait', note: 'Until the copying is over, with its progress.' },
        ],
        verifies: true,
        async run({ options, signal }) {
            needRoot()
            const system = realSystem()
            if (options.wait) await waitForWork(system, io, signal)
            return statusView(await setsOf(system))
        },
    },
    {
        words: ['storage', 'replace'],
        summary: 'put a new disk in the place of one that failed',
        description:
            'Shows the plan, asks, and begins the copying, which goes on by itself, also over a reboot. What the ' +
            'document says of the old disk then says it of the new one. What stands on the new disk is destroyed only ' +
            'where --destroy names it. A disk that is gone is named as storage status names it: by a number in a pool ' +
            'of ZFS, as osd.1 in Ceph. An OSD leaves its cluster when all that it held is whole elsewhere: do the ' +
            'same again then, or let --wait do it.',
        arguments: [
            { name: 'old', summary: 'the disk that failed, by its name or number' },
            { name: 'new', summary: 'the disk that takes its place; one of the same name otherwise', optional: true },
        ],
        options: [DESTROY, WAIT],
        examples: [
            {
                line: 'debvisor storage replace ata-OLD /dev/disk/by-id/ata-NEW --dry-run',
                note: 'Names of new disks: debvisor node disks.',
            },
        ],
        changes: true,
        async run(context) {
            needRoot()
            const wish = { old: context.args.old ?? '', new: context.args.new }
            const driver = await driverOf(realSystem(), wish)
            return carry(driver.replace(wish), 'debvisor storage replace', context, io)
        },
    },
    {
        words: ['storage', 'add'],
        summary: 'give a pool more disks; most of it can never be undone',
        description:
            'Without an option the pool gets one more part like those that it has: two disks for a pool of mirrors. ' +
            'The plan says in words what becomes of the pool. Nothing of this is ever done by an apply of the document.',
        arguments: [{ name: 'disks', summary: 'the disks, by the names of node disks', repeats: true }],
        options: [
            { name: 'pool', value: 'NAME', summary: 'another pool than that of the document' },
            { name: 'attach', value: 'DISK', summary: 'mirror that disk once more, or widen that raidz by one' },
            { name: 'spare', summary: 'keep them to take the place of a disk that fails' },
            { name: 'stripe', summary: 'more room without redundancy, in a pool that has none' },
            DESTROY,
            WAIT,
        ],
        examples: [
            { line: 'debvisor storage add ata-C ata-D --dry-run', note: 'What one more mirror would mean.' },
            { line: 'debvisor storage add ata-B --attach ata-A', note: 'The only disk of a pool becomes a mirror.' },
        ],
        changes: true,
        async run(context) {
            needRoot()
            const wish = { disks: context.lists.disks ?? [], to: context.options.pool, as: wayOf(context) }
            const driver = storageDrivers.find(({ add }) => add)
            return carry(driver!.add!(wish), 'debvisor storage add', context, io)
        },
    },
]

function wayOf({ options }: VerbContext): AddWish['as'] {
    const given = ['attach', 'spare', 'stripe'].filter(name => options[name] !== undefined)
    if (given.length > 1) {
        throw new Fault('invalid', {
            summary: 'A disk can be for one thing only',
            detail: given.map(name => `--${name}`).join(' '),
            fix: 'Give one of these options.',
            at: given[1]!,
        })
    }
    if (options.attach !== undefined) return { attachedTo: options.attach }
    return options.spare ? 'spare' : options.stripe ? 'stripe' : 'alike'
}

const setsOf = async (machine: Probe): Promise<StorageSet[]> =>
    (await Promise.all(storageDrivers.map(driver => driver.look(machine)))).flat()

/** That which has the disk. @throws Fault `not-found` */
async function driverOf(machine: Probe, wish: { old: string; new?: string }): Promise<StorageDriver> {
    const seen = await Promise.all(
        storageDrivers.map(async driver => ({ driver, disks: (await driver.look(machine)).flatMap(set => set.disks) })),
    )
    const having = (word: string | undefined) =>
        word === undefined ? undefined : seen.find(({ disks }) => disks.some(({ names }) => names.includes(word)))
    // When all is copied, the old one is gone, and the new one tells whose it was.
    const found = having(wish.old) ?? having(wish.new)
    if (found) return found.driver
    const all = seen.flatMap(({ disks }) => disks)
    const meant = nearest(
        wish.old,
        all.flatMap(({ names }) => names),
    )
    throw new Fault('not-found', {
        summary: 'No pool has such a disk',
        detail: wish.old,
        fix: meant
            ? `Did you mean ${meant}?`
            : all.length > 0
              ? `Disks of pools are: ${all.map(({ id, state }) => `${id} (${state})`).join(', ')}.`
              : 'There is no pool: debvisor node apply makes it.',
        at: 'old',
    })
}

async function carry(one: Resource, what: string, context: VerbContext, io: Io): Promise<View> {
    const provision = provisionAt(undefined)
    const system = realSystem()
    const waits = context.options.wait !== undefined && !context.dryRun
    let done = { steps: 0, id: '' }
    for (;;) {
        const text = await provision.load()
        const plan = await provision.planOne(one, text)
        refuseFindings(plan.findings)
        if (!isEmpty(plan)) {
            const applied = await planAskApply(context, io, {
                plan: consents => provision.planOne(one, text, consents),
                apply: wish => provision.applyOne(one, text, { ...wish, what }),
            })
            if ('kind' in applied) return applied
            if (applied.failed.length > 0) throw failedFault(applied)
            refuseFindings(applied.left.findings)
            done = { steps: done.steps + applied.steps, id: applied.id }
            if (!waits) return doneView(applied.left.findings.filter(isCopying), done, await setsOf(system))
        } else if (!waits || !plan.findings.some(isCopying)) {
            if (waits) await waitForWork(system, io, context.signal)
            return doneView(plan.findings, done, await setsOf(system))
        }
        // What is being copied may not show at once: the plan says whether it is whole.
        await waitForWork(system, io, context.signal)
        await pause(context.signal)
    }
}

const isCopying = ({ code }: Finding) => code === COPYING

function doneView(
    findings: readonly Finding[],
    done: { steps: number; id: string },
    sets: readonly StorageSet[],
): View {
    const goesOn = sets
        .filter(({ work }) => work)
        .flatMap(set => [`${workWords(set)}, by itself, also over a reboot.`, FOLLOW])
    const words = done.steps > 0 ? `Done: ${done.steps} steps.` : 'Nothing to do.'
    const lines = [...findings.flatMap(findingLines), words, ...goesOn]
    return { kind: 'text', text: `${lines.join('\n')}\n`, json: asJson({ id: done.id, sets }) }
}

/** What speaks against the whole: there is no part of it that could be done. */
function refuseFindings(findings: readonly { severity: string; summary: string; detail?: string; fix?: string }[]) {
    const errors = findings.filter(({ severity }) => severity === 'error')
    const [first] = errors
    if (!first) return
    throw new Fault('precondition', {
        summary: first.summary,
        detail: [first, ...errors.slice(1)]
            .map(({ summary, detail }, at) => (at ? `${summary}: ${detail}` : detail))
            .join('; '),
        fix: first.fix ?? '',
    })
}

const percentWords = ({ words, percent }: NonNullable<StorageSet['work']>) => `${words}: ${percent.toFixed(1)} %`
const workWords = ({ name, work }: StorageSet) => `${name} ${percentWords(work!)}`

/** Says on standard error how far it is, each time that it has moved. */
async function waitForWork(machine: Probe, io: Io, signal: AbortSignal): Promise<void> {
    let said = ''
    for (;;) {
        const working = (await setsOf(machine)).filter(({ work }) => work)
        if (working.length === 0) return
        const words = working.map(workWords).join('; ')
        if (words !== said) io.stderr.write(`${words}\n`)
        said = words
        await pause(signal)
    }
}

async function pause(signal: AbortSignal, clock: Clock = realClock()): Promise<void> {
    await new Promise<void>(resolve => clock.after(POLL_MS, resolve))
    if (signal.aborted) {
        throw new Fault('cancelled', { summary: 'Nobody waits any longer; the copying goes on', fix: FOLLOW })
    }
}

function statusView(sets: readonly StorageSet[]): View {
    const width = Math.max(0, ...sets.flatMap(({ disks }) => disks).map(({ state }) => state.length)) + 2
    const lines = sets.flatMap(set => [
        `${set.name}: ${set.state}${set.work ? `; ${percentWords(set.work)}` : ''}`,
        ...set.disks.map(({ id, state, part, errors }) => {
            const counted = errors > 0 ? `, ${errors} errors` : ''
            return `  ${state.padEnd(width)}${id}${part ? ` (${part})` : ''}${counted}`
        }),
    ])
    const broken = sets.flatMap(({ disks }) => disks).find(({ works, part }) => !works && !part.includes('replacing'))
    if (broken) lines.push('', `To put another disk in its place: debvisor storage replace ${broken.id} NEW`)
    return {
        kind: 'text',
        text: lines.length > 0 ? `${lines.join('\n')}\n` : 'There is no pool.\n',
        json: asJson({ sets }),
        pending: sets.some(({ whole }) => !whole),
    }
}
