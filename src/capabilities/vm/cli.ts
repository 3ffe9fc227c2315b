// The verbs of `debvisor vm` that look at VMs and switch them; those that make and change them stand beside.
import { formatBytes } from '../../base/units.ts'
import {
    ListResponseSchema,
    State,
    Then,
    type Vm,
    VmService,
    type WatchResponse,
    WatchResponseSchema,
} from '../../gen/proto/capabilities/vm/vm_pb.js'
import { carryOut } from '../change.ts'
import { whole } from '../value.ts'
import type { Argument, Verb, VerbContext, View } from '../verb.ts'
import { watchRows } from '../watch.ts'
import { hardwareVerbs } from './cli-hardware.ts'
import { lookVerbs, STATES } from './cli-look.ts'
import { makeVerbs } from './cli-make.ts'
import { seedVerbs } from './cli-seed.ts'
import { setVerbs } from './cli-set.ts'
import { snapshotVerbs } from './cli-snapshots.ts'

const VM: Argument = { name: 'vm', summary: 'name or UUID', complete: 'vm' }

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

function watchList(context: VerbContext, keep: (vm: Vm) => boolean): Promise<View> {
    let synced = false
    return watchRows<WatchResponse, Vm>(context, {
        changes: context.client(VmService).watch({}, { signal: context.signal }),
        json: change => context.json(WatchResponseSchema, change),
        apply(change, rows) {
            for (const vm of change.vms) rows.set(vm.uuid, vm)
            for (const uuid of change.removed) rows.delete(uuid)
            synced ||= change.synced
            return synced
        },
        view: vms =>
            table(
                context,
                vms.filter(keep).sort((a, b) => a.name.localeCompare(b.name)),
            ),
    })
}

/** Seconds of --deadline; the node's own choice where none are given. */
const seconds = ({ options }: VerbContext) =>
    options.deadline === undefined ? 0 : whole(options.deadline, '--deadline', { least: 1, most: 86_400 })

type PowerMethod = 'reboot' | 'stop' | 'reset' | 'suspend' | 'resume'

interface Power {
    summary: string
    note: string
    question?(vm: string): string
}

const power = (method: PowerMethod, { summary, note, question }: Power): Verb => ({
    words: ['vm', method],
    summary,
    arguments: [VM],
    examples: [{ line: `debvisor vm ${method} web1`, note }],
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
    ...lookVerbs,
    {
        words: ['vm', 'start'],
        summary: 'start a VM',
        examples: [{ line: 'debvisor vm start web1', note: 'Ends when it runs.' }],
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
        examples: [
            { line: 'debvisor vm shutdown web1 --deadline 60 --force', note: 'A minute for the guest, then the plug.' },
        ],
        arguments: [VM],
        options: [
            { name: 'deadline', value: 'SECONDS', summary: 'how long the guest may take', default: '120' },
            { name: 'force', summary: 'pull the plug when it has not shut down by then' },
        ],
        changes: true,
        run(context) {
            const deadlineSeconds = seconds(context)
            return carryOut(context, {
                call: dryRun =>
                    context.client(VmService).shutdown({
                        vm: context.args.vm,
                        deadlineSeconds,
                        onDeadline: context.options.force ? Then.FORCE : Then.FAIL,
                        dryRun,
                    }),
            })
        },
    },
    {
        words: ['vm', 'shutdown', 'all'],
        summary: 'ask every running guest to shut down, in reverse start order',
        examples: [{ line: 'debvisor vm shutdown-all --yes', note: 'Before the node itself goes down.' }],
        options: [
            { name: 'deadline', value: 'SECONDS', summary: 'how long each guest may take', default: '120' },
            { name: 'force', summary: 'pull the plug of those that have not shut down by then' },
        ],
        changes: true,
        run(context) {
            const deadlineSeconds = seconds(context)
            return carryOut(context, {
                call: dryRun =>
                    context.client(VmService).shutdownAll({
                        deadlineSeconds,
                        onDeadline: context.options.force ? Then.FORCE : Then.FAIL,
                        dryRun,
                    }),
                question: 'Every running VM is shut down.',
            })
        },
    },
    power('reboot', {
        summary: 'ask the guest to reboot',
        note: 'What waits for the next start needs a shutdown instead.',
    }),
    power('stop', {
        summary: 'pull the plug of a VM',
        note: 'When a shutdown does not help.',
        question: vm => `The guest of ${vm} gets no chance to write what it holds in memory.`,
    }),
    power('reset', {
        summary: 'press the reset button of a VM',
        note: 'When the guest hangs.',
        question: vm => `The guest of ${vm} gets no chance to write what it holds in memory.`,
    }),
    power('suspend', { summary: 'pause the CPUs of a VM', note: 'Its memory stays where it is.' }),
    power('resume', { summary: 'let a paused VM go on', note: 'Where it was.' }),
    ...makeVerbs,
    ...setVerbs,
    ...hardwareVerbs,
    ...seedVerbs,
    ...snapshotVerbs,
]
