// The verbs of `debvisor vm` that look at VMs and switch them; those that make and change them stand beside.
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { formatBytes, formatDuration } from '../../base/units.ts'
import {
    GetResponseSchema,
    GetXmlResponseSchema,
    ListResponseSchema,
    State,
    Then,
    type Vm,
    type VmDetail,
    VmService,
    WatchResponseSchema,
} from '../../gen/proto/capabilities/vm/vm_pb.js'
import { carryOut } from '../change.ts'
import type { Argument, Verb, VerbContext, View } from '../verb.ts'
import { hardwareVerbs } from './cli-hardware.ts'
import { makeVerbs } from './cli-make.ts'
import { snapshotVerbs } from './cli-snapshots.ts'

const VM: Argument = { name: 'vm', summary: 'name or UUID', complete: 'vm' }

const STATES: Record<State, string> = {
    [State.STATE_UNSPECIFIED]: 'unknown',
    [State.RUNNING]: 'running',
    [State.PAUSED]: 'paused',
    [State.SHUTTING_DOWN]: 'shutting down',
    [State.STOPPED]: 'stopped',
    [State.CRASHED]: 'crashed',
    [State.SLEEPING]: 'sleeping',
}

const row = (vm: Vm) => ({
    name: vm.name,
    state: vm.template ? 'template' : STATES[vm.state] + (vm.pending ? ' *' : ''),
    vcpus: vm.vcpus,
    memory: formatBytes(Number(vm.memoryBytes)),
    cpu: vm.state === State.RUNNING ? `${Math.round(vm.cpu * 100)}%` : '',
    networks: vm.networks.join(', '),
    tags: vm.tags.join(', '),
    uuid: vm.uuid,
    autostart: vm.autostart ? 'yes' : '',
    description: vm.description,
})

const table = (context: VerbContext, vms: Vm[]): View => ({
    kind: 'table',
    columns: [
        { key: 'name', label: 'NAME' },
        { key: 'state', label: 'STATE' },
        { key: 'vcpus', label: 'VCPUS', align: 'right' },
        { key: 'memory', label: 'MEMORY', align: 'right' },
        { key: 'cpu', label: 'CPU', align: 'right' },
        { key: 'networks', label: 'NETWORKS' },
        { key: 'tags', label: 'TAGS' },
        { key: 'uuid', label: 'UUID', wide: true },
        { key: 'autostart', label: 'AUTOSTART', wide: true },
        { key: 'description', label: 'DESCRIPTION', wide: true },
    ],
    rows: vms.map(row),
    empty: 'There is no VM yet. Make one with: debvisor vm create NAME --image POOL/VOLUME',
    json: context.json(ListResponseSchema, { $typeName: 'debvisor.vm.v1.ListResponse', vms }),
})

async function watchList(context: VerbContext, keep: (vm: Vm) => boolean): Promise<View> {
    const seen = new Map<string, Vm>()
    let synced = false
    for await (const change of context.client(VmService).watch({}, { signal: context.signal })) {
        if (context.options.json) {
            context.show({ kind: 'text', text: '', json: context.json(WatchResponseSchema, change) })
            continue
        }
        for (const vm of change.vms) seen.set(vm.uuid, vm)
        for (const uuid of change.removed) seen.delete(uuid)
        synced ||= change.synced
        if (synced)
            context.show(
                table(
                    context,
                    [...seen.values()].filter(keep).sort((a, b) => a.name.localeCompare(b.name)),
                ),
            )
    }
    return { kind: 'nothing' }
}

function details(context: VerbContext, detail: VmDetail): View {
    const vm = detail.vm!
    const firmware = [vm.firmware, detail.secureBoot && 'secure boot', detail.tpm && 'TPM 2.0']
        .filter(Boolean)
        .join(', ')
    const fields = [
        { label: 'Name', value: vm.name },
        { label: 'State', value: `${STATES[vm.state]}${vm.reason ? ` (${vm.reason})` : ''}` },
        { label: 'UUID', value: vm.uuid },
        { label: 'Description', value: vm.description },
        { label: 'Tags', value: vm.tags.join(', ') },
        { label: 'Started', value: vm.started ? `${formatDuration(Date.now() - timestampMs(vm.started))} ago` : '' },
        { label: 'vCPUs', value: vm.maxVcpus > vm.vcpus ? `${vm.vcpus} of at most ${vm.maxVcpus}` : String(vm.vcpus) },
        { label: 'Memory', value: formatBytes(Number(vm.memoryBytes)) },
        { label: 'Firmware', value: firmware },
        { label: 'Machine', value: `${detail.machine} (${detail.virtType})` },
        { label: 'Autostart', value: vm.autostart ? 'yes' : 'no' },
        ...detail.disks.map(d => ({
            label: d.device === 'cdrom' ? `CD ${d.target}` : `Disk ${d.target}`,
            value: [
                d.volume ? `${d.pool}/${d.volume}` : d.source || 'empty',
                d.capacityBytes ? formatBytes(Number(d.capacityBytes)) : '',
                d.bus,
                d.format,
                d.presence !== 'live' ? d.presence : '',
            ]
                .filter(Boolean)
                .join(', '),
        })),
        ...detail.nics.map(n => ({
            label: `NIC ${n.mac}`,
            value: [n.network || n.bridge, n.model, n.vlan ? `VLAN ${n.vlan}` : '', n.linkDown ? 'link down' : '']
                .filter(Boolean)
                .join(', '),
        })),
        { label: 'Snapshots', value: detail.snapshots ? String(detail.snapshots) : '' },
        { label: 'Other devices', value: detail.otherDevices.join(', ') },
        { label: 'Next start', value: detail.pendingChanges.join('\n') },
        { label: 'Notes', value: detail.notes },
    ]
    return {
        kind: 'record',
        fields: fields.filter(f => f.value !== ''),
        json: context.json(GetResponseSchema, { $typeName: 'debvisor.vm.v1.GetResponse', detail }),
    }
}

