// Who said yes to which destruction: one-shot records, and the intents that make a half-made thing ours to finish.
import { Fault } from '../base/fault.ts'
import type { System } from '../ports/ports.ts'
import { STATE } from './history.ts'
import type { Agreed, Plan } from './plan.ts'

/** A yes to one destruction, for what was seen on the target when it was given. */
export interface Consent {
    /** The word of a step's `destroys`: `disk:/dev/disk/by-id/…`. */
    target: string
    /** What stood on it: a resource compares it with what it sees, and takes another for no consent. */
    fingerprint: string
}

/** Written before a destruction begins: what it makes is ours to finish, and to make anew, until it is whole. */
export interface Intent {
    target: string
    apply: string
    resource: string
}

/**
 * To the destruction of these targets, as they are in the plan that named them.
 * @throws Fault `invalid` for one that the plan does not name
 */
export function consentsTo(targets: readonly string[], fingerprints: Plan['fingerprints']): Consent[] {
    return targets.map(target => {
        const fingerprint = Object.hasOwn(fingerprints, target) ? fingerprints[target] : undefined
        if (fingerprint !== undefined) return { target, fingerprint }
        const known = Object.keys(fingerprints)
        throw new Fault('invalid', {
            summary: 'There is nothing of that name that could be destroyed',
            detail: target,
            fix: known.length > 0 ? `There are: ${known.join(', ')}.` : 'The plan can do without any consent.',
            at: 'destroy',
        })
    })
}

interface Kept {
    consents: Consent[]
    intents: Intent[]
}

export const CONSENT_FILE = `${STATE}/consent.json`

export interface Consents {
    /** Given and not spent, and what was begun and is not whole. */
    agreed(): Agreed
    give(consents: readonly Consent[]): Promise<void>
    /** Durable when it returns: from here on the target is ours. Spends the consent. */
    begin(targets: readonly string[], by: { apply: string; resource: string }): Promise<void>
    /** What was made of these targets is whole: from here on nothing of them is made anew by this. */
    finish(targets: readonly string[]): Promise<void>
    /** Takes back what was given and not spent. */
    drop(): Promise<void>
}

/** The records of a node. @throws Fault `precondition` when the file cannot be understood: then nothing is destroyed */
export async function openConsents(root: System): Promise<Consents> {
    const kept = await read(root)
    const save = async () => {
        // The first thing that is ever kept may be a consent.
        await root.makeDirectory(STATE, 0o711)
        await root.writeFile(CONSENT_FILE, `${JSON.stringify(kept)}\n`, 0o600)
    }
    return {
        agreed: () =>
            new Map([
                ...kept.consents.map(one => [one.target, one.fingerprint] as const),
                ...kept.intents.map(one => [one.target, undefined] as const),
            ]),
        give: async consents => {
            if (consents.length === 0) return
            const given = new Set(consents.map(one => one.target))
            kept.consents = [...kept.consents.filter(one => !given.has(one.target)), ...consents]
            await save()
        },
        begin: async (targets, by) => {
            const fresh = targets.filter(target => !kept.intents.some(one => one.target === target))
            if (fresh.length === 0) return
            kept.intents.push(...fresh.map(target => ({ target, ...by })))
            kept.consents = kept.consents.filter(one => !targets.includes(one.target))
            await save()
        },
        finish: async targets => {
            if (!kept.intents.some(one => targets.includes(one.target))) return
            kept.intents = kept.intents.filter(one => !targets.includes(one.target))
            await save()
        },
        drop: async () => {
            if (kept.consents.length === 0) return
            kept.consents = []
            await save()
        },
    }
}

async function read(root: System): Promise<Kept> {
    const text = await root.readText(CONSENT_FILE)
    if (text === undefined) return { consents: [], intents: [] }
    try {
        const { consents, intents } = JSON.parse(text) as Kept
        if (Array.isArray(consents) && Array.isArray(intents)) return { consents, intents }
    } catch {
        // Said below.
    }
    throw new Fault('precondition', {
        summary: 'The record of consents cannot be read',
        detail: CONSENT_FILE,
        fix: 'Look at it. When nothing is half made, remove it; consents are then asked for again.',
    })
}
