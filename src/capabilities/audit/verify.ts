// Reads the whole audit chain and says which records were edited, removed, reordered or cut off.
import type { Finding } from '../../base/finding.ts'
import type { System } from '../../ports/ports.ts'
import { GAP, GENESIS, open, REPAIR, sha256 } from './chain.ts'
import { readForwards } from './lines.ts'
import type { Snapshot } from './writer.ts'

const MOST_FINDINGS = 100
const MOST_GAPS = 10_000
const BREATH = 64

/** What was found, and how many whole records there are. Memory stays bounded however long the log is. */
export async function verifyChain(options: {
    system: System
    key: Uint8Array
    snapshot: Snapshot
    signal?: AbortSignal
}) {
    const { system, key, snapshot, signal } = options
    const report = reporter()
    const walk = walker(report)
    const present = { path: snapshot.path, lengthBytes: snapshot.sizeBytes }
    const files = [...snapshot.rotated.map(path => ({ path, lengthBytes: undefined })), present]
    for (const { path, lengthBytes } of files.filter(f => f.lengthBytes !== 0)) {
        for await (const { bytes, ended } of readForwards(system, path, lengthBytes)) {
            signal?.throwIfAborted()
            // Others have their turn in between: a long log takes a while.
            if (walk.count() % BREATH === BREATH - 1) await new Promise(resolve => setImmediate(resolve))
            const opened = open(bytes, key)
            if (!opened.ok) walk.strange(bytes, opened.forged)
            else walk.record(opened.record, opened.hash)
            if (!ended)
                report.add(
                    'unended',
                    walk.last().number,
                    'The log does not end with a whole line',
                    'bytes were cut off',
                )
        }
    }
    walk.end()
    const { head, headFile } = snapshot
    const last = walk.last()
    if (last.number < head.number) {
        report.add(
            'truncated',
            last.number + 1,
            'Records were cut off at the end',
            numbers(last.number + 1, head.number),
        )
    } else if (last.number === head.number && last.hash !== head.hash) {
        report.add('edited', last.number, 'A record was edited', `record ${last.number}, the last one`)
    }
    if (headFile?.number !== head.number || headFile.hash !== head.hash) {
        report.add('head', head.number, 'The head file was removed or edited', 'audit.head is not what was written')
    }
    if (snapshot.sizeBytes !== snapshot.writtenBytes && report.findings.length === 0) {
        const detail = `${snapshot.sizeBytes} bytes instead of ${snapshot.writtenBytes}`
        report.add('size', last.number, 'The log has another length than what was written', detail)
    }
    return { records: walk.count(), findings: report.findings }
}

const numbers = (first: number, last: number) => (first === last ? `record ${first}` : `records ${first} to ${last}`)

function reporter() {
    const findings: Finding[] = []
    return {
        findings,
        add(code: string, number: number, summary: string, detail: string) {
            if (findings.length > MOST_FINDINGS) return
            const fix =
                'Compare with a copy of the log or head that was kept elsewhere, and find out who could write here.'
            if (findings.length < MOST_FINDINGS) {
                findings.push({ severity: 'error', code, at: `record ${number}`, summary, detail, fix })
            } else {
                const more = {
                    summary: 'There are more findings, which are not listed',
                    detail: `from record ${number} on`,
                }
                findings.push({ severity: 'error', code: 'more', at: '', ...more, fix })
            }
        },
    }
}

/** Goes from line to line and keeps what is needed to name what is wrong. */
function walker(report: ReturnType<typeof reporter>) {
    // The next number, and the hash that it must stand on; undefined behind a line that cannot be read.
    let next = 1
    let prev: string | undefined = GENESIS.hash
    let last = GENESIS
    let count = 0
    let strange: { hash: string; forged: boolean }[] = []
    let strangeCount = 0
    // Numbers that were passed over and have not turned up: reported at the end, when it is known whether they do.
    let gaps: { first: number; last: number; after: number }[] = []

    /** Tells edited records from lines that were put in, by how many numbers are missing. */
    function settleStrange(upTo: number) {
        const edited = Math.min(strangeCount, Math.max(0, upTo - next))
        for (let at = 0; at < strangeCount; at++) {
            const forged = strange[at]?.forged
            if (at < edited) {
                const detail = `record ${next + at}${forged ? ' is sealed with another key' : ''}`
                report.add('edited', next + at, 'A record was edited', detail)
            } else {
                report.add(
                    'foreign',
                    next - 1,
                    'A line was put in that is no record',
                    `behind record ${next - 1 + edited}`,
                )
            }
        }
        if (strangeCount > 0) prev = undefined
        next += edited
        strange = []
        strangeCount = 0
    }

    /** A number that is smaller than expected: it turned up late, or stands there twice. */
    function turnedUp(number: number) {
        const index = gaps.findIndex(g => g.first <= number && number <= g.last)
        const gap = gaps[index]
        if (!gap) {
            report.add(
                'repeated',
                number,
                'A record stands there twice',
                `record ${number} again behind record ${next - 1}`,
            )
            return
        }
        report.add(
            'reordered',
            number,
            'Records were put into another order',
            `record ${number} stands behind ${next - 1}`,
        )
        const rest = [
            { ...gap, last: number - 1 },
            { ...gap, first: number + 1 },
        ].filter(g => g.first <= g.last)
        gaps.splice(index, 1, ...rest)
    }

    return {
        strange(bytes: Uint8Array, forged: boolean) {
            strangeCount++
            if (strange.length < 1000) strange.push({ hash: sha256(bytes), forged })
        },
        record(record: { number: number; prev: string; what: string; detail: string }, hash: string) {
            count++
            const torn = record.what === REPAIR ? tornOf(record.detail) : []
            if (torn.length > 0 && strangeCount === torn.length && strange.every((s, at) => s.hash === torn[at])) {
                strange = []
                strangeCount = 0
            }
            settleStrange(record.number)
            if (record.number < next) {
                turnedUp(record.number)
                return
            }
            if (record.number > next) {
                if (gaps.length < MOST_GAPS) gaps.push({ first: next, last: record.number - 1, after: next - 1 })
                prev = undefined
            }
            if (prev !== undefined && record.prev !== prev) {
                const detail = `record ${record.number} does not stand on record ${record.number - 1}`
                report.add('broken', record.number, 'The chain is broken', detail)
            }
            if (record.what === GAP) {
                report.add('gap', record.number, 'At a start, the log was found cut', record.detail)
            }
            next = record.number + 1
            prev = hash
            last = { number: record.number, hash }
        },
        end() {
            const edited = strangeCount
            settleStrange(next + strangeCount)
            if (edited > 0) last = { number: next - 1, hash: '' }
            for (const gap of gaps) {
                report.add(
                    'removed',
                    gap.first,
                    'Records were removed',
                    `${numbers(gap.first, gap.last)}, behind ${gap.after}`,
                )
            }
            gaps = []
        },
        last: () => last,
        count: () => count,
    }
}

function tornOf(detail: string): string[] {
    try {
        const { torn } = JSON.parse(detail) as { torn?: unknown }
        return Array.isArray(torn) ? torn.map(String) : []
    } catch {
        return []
    }
}