type PowerMethod = 'reboot' | 'stop' | 'reset' | 'suspend' | 'resume'

const power = (method: PowerMethod, summary: string, question?: (vm: string) => string): Verb => ({
    words: ['vm', method],
    summary,
    arguments: [VM],
    changes: true,
    run: context =>
        carryOut(context, {
            call: dryRun => context.client(VmService)[method]({ vm: context.args.vm, dryRun }),
            question: question?.(context.args.vm!),
        }),
})

export const vmVerbs: Verb[] = [
    {
        words: ['vm', 'list'],
        summary: 'list the VMs',
        options: [
            { name: 'search', short: 's', value: 'TEXT', summary: 'part of a name or description' },
            {
                name: 'state',
                value: 'STATE',
                summary: 'only those in that state',
                choices: ['running', 'paused', 'stopped', 'crashed'],
            },
            { name: 'tag', value: 'TAG', summary: 'only those with that tag' },
            { name: 'network', value: 'NAME', summary: 'only those on that network or bridge', complete: 'network' },
        ],
        watches: true,
        examples: [
            { line: 'debvisor vm list --state running --watch', note: 'Follow what runs; Ctrl-C ends it.' },
            { line: "debvisor vm list --json | jq -r '.vms[].name'", note: 'Names for a script.' },
        ],
        async run(context) {
            const { search = '', state, tag = '', network = '' } = context.options
            const states = Object.entries(STATES).flatMap(([value, word]) =>
                word === state ? [Number(value) as State] : [],
            )
            if (context.watch) {
                return watchList(
                    context,
                    vm =>
                        (states.length === 0 || states.includes(vm.state)) &&
                        (!tag || vm.tags.includes(tag)) &&
                        (!network || vm.networks.includes(network)) &&
                        `${vm.name} ${vm.description}`.toLowerCase().includes(search.toLowerCase()),
                )
            }
            const { vms } = await context.client(VmService).list({ search, states, tag, network })
            return table(context, vms)
        },
    },
    {
        words: ['vm', 'show'],
        summary: 'show a VM with its hardware',
        arguments: [VM],
        async run(context) {
            const { detail } = await context.client(VmService).get({ vm: context.args.vm })
            return details(context, detail!)
        },
    },
    {
        words: ['vm', 'xml'],
        summary: "print libvirt's definition of a VM",
        arguments: [VM],
        options: [{ name: 'active', summary: 'of the running guest instead of the next start' }],
        async run(context) {
            const xml = await context.client(VmService).getXml({ vm: context.args.vm })
            return {
                kind: 'text',
                text: context.options.active ? xml.active : xml.inactive,
                json: context.json(GetXmlResponseSchema, xml),
            }
        },
    },
    {
        words: ['vm', 'start'],
        summary: 'start a VM',
        arguments: [VM],
        options: [{ name: 'paused', summary: 'with its CPUs stopped' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context
                        .client(VmService)
                        .start({ vm: context.args.vm, paused: context.options.paused !== undefined, dryRun }),
            }),
    },
    {
        words: ['vm', 'shutdown'],
        summary: 'ask the guest to shut down',
        arguments: [VM],
        options: [
            { name: 'deadline', value: 'SECONDS', summary: 'how long the guest may take', default: '120' },
            { name: 'force', summary: 'pull the plug when it has not shut down by then' },
        ],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).shutdown({
                        vm: context.args.vm,
                        deadlineSeconds: Number(context.options.deadline ?? 0),
                        onDeadline: context.options.force ? Then.FORCE : Then.FAIL,
                        dryRun,
                    }),
            }),
    },
    {
        words: ['vm', 'shutdown', 'all'],
        summary: 'ask every running guest to shut down, in reverse start order',
        options: [
            { name: 'deadline', value: 'SECONDS', summary: 'how long each guest may take', default: '120' },
            { name: 'force', summary: 'pull the plug of those that have not shut down by then' },
        ],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).shutdownAll({
                        deadlineSeconds: Number(context.options.deadline ?? 0),
                        onDeadline: context.options.force ? Then.FORCE : Then.FAIL,
                        dryRun,
                    }),
                question: 'Every running VM is shut down.',
            }),
    },
    power('reboot', 'ask the guest to reboot'),
    power('stop', 'pull the plug of a VM', vm => `The guest of ${vm} gets no chance to write what it holds in memory.`),
    power(
        'reset',
        'press the reset button of a VM',
        vm => `The guest of ${vm} gets no chance to write what it holds in memory.`,
    ),
    power('suspend', 'pause the CPUs of a VM'),
    power('resume', 'let a paused VM go on'),
    ...makeVerbs,
    ...hardwareVerbs,
    ...snapshotVerbs,
]
