// Tells each target what is new since it was told last; what could not be sent is told the next time.
import { asFault, type Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { changesSince, keyOf } from '../../engine/health.ts'
import type { System } from '../../ports/ports.ts'
import { messageOf } from './message.ts'
import type { Target } from './targets.ts'

export const TOLD = '/var/lib/debvisor/health.json'

type Told = Partial<Record<Target['name'], Finding[]>>

export interface Telling {
    system: System
    node: string
    targets: readonly Target[]
    findings: readonly Finding[]
}

/** Which targets were told something, and the faults of those that could not be. */
export async function tell({ system, node, targets, findings }: Telling): Promise<{ told: string[]; faults: Fault[] }> {
    const now = findings.filter(({ severity }) => severity !== 'info')
    const known = readTold(await system.readText(TOLD))
    const told: string[] = []
    const faults: Fault[] = []
    for (const { name, send } of targets) {
        const changes = changesSince(known[name] ?? [], now)
        if (changes.began.length + changes.ended.length === 0) continue
        const before = new Set((known[name] ?? []).map(keyOf))
        const still = now.filter(finding => before.has(keyOf(finding)))
        try {
            await send(messageOf(node, changes, still))
        } catch (thrown) {
            faults.push(asFault(thrown))
            continue
        }
        told.push(name)
        known[name] = [...now]
        await system.writeFile(TOLD, `${JSON.stringify(known)}\n`, 0o600)
    }
    return { told, faults }
}

/** One that cannot be read counts as none: better told twice than not at all. */
function readTold(text: string | undefined): Told {
    try {
        return JSON.parse(text ?? '{}') as Told
    } catch {
        return {}
    }
}
