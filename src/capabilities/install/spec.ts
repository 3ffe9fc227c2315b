// Which disks the system is put on: an answer of whoever installs, and no part of the node's document.
import { z } from 'zod'
import type { Finding } from '../../base/finding.ts'
import { parseSizeBytes } from '../../base/units.ts'

const size = z.string().regex(/^\d+(\.\d+)?\s*[KMGTP]?(iB|B)?$/i, 'a size, such as 480G')

/** One disk, by what a person knows of it. */
const selector = z.union([
    z.literal('smallest'),
    z
        .strictObject({
            id: z.string().min(1).optional().describe('Its name below /dev/disk/by-id, or its serial number.'),
            model: z.string().min(1).optional().describe('A part of its model, as the vendor writes it.'),
            minSize: size.optional().describe('At least this large, such as 200G.'),
            maxSize: size.optional().describe('At most this large.'),
        })
        .refine(one => Object.values(one).some(value => value !== undefined), 'say id, model, minSize or maxSize'),
])

export const targetDisks = z
    .array(selector)
    .min(1)
    .max(2)
    .describe('The disk that the system is put on; of two, each has all of it.')
export const targetSpec = z.strictObject({ disks: targetDisks })

export type Selector = z.infer<typeof selector>
export type TargetSpec = z.infer<typeof targetSpec>

/** A disk as the installer needs to know it; capability `disks` tells. */
export interface Disk {
    id: string
    path: string
    serial: string
    model: string
    sizeBytes: number
    system: boolean
    removable: boolean
    readOnly: boolean
    blank: boolean
    mountpoints: readonly string[]
    fingerprint: string
    /** For people: size, model, what it holds. */
    words: string
}

/** What the system and room for checkpoints of upgrades take. */
export const LEAST_BYTES = 16 * 1024 ** 3

const may = (disk: Disk) => !disk.system && !disk.readOnly && disk.mountpoints.length === 0

/** The disks that are meant, in the order of the selectors. Each has to mean one, and no two the same. */
export function selectDisks(
    spec: Pick<TargetSpec, 'disks'>,
    disks: readonly Disk[],
): { chosen: Disk[]; findings: Finding[] } {
    const chosen: Disk[] = []
    const findings: Finding[] = []
    spec.disks.forEach((wish, index) => {
        const at = `disks[${index}]`
        const rest = disks.filter(disk => !chosen.includes(disk))
        const found = wish === 'smallest' ? smallestOf(rest) : rest.filter(disk => isMeant(wish, disk))
        const free = found.filter(may)
        const [disk, another] = free
        if (disk && !another) {
            if (disk.sizeBytes >= LEAST_BYTES) chosen.push(disk)
            else findings.push(tooSmall(at, disk))
        } else if (another) findings.push(several(at, free))
        else findings.push(found[0] ? notFree(at, found[0]) : none(at, disks))
    })
    return { chosen, findings }
}

export function isMeant({ id, model, minSize, maxSize }: Exclude<Selector, 'smallest'>, disk: Disk): boolean {
    const names = [disk.id, disk.id.replace(/^.*\//, ''), disk.path, disk.serial].filter(Boolean)
    return (
        (id === undefined || names.includes(id)) &&
        (model === undefined || disk.model.toLowerCase().includes(model.toLowerCase())) &&
        (minSize === undefined || disk.sizeBytes >= parseSizeBytes(minSize)) &&
        (maxSize === undefined || disk.sizeBytes <= parseSizeBytes(maxSize))
    )
}

/** Of those that are large enough and do not come and go; the first by its name where several are as small. */
function smallestOf(disks: readonly Disk[]): Disk[] {
    const fit = disks.filter(disk => may(disk) && !disk.removable && disk.sizeBytes >= LEAST_BYTES)
    return fit.sort((a, b) => a.sizeBytes - b.sizeBytes || (a.id < b.id ? -1 : 1)).slice(0, 1)
}

const named = (disks: readonly Disk[]) => disks.map(disk => `${disk.id} (${disk.words})`).join(', ')

const none = (at: string, disks: readonly Disk[]): Finding => ({
    ...{ severity: 'error', code: 'no-such-disk', at, detail: '' },
    summary: 'No disk of this machine is meant',
    fix: disks.some(may) ? `There are: ${named(disks.filter(may))}.` : 'There is no disk that could be taken.',
})
const several = (at: string, disks: readonly Disk[]): Finding => ({
    ...{ severity: 'error', code: 'several-disks', at, detail: named(disks) },
    summary: 'Several disks are meant, and one has to be',
    fix: 'Name it by its id.',
})
const notFree = (at: string, disk: Disk): Finding => ({
    ...{ severity: 'error', code: 'disk-in-use', at, detail: `${disk.id} (${disk.words})` },
    summary: disk.system ? 'The running system stands on that disk' : 'That disk is in use, or can only be read',
    fix: 'Name another disk.',
})
const tooSmall = (at: string, disk: Disk): Finding => ({
    ...{ severity: 'error', code: 'disk-too-small', at, detail: `${disk.id} (${disk.words})` },
    summary: 'That disk is too small',
    fix: `The system takes at least ${LEAST_BYTES / 1024 ** 3} GiB.`,
})
