// What is wrong on a node that no plan can mend: looked at by checks of the capabilities, and told once when it begins and ends.
import { asFault } from '../base/fault.ts'
import type { Finding } from '../base/finding.ts'
import type { Probe } from '../ports/ports.ts'

/** `at` of its findings names the object: `pool:tank`, `disk:/dev/disk/by-id/…`, `unit:named.service`. */
export interface HealthCheck {
    /** `storage.zfs`: the capability. */
    name: string
    look(machine: Probe): Promise<Finding[]>
}

const ORDER = { error: 0, warning: 1, info: 2 }

/** All findings, the worst first. A check that cannot look is a finding of its own, and hides no other. */
export async function healthOf(checks: readonly HealthCheck[], machine: Probe): Promise<Finding[]> {
    const found = await Promise.all(checks.map(check => check.look(machine).catch(thrown => [unseen(check, thrown)])))
    return found.flat().sort((a, b) => ORDER[a.severity] - ORDER[b.severity] || (keyOf(a) < keyOf(b) ? -1 : 1))
}

const unseen = ({ name }: HealthCheck, thrown: unknown): Finding => ({
    ...{ severity: 'warning', code: 'not-seen', at: `check:${name}` },
    summary: 'A part of this machine could not be looked at',
    detail: `${name}: ${asFault(thrown).message}`,
    fix: asFault(thrown).fix || 'Look at it again: debvisor node health',
})

/** The same trouble with the same object, whatever its figures are by now. */
export const keyOf = ({ code, at }: Finding): string => `${code} ${at}`

export interface Changes {
    began: Finding[]
    ended: Finding[]
}

/** What is to be told to those who know of `told`. */
export function changesSince(told: readonly Finding[], now: readonly Finding[]): Changes {
    const known = new Set(told.map(keyOf))
    const present = new Set(now.map(keyOf))
    return {
        began: now.filter(finding => !known.has(keyOf(finding))),
        ended: told.filter(finding => !present.has(keyOf(finding))),
    }
}
