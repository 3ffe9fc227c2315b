// What answers mean on this machine, settled and in words before anything is touched.
import { randomBytes } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { Consent } from '../../engine/consent.ts'
import type { Plan } from '../../engine/plan.ts'
import type { Answers } from './answers.ts'
import { checkMachine, findImage, freeNames, type MachineSeen, seeBefore, seeMachine } from './observe.ts'
import type { TargetWant } from './plan.ts'
import { type Disk, selectDisks } from './spec.ts'
import type { InstallSpec } from './spec-answers.ts'
import { freshIds, type InstallDeps, MOUNT_AT, provisionOf, targetConsents, targetResource } from './stages.ts'
import { usesZfs, type Words, wordsOf } from './words.ts'

export interface Job<T> {
    answers: Answers<T>
    machine: MachineSeen
    target: TargetWant
    machineId: string
    /** The plan of the disks of the system. */
    plan: Plan
    /** To the end of what is on them, and on those that the first boot takes. */
    consents: { target: Consent[]; firstBoot: Consent[] }
    /** Secure Boot is on, and is to trust a key of this machine from the restart on. */
    enrols: boolean
    /** Something was written already: what is on the disks is not what was agreed to, but our own. */
    begun: boolean
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
    const image = await findImage(machine, seen.arguments, options.image)
    const disks = await deps.disks(machine)
    const { chosen, findings } = selectDisks(install, disks)
    refuse('The disk of the system is not clear', findings.map(located))
    const extra = disks.filter(disk => !chosen.includes(disk))
    refuse('The answers agree to the loss of a disk that is not there', unknownConsents(install, disks))
    const agreed = consentsOf(install, extra)
    const storage = deps.preview(answers.document, extra, agreed)
    refuse(
        'The disks of the node are not clear',
        storage.findings.filter(finding => finding.severity === 'error'),
    )
    const names = await freeNames(machine, `-${randomBytes(2).toString('hex')}`)
    const before = await seeBefore(machine, chosen)
    const ids = freshIds(chosen.length)
    const { rootFs } = install
    const target: TargetWant = { disks: chosen, image, mountAt: MOUNT_AT, rootFs, ids, names, before }
    const plan = await provisionOf(deps, {}).planOne(targetResource(target), '', targetConsents(target))
    const firstBoot = storage.destroys.flatMap(name => {
        const fingerprint = agreed.get(name)
        return fingerprint === undefined ? [] : [{ target: name, fingerprint }]
    })
    const enrols = install.enrolKey && seen.secureBoot && usesZfs(answers.document)
    return {
        ...{ answers, machine: seen, target, plan, machineId: randomBytes(16).toString('hex') },
        consents: { target: targetConsents(target), firstBoot },
        ...{ begun: false, enrols },
        words: wordsOf({ storage, plan, document: answers.document, machine: seen, all: disks, enrols }),
    }
}

/** What would die on the disks of the system without a yes in the answers: nobody is there who could be asked. */
export function unagreed<T>({ target, answers }: Job<T>): string[] {
    const { consent } = answers.document.install
    if (consent.includes('target')) return []
    const isNamed = (disk: Disk) => consent.some(word => wordsFor(disk).includes(word))
    return target.disks.filter(disk => !disk.blank && !isNamed(disk)).map(({ id, words }) => `${id} (${words})`)
}

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

function unknownConsents({ consent }: InstallSpec, disks: readonly Disk[]): Finding[] {
    const unknown = consent.filter(word => word !== 'target' && !disks.some(disk => wordsFor(disk).includes(word)))
    return unknown.map(word => ({
        ...{ severity: 'error', code: 'no-such-disk', at: 'install.consent', summary: 'There is no such disk' },
        ...{ detail: word, fix: `There are: ${disks.map(({ id }) => id).join(', ')}.` },
    }))
}

/** What is not blank and may be erased, as it is now. */
function consentsOf({ consent }: InstallSpec, extra: readonly Disk[]): Map<string, string> {
    const agreed = new Map<string, string>()
    for (const word of consent) {
        for (const disk of extra) if (wordsFor(disk).includes(word)) agreed.set(`disk:${disk.id}`, disk.fingerprint)
    }
    return agreed
}
