// The verbs of `debvisor node` that look at this machine.
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { formatBytes } from '../../base/units.ts'
import {
    GetFactsResponseSchema,
    type Load,
    LoadSchema,
    NodeService,
} from '../../gen/proto/capabilities/node/node_pb.js'
import type { Verb, VerbContext, View } from '../verb.ts'

const loadView = (context: VerbContext, load: Load): View => ({
    kind: 'record',
    fields: [
        { label: 'CPU', value: `${Math.round(load.cpu * 100)}% (load ${load.load1.toFixed(2)})` },
        {
            label: 'Memory',
            value: `${formatBytes(Number(load.memoryUsedBytes))} of ${formatBytes(Number(load.memoryTotalBytes))}`,
        },
        {
            label: 'Network',
            value: `${formatBytes(Number(load.netRxBytesPerSecond))}/s in, ${formatBytes(Number(load.netTxBytesPerSecond))}/s out`,
        },
        {
            label: 'Disks',
            value: `${formatBytes(Number(load.diskReadBytesPerSecond))}/s read, ${formatBytes(Number(load.diskWriteBytesPerSecond))}/s written`,
        },
    ],
    json: context.json(LoadSchema, load),
})

export const nodeVerbs: Verb[] = [
    {
        words: ['node', 'show'],
        summary: 'what this machine is, what runs on it, and what about it is not as it should be',
        examples: [
            {
                line: "debvisor node show --json | jq -r '.findings[].summary'",
                note: 'For a script that watches over it.',
            },
        ],
        async run(context) {
            const f = await context.client(NodeService).getFacts({})
            const fields = [
                { label: 'Host', value: f.hostname },
                { label: 'System', value: `${f.os}, Linux ${f.kernel}, ${f.architecture}` },
                { label: 'CPU', value: `${f.cpuModel}, ${f.cpus} logical` },
                { label: 'Memory', value: formatBytes(Number(f.memoryBytes)) },
                { label: 'Up since', value: f.booted ? timestampDate(f.booted).toLocaleString() : '' },
                { label: 'DebVisor', value: f.debvisorVersion },
                { label: 'libvirt', value: `${f.libvirtVersion}, QEMU ${f.qemuVersion}` },
                {
                    label: 'VMs run',
                    value: f.accelerator === 'kvm' ? 'with hardware virtualization (KVM)' : 'emulated (TCG): slow',
                },
                {
                    label: 'VMs can have',
                    value: [f.uefi && 'UEFI', f.secureBoot && 'secure boot', f.tpm && 'TPM 2.0']
                        .filter(Boolean)
                        .join(', '),
                },
                {
                    label: 'Services',
                    value: f.services
                        .map(s => `${s.name} ${s.up ? 'up' : 'DOWN'}${s.detail ? ` (${s.detail})` : ''}`)
                        .join('\n'),
                },
                {
                    label: 'Findings',
                    value: f.findings.map(n => `${n.severity}: ${n.summary}${n.fix ? `\n  ${n.fix}` : ''}`).join('\n'),
                },
            ]
            return {
                kind: 'record',
                fields: fields.filter(x => x.value),
                json: context.json(GetFactsResponseSchema, f),
            }
        },
    },
    {
        words: ['node', 'load'],
        summary: 'how busy this machine is',
        examples: [{ line: 'debvisor node load --watch', note: 'As the figures are taken; Ctrl-C ends it.' }],
        watches: true,
        async run(context) {
            const client = context.client(NodeService)
            if (context.watch) {
                for await (const { load } of client.watchLoad({}, { signal: context.signal }))
                    if (load) context.show(loadView(context, load))
                return { kind: 'nothing' }
            }
            const last = (await client.getLoad({})).history.at(-1)
            return last ? loadView(context, last) : { kind: 'text', text: 'There are no figures yet.', json: null }
        },
    },
]
