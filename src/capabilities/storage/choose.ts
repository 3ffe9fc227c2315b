// Which disks a kind of storage takes: those that the document names, or the blank ones and those that somebody agreed to.
import type { Finding } from '../../base/finding.ts'
import type { Agreed } from '../../engine/plan.ts'

/** A disk as this family needs to know it; capability `disks` tells. */
export interface Disk {
    id: string
    system: boolean
    removable: boolean
    readOnly: boolean
    blank: boolean
    mountpoints: readonly string[]
    fingerprint: string
    /** For people: size, model, what it holds. */
    words: string
}

/** The word of `destroys` and `claims`. */
export const target = (id: string): string => `disk:${id}`

/** It was begun by an apply of this node, and is not whole: ours to make anew. */
export const isBegun = (what: string, agreed: Agreed): boolean => agreed.has(what) && agreed.get(what) === undefined

export interface Choice<D extends Disk> {
    /** Those that are not blank need consent, unless they were begun. */
    chosen: D[]
    findings: Finding[]
    fingerprints: Record<string, string>
}

/** `at` is the key of the document that says `disks`. */
export function choose<D extends Disk>(
    at: string,
    disks: 'extra' | readonly string[],
    from: { all: readonly D[]; agreed: Agreed; except?: readonly string[] },
): Choice<D> {
    const findings: Finding[] = []
    const all = from.all.filter(disk => !from.except?.includes(disk.id))
    const free = all.filter(disk => !disk.system && !disk.readOnly && disk.mountpoints.length === 0)
    const named = disks === 'extra' ? undefined : disks
    const candidates = named ? free.filter(disk => named.includes(disk.id)) : free.filter(disk => !disk.removable)
    const fingerprints = Object.fromEntries(
        candidates.filter(disk => !disk.blank).map(disk => [target(disk.id), disk.fingerprint]),
    )
    for (const id of named ?? []) {
        const disk = all.find(one => one.id === id)
        if (!disk) findings.push(noSuchDisk(at, id, free))
        else if (!free.includes(disk)) findings.push(notFree(at, disk))
    }
    const chosen = named ? candidates : candidates.filter(disk => disk.blank || from.agreed.has(target(disk.id)))
    for (const disk of candidates) if (!chosen.includes(disk)) findings.push(leftAlone(at, disk))
    return { chosen, findings, fingerprints }
}

const noSuchDisk = (at: string, id: string, free: readonly Disk[]): Finding => ({
    ...{ severity: 'error', code: 'no-such-disk', at, detail: id },
    summary: 'A disk of the document is not there',
    fix: free.length > 0 ? `Free disks are: ${free.map(disk => disk.id).join(', ')}.` : 'There is no free disk.',
})

const notFree = (at: string, disk: Disk): Finding => ({
    ...{ severity: 'error', code: 'disk-in-use', at },
    summary: disk.system ? 'The running system stands on that disk' : 'That disk is in use',
    detail: `${disk.id} (${disk.words})`,
    fix: disk.system ? 'Name another disk.' : 'Unmount what is on it, or name another disk.',
})

const leftAlone = (at: string, disk: Disk): Finding => ({
    ...{ severity: 'info', code: 'disk-left-alone', at },
    summary: 'A disk is left alone, because something is on it',
    detail: `${disk.id} (${disk.words})`,
    fix: `To destroy what is on it and use it: --destroy ${target(disk.id)}`,
})
