// What an installation will do, in words, for whoever has to agree before a byte is written.

import type { Plan } from '../../engine/plan.ts'
import { destroyedBy } from '../../engine/step.ts'
import type { MachineSeen } from './observe.ts'
import type { Disk } from './spec.ts'

export interface Words {
    /** Disks whose contents are gone afterwards, with what is on them and when. */
    destroys: { id: string; words: string; when: 'now' | 'at the first boot' }[]
    /** What is done before the restart, a sentence a step. */
    now: string[]
    /** What the first boot does. */
    firstBoot: string[]
    /** What somebody should know before. */
    warnings: string[]
    /** What somebody has to do at the restart. */
    restart: string[]
}

interface About {
    storage: { says: string[]; destroys: string[]; findings: { severity: string; summary: string; detail?: string }[] }
    plan: Plan
    document: object
    machine: MachineSeen
    /** All disks that could be taken, for their words. */
    all: readonly Disk[]
    /** The key of the machine is enrolled. */
    enrols: boolean
}

export function wordsOf({ storage, plan, document, machine, all, enrols }: About): Words {
    const steps = plan.groups.flatMap(group => group.steps)
    const wordsFor = (target: string) => all.find(disk => `disk:${disk.id}` === target)
    const named = (targets: readonly string[], when: Words['destroys'][number]['when']) =>
        targets.flatMap(target => {
            const disk = wordsFor(target)
            return disk ? [{ id: disk.id, words: disk.words, when }] : []
        })
    return {
        destroys: [...named(destroyedBy(steps), 'now'), ...named(storage.destroys, 'at the first boot')],
        now: [
            ...steps.map(step => step.say),
            'Set name, language, accounts, passwords and network as the document says',
            'Make the disk boot by BIOS and by UEFI',
        ],
        firstBoot: [...storage.says, ...partsOf(document)],
        warnings: [
            ...storage.findings
                .filter(({ severity }) => severity !== 'error')
                .map(({ summary, detail }) => `${summary}${detail ? `: ${detail}` : ''}`),
            ...(machine.secureBoot && usesZfs(document) ? [enrols ? ENROL : SECURE_BOOT] : []),
        ],
        restart: enrols ? [ENROL] : [],
    }
}

const SECURE_BOOT =
    'Secure Boot is on, and the module of ZFS is not signed: the kernel will not load it. ' +
    'Enrol a key (install.enrolKey), turn Secure Boot off, or use the profile ceph'

const ENROL =
    'Secure Boot is on. At the restart the firmware shows "Perform MOK management": choose Enroll MOK, Continue, Yes, ' +
    'type the password of root, and Reboot. Without that the kernel will not load the module of ZFS.'

export const usesZfs = (document: object) => (document as { profile?: string }).profile !== 'ceph'

type Part = { enabled?: boolean } | undefined

function partsOf(document: object): string[] {
    const { vm, docker, kubernetes, cockpit } = document as Record<string, Part>
    const parts: Record<string, Part> = { libvirt: vm, Docker: docker, Kubernetes: kubernetes, Cockpit: cockpit }
    const on = Object.keys(parts).filter(name => parts[name]?.enabled === true)
    return [`Set up ${[...on, 'the firewall'].join(', ')}`]
}

/** The same as lines of text. */
export function textOf({ destroys, now, firstBoot, warnings }: Words): string {
    const list = (title: string, lines: readonly string[]) =>
        lines.length > 0 ? [title, ...lines.map(line => `  ${line}`), ''] : []
    return [
        ...list(
            'DATA WILL BE DESTROYED on:',
            destroys.map(({ id, words, when }) => `${id} (${words}), ${when}`),
        ),
        ...warnings.flatMap(line => [`Note: ${line}`, '']),
        ...list('Now:', now),
        ...list('At the first boot:', firstBoot),
    ].join('\n')
}
