// The verbs of `debvisor audit`.
import { timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt'
import { Fault } from '../../base/fault.ts'
import { AuditService, ListResponseSchema, VerifyResponseSchema } from '../../gen/proto/capabilities/audit/audit_pb.js'
import { whole } from '../value.ts'
import type { Verb } from '../verb.ts'

export const auditVerbs: Verb[] = [
    {
        words: ['audit', 'list'],
        summary: 'who changed what, newest first',
        examples: [
            { line: 'debvisor audit list --on web1 --since 2026-01-31', note: 'What was done to one VM.' },
            { line: 'debvisor audit list --who ann --what vm.Delete', note: 'What ann has deleted.' },
        ],
        options: [
            { name: 'who', value: 'USER', summary: 'only by that user', complete: 'user' },
            { name: 'what', value: 'WORD', summary: 'only such calls, as vm.Delete or login' },
            { name: 'on', value: 'OBJECT', summary: 'only on that object, by name or id' },
            { name: 'since', value: 'TIME', summary: 'such as 2026-01-31 or 2026-01-31T12:00' },
            { name: 'limit', value: 'N', summary: 'at most this many', default: '200' },
        ],
        async run(context) {
            const { who = '', what = '', on = '', since, limit = '200' } = context.options
            const from = since ? new Date(since) : undefined
            if (from && Number.isNaN(from.getTime())) {
                throw new Fault('invalid', {
                    summary: 'That is not a time',
                    detail: since,
                    fix: 'Write it like 2026-01-31T12:00.',
                    at: '--since',
                })
            }
            const answer = await context.client(AuditService).list({
                who,
                what,
                on,
                since: from && timestampFromDate(from),
                limit: whole(limit, '--limit', { least: 1 }),
            })
            return {
                kind: 'table',
                columns: [
                    { key: 'number', label: 'NO', align: 'right' },
                    { key: 'at', label: 'WHEN' },
                    { key: 'who', label: 'WHO' },
                    { key: 'from', label: 'FROM' },
                    { key: 'what', label: 'WHAT' },
                    { key: 'on', label: 'ON' },
                    { key: 'result', label: 'RESULT' },
                    { key: 'detail', label: 'DETAIL', wide: true },
                ],
                rows: answer.records.map(r => ({
                    number: r.number,
                    at: r.at ? timestampDate(r.at).toLocaleString() : '',
                    who: r.who,
                    from: r.from,
                    what: r.what,
                    on: r.onName || r.onId,
                    result: r.closes ? `${r.result} (${r.closes})` : r.result,
                    detail: r.detail,
                })),
                empty: 'Nothing was recorded.',
                json: context.json(ListResponseSchema, answer),
            }
        },
    },
    {
        words: ['audit', 'verify'],
        examples: [{ line: 'debvisor audit verify', note: 'Ends with 1 and names the record when one was touched.' }],
        summary: 'prove that no record was edited, removed, reordered or cut off',
        async run(context) {
            const answer = await context.client(AuditService).verify({})
            const json = context.json(VerifyResponseSchema, answer)
            if (answer.intact) {
                return { kind: 'text', text: `All ${answer.records} records are intact. Head: ${answer.head}`, json }
            }
            throw new Fault('conflict', {
                summary: 'The audit record was tampered with',
                detail: `${answer.records} records were read`,
                fix: 'Keep a copy of the files, and compare with the heads that were sent elsewhere.',
                findings: answer.findings.map(f => ({ ...f, severity: 'error' as const })),
            })
        },
    },
]
