// The first boot: the document is carried out once, told on the consoles; what went well takes itself out of the boot.
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { asFault, Fault } from '../../base/fault.ts'
import { sample, titles } from '../../capabilities/table.provision.ts'
import type { View } from '../../capabilities/verb.ts'
import { type Consent, consentsTo } from '../../engine/consent.ts'
import { isEmpty, type Plan, withheldBy } from '../../engine/plan.ts'
import { DOCUMENT, type Provision } from '../../engine/provision.ts'
import { findingLines, renderPlan, summaryOf } from '../../engine/render.ts'
import type { Probe, System } from '../../ports/ports.ts'
import { realSystem } from '../../ports/real.ts'
import { cancellable, provisionAt } from './applying.ts'
import type { Io } from './io.ts'
import { PROFILE_FILE, readWish, type Wish, withoutConsents } from './profile-file.ts'
import { asJson, teller } from './provision-views.ts'

export const UNIT = 'debvisor-firstboot.service'
/** The screen at tty1. */
const SCREEN = 'debvisor-console.service'
const ACTIVE_CONSOLES = '/sys/class/tty/console/active'

interface FirstBoot {
    provision: Provision<unknown>
    system: System
    draft(wish: Wish): Promise<string>
    /** For whoever looks at the machine now. */
    say(text: string): void
    signal: AbortSignal
    dryRun: boolean
    /** Until the machine has calmed down. */
    pause(): Promise<void>
}

/** While a machine boots, even a look at it may take too long. */
const LOOKS = 4
const PAUSE_MS = 20_000

/** @throws Fault with how to go on; the service then stays enabled, and the next boot tries again */
export async function firstBoot(how: FirstBoot): Promise<View> {
    const { provision, system, say, dryRun } = how
    const wish = await readWish(system)
    const { text, isNew } = await documentOf(how, wish)
    if (isNew && !dryRun) {
        await system.makeDirectory('/etc/debvisor', 0o755)
        await system.writeFile(DOCUMENT, text, 0o644)
        say(`${DOCUMENT} is written from ${PROFILE_FILE}.\n`)
    }
    const plan = await patiently(how, () => provision.plan(text))
    if (dryRun)
        return {
            kind: 'text',
            text: renderPlan(plan, { titles, verbose: true }),
            json: asJson(plan),
            pending: !isEmpty(plan),
        }
    say(`DebVisor makes this machine what ${DOCUMENT} says: ${summaryOf(plan)}\n`)
    for (const finding of plan.findings) say(`${findingLines(finding).join('\n')}\n`)
    // A change of the network that the power cut off is tried again: nobody else is there to ask for it.
    const own = { by: 'first boot', leaveWithheld: true, retry: true, consents: consentsOf(plan, wish) }
    const options = { ...own, signal: how.signal, onEvent: teller(say) }
    const { id, failed, left, steps } = await patiently(how, () => provision.apply(text, options))
    if (failed.length > 0 || !isEmpty(left)) throw unfinished(id, failed.length, withheldBy(left))
    const off = await system.run({ argv: ['systemctl', 'disable', '--', UNIT], deadlineMs: 30_000 })
    if (off.exitCode !== 0) say(`${UNIT} could not be disabled; it finds nothing to do at the next boot.\n`)
    if (wish && wish.destroy.length > 0) {
        const file = (await system.readText(PROFILE_FILE)) ?? ''
        await system.writeFile(PROFILE_FILE, withoutConsents(file), 0o644)
    }
    const words = `Done: ${steps} steps. This machine is what its document says.\n`
    say(words)
    return { kind: 'text', text: '', json: { steps } }
}

/** Again where a look took too long: what was done meanwhile stays, and is not done twice. */
async function patiently<T>({ say, pause }: FirstBoot, work: () => Promise<T>): Promise<T> {
    for (let look = 1; ; look++) {
        try {
            return await work()
        } catch (thrown) {
            const { code, summary, detail } = asFault(thrown)
            if (code !== 'deadline' || look === LOOKS) throw thrown
            say(`${summary}: ${detail}. The machine is looked at again in a moment.\n`)
            await pause()
        }
    }
}

/** To the loss of what is on those disks that the plan would take. */
function consentsOf({ fingerprints }: Plan, wish: Wish | undefined): Consent[] {
    const targets = (wish?.destroy ?? []).map(id => `disk:${id}`).filter(target => Object.hasOwn(fingerprints, target))
    return consentsTo(targets, fingerprints)
}

