// An installation from the answers to the last unmount: what is meant is settled, shown, and carried out by the engine.
import { randomBytes, randomUUID } from 'node:crypto'
import type { z } from 'zod'
import { asFault, Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { Applied, ApplyEvent } from '../../engine/apply.ts'
import { type Consent, openConsents } from '../../engine/consent.ts'
import type { Check } from '../../engine/document.ts'
import { type Kit, kitOf } from '../../engine/kit.ts'
import type { Agreed, Plan } from '../../engine/plan.ts'
import { createProvision } from '../../engine/provision.ts'
import { type Resource, resource } from '../../engine/resource.ts'
import type { Clock, Probe, System } from '../../ports/ports.ts'
import type { Answers } from './answers.ts'
import {
    checkMachine,
    findImage,
    freeNames,
    type MachineSeen,
    seeHeld,
    seeMachine,
    seeSystem,
    seeTarget,
} from './observe.ts'
import { noteFile, planRelease, planTarget, type ReleaseSeen, type TargetSeen, type TargetWant } from './plan.ts'
import { planSystem, type SystemSeen, type SystemWant } from './plan-system.ts'
import { type Disk, selectDisks } from './spec.ts'
import type { InstallSpec } from './spec-answers.ts'
import { diskTools, systemTools } from './tools.ts'
import { type Words, wordsOf } from './words.ts'

export const MOUNT_AT = '/target'
/** Hashes of passwords while it runs: in memory, and root's alone. */
const SECRETS = '/run/debvisor-install'

/** What storage will come at the first boot; capability `storage` tells. */
export interface Preview {
    says: string[]
    destroys: string[]
    findings: Finding[]
    fingerprints: Record<string, string>
}

export interface InstallDeps<T> {
    machine: System
    /** A tree below a folder, with its tools run inside it. */
    rooted(folder: string): System
    clock: Clock
    pid: number
    /** Of the document of a node. */
    schema: z.ZodType<T>
    checks: readonly Check<T>[]
    resources: readonly Resource[]
    kit: Kit
    disks(machine: Probe): Promise<Disk[]>
    preview(document: T, disks: readonly Disk[], agreed: Agreed): Preview
}

export interface Job<T> {
    answers: Answers<T>
    machine: MachineSeen
    target: TargetWant
    machineId: string
    /** The plan of the disks of the system. */
    plan: Plan
    /** To the end of what is on them, and on those that the first boot takes. */
    consents: { target: Consent[]; firstBoot: Consent[] }
    /** For whoever has to agree. */
    words: Words
}

/**
 * Settles what the answers mean on this machine. Touches nothing.
 * @throws Fault `precondition`, `not-found` or `invalid`, with all findings, when it cannot be carried out
 */
export async function prepare<T extends { profile: string }>(
    deps: InstallDeps<T>,
    answers: Answers<T>,
    options: { image?: string } = {},
): Promise<Job<T>> {
    const { machine } = deps
    const { install } = answers.document
    const seen = await seeMachine(machine)
    checkMachine(install.machine, seen)
    const image = await findImage(machine, options.image)
    const disks = await deps.disks(machine)
    const { chosen, findings } = selectDisks(install, disks)
    refuse('The disk of the system is not clear', findings.map(located))
    const extra = disks.filter(disk => !chosen.includes(disk))
    const agreed = consentsOf(install, extra)
    const storage = deps.preview(answers.document, extra, agreed)
    refuse(
        'The disks of the node are not clear',
        storage.findings.filter(finding => finding.severity === 'error'),
    )
    const names = await freeNames(machine, `-${randomBytes(2).toString('hex')}`)
    const target: TargetWant = { disks: chosen, image, mountAt: MOUNT_AT, ids: freshIds(chosen.length), names }
    const plan = await provisionOf(deps, {}).planOne(targetResource(target), '', targetConsents(target))
    const firstBoot = storage.destroys.flatMap(name => {
        const fingerprint = agreed.get(name)
        return fingerprint === undefined ? [] : [{ target: name, fingerprint }]
    })
    return {
        ...{ answers, machine: seen, target, plan, machineId: randomBytes(16).toString('hex') },
        consents: { target: targetConsents(target), firstBoot },
        words: wordsOf({ storage, plan, document: answers.document, machine: seen, all: disks }),
    }
}

/** What would die on the disks of the system without a yes in the answers: nobody is there who could be asked. */
export function unagreed<T>({ target, answers }: Job<T>): string[] {
    const { consent } = answers.document.install
    if (consent.includes('target')) return []
    const isNamed = (disk: Disk) => consent.some(word => wordsFor(disk).includes(word))
    return target.disks.filter(disk => !disk.blank && !isNamed(disk)).map(({ id, words }) => `${id} (${words})`)
}

export interface Phase {
    /** What is done now, for people. */
    title: string
    at: number
    of: number
}

export interface Telling {
    onPhase?(phase: Phase): void
    onEvent?(event: ApplyEvent): void
    signal: AbortSignal
    /** In the journal. */
    by: string
}

/**
 * Installs. When it returns, nothing of the target is mounted, and all is on the disks.
 * @throws Fault of the step that failed; the same job may be carried out again, and then begins anew
 */
export async function carryOut<T extends { profile: string }>(
    deps: InstallDeps<T>,
    job: Job<T>,
    telling: Telling,
): Promise<void> {
    const { machine } = deps
    const { signal, by, onEvent } = telling
    const wish = { by, signal, leaveWithheld: false, ...(onEvent ? { onEvent } : {}) }
    const phase = (title: string, at: number) => telling.onPhase?.({ title, at, of: 4 })
    try {
        // An earlier try may hold the disks.
        await release(deps, job, wish)
        const target = { ...job.target, ids: freshIds(job.target.disks.length) }
        phase('Prepare the disks and unpack the system', 1)
        const consents = targetConsents(target)
        done(await provisionOf(deps, {}).applyOne(targetResource(target), '', { ...wish, consents }))
        phase('Set the system up', 2)
        const secrets = await keepSecrets(machine, job.answers.document.install)
        const root = deps.rooted(MOUNT_AT)
        const system = systemWant(job, target, secrets)
        const inside = provisionOf(deps, { root, more: [systemResource(system)] })
        essential(await inside.apply(job.answers.nodeText, wish))
        phase('Note what the first boot may take', 3)
        await (await openConsents(root)).give(job.consents.firstBoot)
        await keepRecord(deps)
        phase('Write everything to the disks', 4)
        done(await release(deps, job, wish))
    } finally {
        await machine.remove(SECRETS)
    }
}

/** Lets go of what an installation holds; for a shell, or a restart, after one that failed. */
export const release = <T>(
    deps: InstallDeps<T>,
    { target }: Pick<Job<T>, 'target'>,
    wish: { by: string; signal: AbortSignal },
): Promise<Applied> => provisionOf(deps, {}).applyOne(releaseResource(target), '', { ...wish, leaveWithheld: false })

const located = (finding: Finding): Finding => ({ ...finding, at: `install.${finding.at}` })

function refuse(summary: string, findings: readonly Finding[]): void {
    const [first] = findings
    if (!first) return
    const detail = findings.map(({ at, summary, detail }) => `${at}: ${summary}${detail ? ` (${detail})` : ''}`)
    throw new Fault('precondition', {
        ...{ summary, detail: detail.join('; '), fix: first.fix ?? '', at: first.at, findings: [...findings] },
    })
}

const wordsFor = (disk: Disk) => [disk.id, disk.id.replace(/^.*\//, ''), disk.serial].filter(Boolean)

/** What is not blank and may be erased, as it is now. */
function consentsOf({ consent }: InstallSpec, extra: readonly Disk[]): Map<string, string> {
    const agreed = new Map<string, string>()
    for (const word of consent) {
        for (const disk of extra) if (wordsFor(disk).includes(word)) agreed.set(`disk:${disk.id}`, disk.fingerprint)
    }
    return agreed
}

const targetConsents = ({ disks }: TargetWant): Consent[] =>
    disks.filter(disk => !disk.blank).map(({ id, fingerprint }) => ({ target: `disk:${id}`, fingerprint }))

/** FAT has 32 bits, the rest are UUIDs. */
const freshIds = (disks: number): TargetWant['ids'] => ({
    ...{ root: randomUUID(), boot: randomUUID() },
    esp: Array.from({ length: disks }, () => {
        const hex = randomBytes(4).toString('hex').toUpperCase()
        return `${hex.slice(0, 4)}-${hex.slice(4)}`
    }),
})

/** Of the disks where no root is given; else of the system below it, whose document is the node's. */
function provisionOf<T>(deps: InstallDeps<T>, { root, more = [] }: { root?: System; more?: readonly Resource[] }) {
    const { machine, clock, pid } = deps
    const before = [...deps.kit.tools.values()].filter(tool => !systemTools.some(({ name }) => name === tool.name))
    const kit = root ? kitOf([...before, ...systemTools], [...deps.kit.guards.values()]) : kitOf(diskTools)
    return createProvision({
        ...{ kit, clock, pid, touch: { phase: 'image', root: root ?? machine, machine } },
        ...(root
            ? { schema: deps.schema, checks: deps.checks, resources: [...deps.resources, ...more] }
            : { schema: anything as unknown as InstallDeps<T>['schema'], checks: [], resources: [] }),
    })
}

const anything = { safeParse: (data: unknown) => ({ success: true, data }) }

const targetResource = (want: TargetWant): Resource =>
    resource<object, TargetWant, TargetSeen>({
        ...{ name: 'install.target', phases: ['image'], want: () => want, plan: planTarget },
        observe: ({ machine }) => seeTarget(machine, noteFile(want.mountAt)),
    }) as Resource

const releaseResource = (want: TargetWant): Resource =>
    resource<object, TargetWant, ReleaseSeen>({
        ...{ name: 'install.release', phases: ['image'], want: () => want, plan: planRelease },
        observe: ({ machine }) => seeHeld(machine, want),
    }) as Resource

/** Behind the accounts, whose passwords it sets. */
const systemResource = (want: SystemWant): Resource =>
    resource<object, SystemWant, SystemSeen>({
        ...{ name: 'install.system', phases: ['image'], needs: ['users'], want: () => want, plan: planSystem },
        observe: ({ root }) => seeSystem(root),
    }) as Resource

interface Secrets {
    passwords: SystemWant['passwords']
    panel?: SystemWant['panel']
}

async function keepSecrets(machine: System, { passwords, panel }: InstallSpec): Promise<Secrets> {
    await machine.makeDirectory(SECRETS, 0o700)
    const put = async (name: string, text: string) => {
        await machine.writeFile(`${SECRETS}/${name}`, text, 0o600)
        return { file: `${SECRETS}/${name}` }
    }
    const kept: SystemWant['passwords'][number][] = []
    for (const [name, hash] of Object.entries(passwords))
        kept.push({ name, hash: await put(`password-${name}`, `${hash}\n`) })
    const [admin] = Object.entries(panel)
    if (!admin) return { passwords: kept }
    const [name, hash] = admin
    return { passwords: kept, panel: await put('panel', `${JSON.stringify({ name, hash })}\n`) }
}

const systemWant = <T extends { profile: string }>(job: Job<T>, target: TargetWant, secrets: Secrets): SystemWant => ({
    ...{ disks: target.disks, profile: job.answers.document.profile, machineId: job.machineId },
    ...{ rootId: target.ids.root, serial: job.machine.serialConsole, efi: job.machine.efi },
    ...secrets,
})

/** @throws Fault `precondition` with the step that failed */
function done({ failed, id }: Applied): void {
    const [first] = failed
    if (!first) return
    const { problem, step } = first
    throw new Fault('precondition', {
        summary: 'A step of the installation failed',
        detail: `${step.say}: ${problem.summary}${problem.detail ? ` (${problem.detail})` : ''}`,
        fix: `What the tools said is in the log (/var/lib/debvisor/applies/${id}). Mend the cause, then try again: it begins anew.`,
        at: step.say,
    })
}

/** The first boot carries out the whole document again: of the rest only what starts the system must be there now. */
const ESSENTIAL = /^(install\.|users\.accounts$)/

function essential(applied: Applied): void {
    const failed = applied.failed.filter(({ resource }) => ESSENTIAL.test(resource))
    done({ ...applied, failed })
    const left = applied.left.groups.find(group => ESSENTIAL.test(group.resource))
    if (!left) return
    const why = left.errors[0]
    throw new Fault('precondition', {
        summary: why?.summary ?? 'The system could not be set up',
        detail: why?.detail ?? left.resource,
        fix: why?.fix ?? 'Look at the log, then try again.',
    })
}

/** The history of the node begins with its installation. */
async function keepRecord<T>({ machine }: InstallDeps<T>): Promise<void> {
    const folder = '/var/lib/debvisor/applies'
    try {
        for (const id of await machine.list(folder)) {
            const text = await machine.readText(`${folder}/${id}/journal`)
            const document = await machine.readText(`${folder}/${id}/node.yaml`)
            if (text === undefined || document === undefined) continue
            const to = `${MOUNT_AT}${folder}/${id}`
            await machine.makeDirectory(to, 0o700)
            await machine.writeFile(`${to}/node.yaml`, document, 0o600)
            await machine.writeFile(`${to}/journal`, text, 0o600)
        }
    } catch (thrown) {
        // Without it the node is as whole; a full disk is told by what comes next.
        if (asFault(thrown).code === 'exhausted') throw thrown
    }
}
