// The links of the audit chain: a record as one line, sealed with the hash of the one before it and a keyed hash.
import { createHash, createHmac } from 'node:crypto'

/** `begun`: the call began a task, whose end is a record of its own and closes the same intent. */
export type AuditResult = 'intent' | 'begun' | 'done' | 'failed' | 'denied'

export interface AuditRecord {
    /** From 1, without gaps. */
    number: number
    atMs: number
    who: string
    from: string
    /** What `who` came by: `session`, `token` or `root`, with the id of the first two. */
    via?: string
    what: string
    onId: string
    onName: string
    result: AuditResult
    /** JSON or words; never a secret. */
    detail: string
    /** Number of the intent that this closes, or 0. */
    closes: number
    task: string
    /** Hash of the record before it, in hex. */
    prev: string
}

/** A point of the chain: number and hash of a record. */
export interface Head {
    number: number
    hash: string
}

/** What stands before the first record. */
export const GENESIS: Head = { number: 0, hash: '0'.repeat(64) }

/** What the writer itself records: a torn line that it found after a crash, and what it found missing. */
export const REPAIR = 'audit.repair'
export const GAP = 'audit.gap'

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')
const keyed = (key: Uint8Array, text: string) => createHmac('sha256', key).update(text).digest('hex')

/**
 * The same JSON for the same record: its keys in alphabetical order, and no others. Written out, because this is done
 * twice a record and a log may have millions.
 */
function canonical(r: AuditRecord, sealed?: { hash: string; mac: string }): string {
    const { atMs, closes, detail, from, number, onId, onName, prev, result, task, via, what, who } = r
    const tail = { number, onId, onName, prev, result, task, via, what, who }
    return JSON.stringify({ atMs, closes, detail, from, ...sealed, ...tail })
}

/** The record as a line (without its end), and where the chain then stands. */
export function seal(record: AuditRecord, key: Uint8Array): { line: string; head: Head } {
    const hash = sha256(canonical(record))
    return { line: canonical(record, { hash, mac: keyed(key, hash) }), head: { number: record.number, hash } }
}

export type Opened =
    | { ok: true; record: AuditRecord; hash: string }
    /** `forged`: well made, but with another key. */
    | { ok: false; forged: boolean; number?: number }

/** Whether a line is a record, byte for byte as it was sealed with this key. */
export function open(line: Uint8Array, key: Uint8Array): Opened {
    const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8')
    let parsed: (AuditRecord & { hash?: unknown; mac?: unknown }) | null
    try {
        parsed = JSON.parse(text)
    } catch {
        return { ok: false, forged: false }
    }
    if (parsed === null || typeof parsed !== 'object' || !Number.isSafeInteger(parsed.number)) {
        return { ok: false, forged: false }
    }
    const { hash, mac, ...record } = parsed
    const { number } = record
    const expected = sha256(canonical(record))
    if (expected !== hash) return { ok: false, forged: false, number }
    if (keyed(key, hash) !== mac) return { ok: false, forged: true, number }
    // Spaces, escapes, keys of no meaning and bytes that are no UTF-8 vanish on the way: so the bytes are compared.
    if (Buffer.compare(Buffer.from(canonical(record, { hash, mac })), line) !== 0)
        return { ok: false, forged: false, number }
    return { ok: true, record, hash }
}

/** The head as it is kept beside the log, sealed too: without it a cut tail could not be found. */
export const sealHead = (head: Head, key: Uint8Array): string =>
    `${JSON.stringify({ ...head, mac: keyed(key, `head ${head.number} ${head.hash}`) })}\n`

/** The head from its file's text, or undefined when it was not sealed with this key. */
export function openHead(text: string, key: Uint8Array): Head | undefined {
    try {
        const { number, hash } = JSON.parse(text) as Head
        return sealHead({ number, hash }, key) === text ? { number, hash } : undefined
    } catch {
        return undefined
    }
}
