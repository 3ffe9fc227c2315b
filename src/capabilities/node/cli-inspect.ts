// The verbs of `debvisor node` that show what only root sees: disks and their health, services, the journal.
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { Fault } from '../../base/fault.ts'
import { formatBytes } from '../../base/units.ts'
import {
    InspectService,
    type JournalEntry,
    JournalEntrySchema,
    ListDisksResponseSchema,
    ListUnitsResponseSchema,
    type NodeDisk,
} from '../../gen/proto/capabilities/node/inspect_pb.js'
import type { Verb, VerbContext } from '../verb.ts'

const PRIORITIES = ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug']
const HEALTH: Record<string, string> = { ok: 'good', signs: 'SIGNS OF FAILING', failing: 'FAILING', unknown: '' }

const figures = (disk: NodeDisk): string =>
    [
        disk.temperatureCelsius !== undefined && `${disk.temperatureCelsius} °C`,
        disk.powerOnHours !== undefined && `${disk.powerOnHours} h`,
        disk.wornPercent !== undefined && `${disk.wornPercent}% worn`,
        ...disk.signs,
    ]
        .filter(Boolean)
        .join(', ')

function show(context: VerbContext, entry: JournalEntry): void {
    const at = entry.at ? timestampDate(entry.at).toLocaleString() : ''
    const source = entry.pid > 0 ? `${entry.source}[${entry.pid}]` : entry.source
    context.show({
        kind: 'text',
        text: `${at} ${source}: ${entry.text}`,
        json: context.json(JournalEntrySchema, entry),
    })
}

export const inspectVerbs: Verb[] = [
    {
        words: ['node', 'smart'],
        summary: 'list the disks of this machine with what each says of its health (SMART)',
        description: 'A disk that sleeps is not woken, and says nothing.',
        examples: [{ line: 'debvisor node smart', note: 'Which one to replace.' }],
        async run(context) {
            const answer = await context.client(InspectService).listDisks({})
            return {
                kind: 'table',
                columns: [
                    { key: 'path', label: 'DISK' },
                    { key: 'model', label: 'MODEL' },
                    { key: 'size', label: 'SIZE', align: 'right' },
                    { key: 'health', label: 'HEALTH' },
                    { key: 'figures', label: 'SAYS' },
                    { key: 'use', label: 'USE' },
                    { key: 'id', label: 'LASTING NAME', wide: true },
                    { key: 'serial', label: 'SERIAL', wide: true },
                ],
                rows: answer.disks.map(disk => ({
                    path: disk.path,
                    model: disk.model,
                    size: formatBytes(Number(disk.sizeBytes)),
                    health: HEALTH[disk.health] ?? disk.health,
                    figures: figures(disk),
                    use: [disk.system && 'system', ...disk.mountpoints].filter(Boolean).join(', '),
                    id: disk.id,
                    serial: disk.serial,
                })),
                empty: 'There is no disk.',
                json: context.json(ListDisksResponseSchema, answer),
            }
        },
    },
    {
        words: ['node', 'services'],
        summary: 'list the services of this machine',
        options: [{ name: 'failed', summary: 'only those that have failed' }],
        examples: [{ line: 'debvisor node services --failed', note: 'Then: debvisor node journal --unit NAME' }],
        async run(context) {
            const answer = await context.client(InspectService).listUnits({})
            const units = answer.units.filter(unit => !context.options.failed || unit.active === 'failed')
            return {
                kind: 'table',
                columns: [
                    { key: 'name', label: 'SERVICE' },
                    { key: 'active', label: 'STATE' },
                    { key: 'sub', label: 'MORE' },
                    { key: 'description', label: 'WHAT IT IS' },
                ],
                rows: units.map(({ name, active, sub, description }) => ({ name, active, sub, description })),
                empty: context.options.failed ? 'None has failed.' : 'There is no service.',
                json: context.json(ListUnitsResponseSchema, { ...answer, units }),
            }
        },
    },
    {
        words: ['node', 'journal'],
        summary: 'read the journal of this machine',
        description:
            'Oldest first; with --watch what comes, until Ctrl-C. For administrators: programs write into it what they like.',
        options: [
            { name: 'unit', short: 'u', value: 'UNIT', summary: 'of one service' },
            { name: 'priority', value: 'WORD', summary: 'this and more serious', choices: PRIORITIES },
            { name: 'text', value: 'TEXT', summary: 'only entries that hold this' },
            { name: 'lines', short: 'n', value: 'N', summary: 'at most so many of the past; 200' },
        ],
        watches: true,
        examples: [
            {
                line: 'debvisor node journal --unit libvirtd.service --priority warning',
                note: 'Why a VM did not start.',
            },
            { line: 'debvisor node journal --watch', note: 'As it comes.' },
        ],
        async run(context) {
            const { unit = '', priority, text = '', lines = '0' } = context.options
            if (!/^\d{1,4}$/.test(lines))
                throw new Fault('invalid', { summary: 'That is no number of lines', detail: lines, at: '--lines' })
            const stream = context.client(InspectService).readJournal(
                {
                    ...{ unit, text, lines: Number(lines), follow: context.watch },
                    priority: priority === undefined ? undefined : PRIORITIES.indexOf(priority),
                },
                { signal: context.signal },
            )
            for await (const { entries } of stream) for (const entry of entries) show(context, entry)
            return { kind: 'nothing' }
        },
    },
]