async function documentOf(
    { provision, system, draft }: FirstBoot,
    wish: Wish | undefined,
): Promise<{ text: string; isNew: boolean }> {
    const text = await system.readText(DOCUMENT)
    // Mistakes are told with their lines by whoever plans it.
    if (text !== undefined) return { text, isNew: false }
    if (!wish) {
        throw new Fault('not-found', {
            summary: 'Nothing says what this machine should be',
            detail: `there is no ${DOCUMENT}, and no profile in ${PROFILE_FILE}`,
            fix: `Log in as root and write one: debvisor node init --profile zfs --write; then: systemctl start ${UNIT}`,
        })
    }
    const made = await draft(wish)
    const wrong = provision.read(made).findings.find(finding => finding.severity === 'error')
    if (!wrong) return { text: made, isNew: true }
    throw new Fault('invalid', {
        summary: 'A document could not be made from what this machine is',
        detail: `${wrong.at}: ${wrong.summary} (${wrong.detail})`,
        fix: `Log in as root and write it by hand: debvisor node init > ${DOCUMENT}; then: systemctl start ${UNIT}`,
    })
}

const unfinished = (id: string, failed: number, withheld: readonly string[]) =>
    new Fault('precondition', {
        summary: 'This machine is not yet what its document says',
        detail:
            failed > 0
                ? `${failed} ${failed === 1 ? 'step' : 'steps'} failed, see above`
                : withheld.length > 0
                  ? `somebody has to agree to the loss of what is on ${withheld.join(', ')}`
                  : 'something is left to do',
        fix:
            failed > 0 || withheld.length === 0
                ? `Log in as root. What happened: debvisor node history ${id} --verbose. Mend the cause (network, package archive, disk), then go on: systemctl start ${UNIT}, or boot again.`
                : `Log in as root. To agree: debvisor node apply ${withheld.map(target => `--destroy ${target}`).join(' ')}. Or take it out of ${DOCUMENT}.`,
    })

/** Whatever it was, what to type next stands at the end. */
export function howToGoOn(fault: Fault): Fault {
    if (fault.fix.includes('debvisor node') || fault.fix.includes(UNIT)) return fault
    const fix = `${fault.fix} Then go on: systemctl start ${UNIT}, or boot again.`.trimStart()
    return new Fault(fault.code, { ...fault, summary: fault.summary, fix, cause: fault })
}

/** On this machine: to standard output, and to the consoles where systemd keeps standard output in the journal. */
export async function firstBootHere(dryRun: boolean, io: Io): Promise<View> {
    const system = realSystem()
    const consoles = io.env.JOURNAL_STREAM && !dryRun ? await openConsoles(system) : []
    const say = (text: string) => {
        io.stdout.write(text)
        for (const console of consoles) console.write(text)
    }
    try {
        return await cancellable(signal =>
            firstBoot({
                ...{ provision: provisionAt(undefined), system, say, signal, dryRun },
                draft: ({ profile, zfsDisks: zfs, cephDisks: ceph }) => sample(system, profile, { zfs, ceph }),
                pause: () => new Promise(resolve => setTimeout(resolve, PAUSE_MS)),
            }),
        )
    } catch (thrown) {
        const fault = howToGoOn(asFault(thrown))
        for (const console of consoles) console.write(`${fault.message}\n${fault.fix}\n`)
        throw fault
    } finally {
        for (const console of consoles) console.close()
    }
}

/**
 * The screen, where nothing else draws it from the journal, and what the kernel was told to use as its console besides
 * it, such as a serial port.
 */
export async function consolesOf(probe: Probe): Promise<string[]> {
    const active = ((await probe.readText(ACTIVE_CONSOLES)) ?? '').trim().split(/\s+/)
    const drawn = await probe.query({ argv: ['systemctl', 'is-active', '--quiet', '--', SCREEN], deadlineMs: 30_000 })
    const names = [
        ...(drawn.exitCode === 0 ? [] : ['tty1']),
        ...active.filter(name => /^[a-zA-Z]+\d+$/.test(name) && !/^tty\d+$/.test(name)),
    ]
    return [...new Set(names)].map(name => `/dev/${name}`)
}

/** Those that can be opened now. */
export async function openConsoles(probe: Probe): Promise<{ write(text: string): void; close(): void }[]> {
    return (await consolesOf(probe)).flatMap(path => {
        try {
            // It must neither become the terminal of this process, nor wait for somebody to plug a cable in.
            const file = openSync(path, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK)
            const write = (text: string) => {
                try {
                    writeSync(file, text)
                } catch {
                    // A console that takes nothing more is no reason to stop.
                }
            }
            return [{ write, close: () => closeSync(file) }]
        } catch {
            return []
        }
    })
}
