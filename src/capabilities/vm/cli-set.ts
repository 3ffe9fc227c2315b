// The verbs of `debvisor vm` that change what of a VM is no device: its size, texts, firmware, name.
import { Fault } from '../../base/fault.ts'
import { parseSizeBytes } from '../../base/units.ts'
import { VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { carryOut } from '../change.ts'
import { onOff, whole } from '../value.ts'
import type { Argument, Option, Verb, VerbContext } from '../verb.ts'
import { topologyOf } from './cli-words.ts'

const VM: Argument = { name: 'vm', summary: 'name or UUID', complete: 'vm' }

export const CPU: Option = { name: 'cpu', value: 'MODEL', summary: 'host-passthrough, host-model, maximum or a model' }
export const TOPOLOGY: Option = {
    name: 'topology',
    value: 'S:C:T',
    summary: 'sockets, cores and threads that the guest sees, such as 1:4:2',
}
export const NOTES: Option = { name: 'notes', value: 'TEXT', summary: 'notes' }
export const BOOT: Option = {
    name: 'boot',
    value: 'WHAT',
    summary: 'boot order: disk, cdrom, network, a disk target or a MAC',
    repeats: true,
}
export const START_ORDER: Option[] = [
    { name: 'start-order', value: 'N', summary: 'place among the VMs that start with the host; 0 for none' },
    { name: 'start-delay', value: 'SECONDS', summary: 'pause after its start before the next' },
]

export const size = (context: VerbContext, name: string, fallback: string): bigint =>
    BigInt(parseSizeBytes(context.options[name] ?? fallback, `--${name}`))

export const setVerbs: Verb[] = [
    {
        words: ['vm', 'template'],
        examples: [{ line: 'debvisor vm template web1', note: 'Then: debvisor vm clone web1 web2 --linked' }],
        summary: 'make a VM a template, or a template a VM again',
        arguments: [VM],
        options: [{ name: 'off', summary: 'a VM again' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context
                        .client(VmService)
                        .setTemplate({ vm: context.args.vm, template: !context.options.off, dryRun }),
            }),
    },
    {
        words: ['vm', 'rename'],
        examples: [{ line: 'debvisor vm rename web1 shop1', note: 'Its disks keep their names.' }],
        summary: 'give a stopped VM another name',
        arguments: [VM, { name: 'name', summary: 'the new name' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).rename({ vm: context.args.vm, name: context.args.name, dryRun }),
            }),
    },
    {
        words: ['vm', 'set'],
        summary: 'change memory, vCPUs, description, tags and the like',
        arguments: [VM],
        options: [
            { name: 'memory', short: 'm', value: 'SIZE', summary: 'memory of the guest' },
            { name: 'max-memory', value: 'SIZE', summary: 'how far memory can be raised while it runs' },
            {
                name: 'hotplug-memory',
                value: 'SIZE',
                summary: 'room for memory that is plugged in while it runs',
            },
            { name: 'vcpus', short: 'c', value: 'N', summary: 'virtual CPUs' },
            { name: 'max-vcpus', value: 'N', summary: 'how far vCPUs can be raised while it runs' },
            CPU,
            TOPOLOGY,
            { name: 'machine', value: 'TYPE', summary: 'q35, pc, …' },
            { name: 'firmware', value: 'KIND', summary: 'how it boots', choices: ['bios', 'uefi'] },
            {
                name: 'secure-boot',
                value: 'ON',
                summary: 'UEFI that boots signed systems only',
                choices: ['on', 'off'],
            },
            { name: 'tpm', value: 'ON', summary: 'with a TPM 2.0', choices: ['on', 'off'] },
            { name: 'guest-agent', value: 'ON', summary: 'with a port for the guest agent', choices: ['on', 'off'] },
            { name: 'serial', value: 'ON', summary: 'with a serial console', choices: ['on', 'off'] },
            { name: 'vnc', value: 'ON', summary: 'with a display', choices: ['on', 'off'] },
            { name: 'description', value: 'TEXT', summary: 'what it is for' },
            NOTES,
            { name: 'tag', short: 't', value: 'TAG', summary: 'its tags; replaces all', repeats: true },
            { name: 'no-tags', summary: 'take all its tags away' },
            { name: 'owner', value: 'USER', summary: 'whose it is', complete: 'user' },
            { name: 'autostart', value: 'ON', summary: 'start it with the host', choices: ['on', 'off'] },
            BOOT,
            ...START_ORDER,
        ],
        changes: true,
        examples: [
            {
                line: 'debvisor vm set web1 --memory 4G --vcpus 4',
                note: 'At once where the guest can, else at the next start; it says which.',
            },
            { line: 'debvisor vm set web1 --no-tags', note: 'Or --tag once for each that it is to have.' },
        ],
        run(context) {
            const { options, lists, args } = context
            if (lists.tag && options['no-tags']) {
                throw new Fault('invalid', {
                    summary: 'Tags are given, or taken away',
                    fix: 'Give --tag or --no-tags, not both.',
                    at: '--no-tags',
                })
            }
            const optionalSize = (name: string) => (options[name] === undefined ? undefined : size(context, name, ''))
            const optionalWhole = (name: string) =>
                options[name] === undefined ? undefined : whole(options[name], `--${name}`)
            return carryOut(context, {
                call: dryRun =>
                    context.client(VmService).update({
                        vm: args.vm,
                        description: options.description,
                        notes: options.notes,
                        tags: lists.tag || options['no-tags'] ? { tags: lists.tag ?? [] } : undefined,
                        owner: options.owner,
                        autostart: onOff(options.autostart),
                        machine: options.machine,
                        secureBoot: onOff(options['secure-boot']),
                        tpm: onOff(options.tpm),
                        guestAgent: onOff(options['guest-agent']),
                        memoryBytes: optionalSize('memory'),
                        maxMemoryBytes: optionalSize('max-memory'),
                        hotplugMemoryBytes: optionalSize('hotplug-memory'),
                        serial: onOff(options.serial),
                        vnc: onOff(options.vnc),
                        vcpus: optionalWhole('vcpus'),
                        maxVcpus: optionalWhole('max-vcpus'),
                        cpu:
                            options.cpu || options.topology
                                ? { model: options.cpu, ...(options.topology ? topologyOf(options.topology) : {}) }
                                : undefined,
                        firmware: options.firmware,
                        bootOrder: lists.boot ? { order: lists.boot } : undefined,
                        startOrder: optionalWhole('start-order'),
                        startDelaySeconds: optionalWhole('start-delay'),
                        dryRun,
                    }),
            })
        },
    },
]
