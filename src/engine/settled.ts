// Which units run with which contents of their files: a small record, so that a restart that never came is made up for.
import type { Probe, System } from '../ports/ports.ts'

/** Hash of what a unit reads, by its name; of its last start or reload by an apply. */
export type Settled = Record<string, string>

export const SETTLED_FILE = '/var/lib/debvisor/settled.json'

/** Empty where there is none, or none that can be read: then every unit that reads files is restarted once more. */
export async function settledIn(root: Probe): Promise<Settled> {
    try {
        const told: unknown = JSON.parse((await root.readText(SETTLED_FILE)) ?? '{}')
        return told && typeof told === 'object' ? (told as Settled) : {}
    } catch {
        return {}
    }
}

/** Changes one unit's record; durable when it returns. */
export async function settle(root: System, unit: string, hash: string | undefined): Promise<void> {
    const settled = await settledIn(root)
    if (settled[unit] === hash) return
    if (hash === undefined) delete settled[unit]
    else settled[unit] = hash
    await root.writeFile(SETTLED_FILE, `${JSON.stringify(settled)}\n`, 0o600)
}
