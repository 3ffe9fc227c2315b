// The audit log as a file: all records that a filter leaves, a JSON object a line.
import { toJson } from '@bufbuild/protobuf'
import { AuditService, RecordSchema } from '../../gen/proto/capabilities/audit/audit_pb.js'
import { notify } from '../act.panel.tsx'
import { clientOf } from '../client.panel.tsx'
import { plural } from '../words.panel.tsx'
import { type RecordFilter, wish } from './filter.panel.tsx'
import { words } from './words.panel.tsx'

const PAGE = 1_000
/** About a hundred megabytes: more than a browser should gather. The command line has no such limit. */
const MOST = 200_000

/** Asks page by page, then offers the file. */
export async function exportRecords(filter: RecordFilter): Promise<void> {
    const lines: string[] = []
    let before = 0n
    let more = true
    while (more && lines.length < MOST) {
        const answer = await clientOf(AuditService).list({ ...wish(filter), limit: PAGE, before })
        for (const record of answer.records) lines.push(JSON.stringify(toJson(RecordSchema, record)))
        before = answer.records[answer.records.length - 1]?.number ?? 0n
        more = answer.more && answer.records.length > 0
    }
    const url = URL.createObjectURL(new Blob([`${lines.join('\n')}\n`], { type: 'application/jsonl' }))
    const link = document.createElement('a')
    link.href = url
    link.download = `audit-${new Date().toISOString().slice(0, 10)}.jsonl`
    link.click()
    // The browser reads it after this; a minute is plenty.
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
    notify(more ? 'warning' : 'success', plural(words.exported, lines.length), {
        detail: more ? words.exportCut : undefined,
    })
}
