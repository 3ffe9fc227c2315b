// Records of the audit log, newest first, read from the end without reading the rest.
import type { System } from '../../ports/ports.ts'
import type { AuditRecord } from './chain.ts'
import { readBackwards, readForwards } from './lines.ts'

export interface Filter {
    /** Exactly this one. */
    who?: string
    /** This, in upper or lower case, or a capability: `vm` stands for all that begins with `vm.`. */
    what?: string
    /** Id or name of the object. */
    on?: string
    sinceMs?: number
    untilMs?: number
    /** Only records with a smaller number. */
    before?: number
    limit: number
}

/** So many records in a row that are too old end the search; one alone may have a clock that was wrong. */
const TOO_OLD_IN_A_ROW = 5000

/** At most `limit` records that pass, newest first, and whether there are more. `files` are oldest first. */
export async function readRecords(options: {
    system: System
    files: readonly string[]
    filter: Filter
    signal?: AbortSignal
}) {
    const { system, files, filter, signal } = options
    const records: AuditRecord[] = []
    let tooOld = 0
    for (const path of [...files].reverse()) {
        if (filter.before !== undefined && (await firstNumber(system, path)) >= filter.before) continue
        for await (const { bytes } of readBackwards(system, path)) {
            signal?.throwIfAborted()
            const record = parse(bytes)
            if (!record) continue
            tooOld = record.atMs < (filter.sinceMs ?? 0) ? tooOld + 1 : 0
            if (tooOld > TOO_OLD_IN_A_ROW) return { records, more: false }
            if (!passes(record, filter)) continue
            if (records.length === filter.limit) return { records, more: true }
            records.push(record)
        }
    }
    return { records, more: false }
}

function passes(record: AuditRecord, filter: Filter): boolean {
    const { who, on, sinceMs, untilMs, before } = filter
    const [what, seen] = [filter.what?.toLowerCase(), record.what.toLowerCase()]
    if (before !== undefined && record.number >= before) return false
    if (who && record.who !== who) return false
    if (what && seen !== what && !seen.startsWith(`${what}.`)) return false
    if (on && record.onId !== on && record.onName !== on) return false
    return record.atMs >= (sinceMs ?? 0) && record.atMs <= (untilMs ?? Number.POSITIVE_INFINITY)
}

async function firstNumber(system: System, path: string): Promise<number> {
    if (!(await system.look(path))) return 0
    for await (const { bytes } of readForwards(system, path)) {
        const record = parse(bytes)
        if (record) return record.number
    }
    return 0
}

function parse(bytes: Buffer): AuditRecord | undefined {
    try {
        const record = JSON.parse(bytes.toString('utf8')) as AuditRecord
        return Number.isSafeInteger(record?.number) && Number.isFinite(record.atMs) ? record : undefined
    } catch {
        return undefined
    }
}
