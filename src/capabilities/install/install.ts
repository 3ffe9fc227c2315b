// Carries an installation out, from the first touch of a disk to the last unmount: three plans of the engine, in order.
import { asFault, Fault } from '../../base/fault.ts'
import type { Applied, ApplyEvent } from '../../engine/apply.ts'
import { openConsents } from '../../engine/consent.ts'
import type { System } from '../../ports/ports.ts'
import { seeBefore } from './observe.ts'
import type { TargetWant } from './plan.ts'
import type { SystemWant } from './plan-system.ts'
import type { Job } from './prepare.ts'
import type { InstallSpec } from './spec-answers.ts'
import {
    freshIds,
    type InstallDeps,
    MOUNT_AT,
    provisionOf,
    releaseResource,
    systemResource,
    targetConsents,
    targetResource,
} from './stages.ts'

/** Hashes of passwords while it runs: in memory, and root's alone. */
const SECRETS = '/run/debvisor-install'

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
 * @throws Fault `conflict` when a disk is not any more what was agreed to; of the step that failed. The same job may be
 * carried out again, and then begins anew.
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
    if (!job.begun) await checkDisks(deps, job)
    job.begun = true
    try {
        // An earlier try may hold the disks.
        await release(deps, job, wish)
        const { disks } = job.target
        const target = { ...job.target, ids: freshIds(disks.length), before: await seeBefore(machine, disks) }
        phase('Prepare the disks and unpack the system', 1)
        const consents = targetConsents(target)
        const { nodeText } = job.answers
        done(await provisionOf(deps, {}).applyOne(targetResource(target), nodeText, { ...wish, consents }))
        phase('Set the system up', 2)
        const secrets = await keepSecrets(machine, job.answers.document.install)
        const root = deps.rooted(MOUNT_AT)
        const system = systemWant(job, target, secrets)
        const inside = provisionOf(deps, { root, more: [systemResource(system)] })
        essential(await inside.apply(nodeText, wish))
        phase('Note what the first boot may take', 3)
        await (await openConsents(root)).give(job.consents.firstBoot)
        await keepRecord(deps)
        phase('Write everything to the disks', 4)
        done(await release(deps, job, wish))
    } finally {
        await machine.remove(SECRETS)
    }
}

/** People take their time over a plan, and have a shell beside it. */
async function checkDisks<T>({ machine, disks }: InstallDeps<T>, { target }: Job<T>): Promise<void> {
    const now = await disks(machine)
    for (const { id, fingerprint, words } of target.disks) {
        const disk = now.find(one => one.id === id)
        if (disk?.fingerprint === fingerprint && disk.mountpoints.length === 0) continue
        throw new Fault('conflict', {
            summary: 'A disk is not any more what was agreed to',
            detail: `${id} was ${words}; it is ${disk ? disk.words : 'gone'} now`,
            fix: 'Look at the plan again. Nothing was touched.',
        })
    }
}

/** Lets go of what an installation holds; for a shell, or a restart, after one that failed. */
export const release = <T>(
    deps: InstallDeps<T>,
    { target }: Pick<Job<T>, 'target'>,
    wish: { by: string; signal: AbortSignal },
): Promise<Applied> => provisionOf(deps, {}).applyOne(releaseResource(target), '', { ...wish, leaveWithheld: false })

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
    ...{ rootId: target.ids.root, serial: job.machine.serialPort, efi: job.machine.efi, enrols: job.enrols },
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
