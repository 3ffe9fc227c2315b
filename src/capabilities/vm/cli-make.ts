// The verbs of `debvisor vm` that make, change, clone and delete VMs.

import type { MessageInitShape } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import { cryptSha512 } from '../../base/sha512crypt.ts'
import { parseSizeBytes } from '../../base/units.ts'
import { type CloudInitSchema, type NewDiskSchema, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { carryOut } from '../change.ts'
import { whole } from '../value.ts'
import type { Argument, Option, Verb, VerbContext } from '../verb.ts'
import { diskOf, nicOf } from './cli-words.ts'

const VM: Argument = { name: 'vm', summary: 'name or UUID', complete: 'vm' }

const SEED: Option[] = [
    { name: 'user', short: 'u', value: 'NAME', summary: 'login that cloud-init makes in the guest' },
    {
        name: 'ssh-key',
        value: 'KEY|FILE',
        summary: 'public SSH key for that login, or a file with keys',
        repeats: true,
        complete: 'file',
    },
    { name: 'password', summary: 'ask for a password for that login (only its hash leaves this machine)' },
    { name: 'hostname', value: 'NAME', summary: "the guest's host name; otherwise the VM's name" },
    { name: 'package', value: 'NAME', summary: 'package that cloud-init installs', repeats: true },
    { name: 'run', value: 'COMMAND', summary: 'command that cloud-init runs at the first boot', repeats: true },
    { name: 'user-data', value: 'FILE', summary: 'whole user-data document instead of these', complete: 'file' },
    { name: 'network-config', value: 'FILE', summary: 'whole network-config document (version 2)', complete: 'file' },
]

async function seedOf(context: VerbContext): Promise<MessageInitShape<typeof CloudInitSchema> | undefined> {
    const { options, lists } = context
    const keys = (lists['ssh-key'] ?? []).map(async given =>
        /^(ssh|ecdsa|sk)-/.test(given) ? given : await context.file(given),
    )
    const seed = {
        user: options.user ?? '',
        passwordHash: options.password
            ? await hash(await context.secret(`Password of ${options.user ?? 'the guest'}`))
            : '',
        sshKeys: (await Promise.all(keys)).flatMap(text => text.split('\n')).filter(line => line.trim() !== ''),
        hostname: options.hostname ?? '',
        packages: lists.package ?? [],
        commands: lists.run ?? [],
        userData: options['user-data'] ? await context.file(options['user-data']) : '',
        networkConfig: options['network-config'] ? await context.file(options['network-config']) : '',
    }
    return Object.values(seed).some(value => value.length > 0) ? seed : undefined
}

const hash = (password: string): Promise<string> =>
    cryptSha512(
        password,
        crypto.getRandomValues(new Uint8Array(16)),
        async bytes => new Uint8Array(await crypto.subtle.digest('SHA-512', bytes)),
    )

const size = (context: VerbContext, name: string, fallback: string): bigint =>
    BigInt(parseSizeBytes(context.options[name] ?? fallback, `--${name}`))

export const makeVerbs: Verb[] = [
    {
        words: ['vm', 'create'],
        summary: 'make a VM from an image, an ISO or an empty disk',
        description:
            'The disk is copied from --image (a volume such as default/debian-13.qcow2), or made empty with --disk and installed from --iso. ' +
            'With --user, --ssh-key and their like the guest gets a cloud-init seed.',
        arguments: [{ name: 'name', summary: 'name of the new VM' }],
        options: [
            {
                name: 'image',
                short: 'i',
                value: 'POOL/VOLUME',
                summary: 'image to copy the disk from',
                complete: 'volume',
            },
            { name: 'linked', summary: 'keep reading from the image instead of copying it' },
            { name: 'size', value: 'SIZE', summary: 'size of the disk; with --image the size to grow to' },
            {
                name: 'iso',
                value: 'POOL/VOLUME',
                summary: 'ISO in a CD drive; the first is booted from',
                complete: 'volume',
                repeats: true,
            },
            {
                name: 'disk',
                short: 'd',
                value: 'SPEC',
                summary: 'further disk: a size, or size=20G,bus=scsi,pool=fast,cache=none',
                repeats: true,
            },
            {
                name: 'existing',
                value: 'POOL/VOLUME',
                summary: 'volume to use as it is as the boot disk',
                complete: 'volume',
            },
            { name: 'pool', value: 'POOL', summary: 'where its disks are made', complete: 'pool' },
            { name: 'memory', short: 'm', value: 'SIZE', summary: 'memory of the guest', default: '1G' },
            { name: 'max-memory', value: 'SIZE', summary: 'how far memory can be raised while it runs' },
            { name: 'vcpus', short: 'c', value: 'N', summary: 'virtual CPUs', default: '1' },
            { name: 'max-vcpus', value: 'N', summary: 'how far vCPUs can be raised while it runs' },
            {
                name: 'network',
                short: 'n',
                value: 'SPEC',
                summary: 'network, bridge:NAME, or network=NAME,model=e1000e,mac=…,vlan=5',
                default: 'default',
                repeats: true,
            },
            { name: 'no-network', summary: 'without any NIC' },
            { name: 'firmware', value: 'KIND', summary: 'how it boots', choices: ['bios', 'uefi'] },
            { name: 'secure-boot', summary: 'UEFI that boots signed systems only' },
            { name: 'tpm', summary: 'with a TPM 2.0' },
            {
                name: 'os',
                value: 'KIND',
                summary: 'what will run in it',
                choices: ['linux', 'windows', 'other'],
                default: 'linux',
            },
            { name: 'machine', value: 'TYPE', summary: 'q35, pc, …' },
            { name: 'cpu', value: 'MODEL', summary: 'host-passthrough, host-model, maximum or a model' },
            { name: 'description', value: 'TEXT', summary: 'what it is for' },
            { name: 'tag', short: 't', value: 'TAG', summary: 'tag for finding and granting', repeats: true },
            { name: 'autostart', summary: 'start it with the host' },
            { name: 'start', summary: 'start it when it is made' },
            ...SEED,
        ],
        changes: true,
        examples: [
            {
                line: 'debvisor vm create web1 --image default/debian-13.qcow2 --user ann --ssh-key ~/.ssh/id_ed25519.pub --start',
                note: 'A Debian guest that you can log in to.',
            },
            {
                line: 'debvisor vm create win1 --os windows --size 64G --iso default/win11.iso --iso default/virtio-win.iso --tpm --secure-boot',
                note: 'Windows, with the drivers on a second CD.',
            },
        ],
        async run(context) {
            const { options, lists, args } = context
            const pool = options.pool ?? ''
            const first: MessageInitShape<typeof NewDiskSchema>[] = []
            if (options.existing) first.push({ existing: options.existing })
            else if (options.image)
                first.push({
                    from: options.image,
                    linked: options.linked !== undefined,
                    pool,
                    sizeBytes: options.size ? size(context, 'size', '') : 0n,
                })
            else if (options.size) first.push({ sizeBytes: size(context, 'size', ''), pool })
            else if (!lists.disk?.length && !lists.iso?.length) {
                throw new Fault('invalid', {
                    summary: 'The VM has nothing to boot from',
                    fix: 'Give --image, --iso, --existing or --size.',
                    at: '--image',
                })
            }
            const cloudInit = await seedOf(context)
            const nics = options['no-network'] ? [] : (lists.network ?? ['default']).map(nicOf)
            return carryOut(context, {
                call: dryRun =>
                    context.client(VmService).create({
                        name: args.name,
                        description: options.description ?? '',
                        tags: lists.tag ?? [],
                        memoryBytes: size(context, 'memory', '1G'),
                        maxMemoryBytes: options['max-memory'] ? size(context, 'max-memory', '') : 0n,
                        vcpus: whole(options.vcpus ?? '1', '--vcpus'),
                        maxVcpus: options['max-vcpus'] ? whole(options['max-vcpus'], '--max-vcpus') : 0,
                        firmware: options.firmware ?? '',
                        secureBoot: options['secure-boot'] !== undefined,
                        tpm: options.tpm !== undefined,
                        machine: options.machine ?? '',
                        cpu: options.cpu ? { model: options.cpu } : undefined,
                        disks: [...first, ...(lists.disk ?? []).map(text => ({ pool, ...diskOf(text) }))],
                        nics,
                        isos: lists.iso ?? [],
                        cloudInit,
                        os: options.os ?? '',
                        autostart: options.autostart !== undefined,
                        start: options.start !== undefined,
                        dryRun,
                    }),
            })
        },
    },
    {
        words: ['vm', 'clone'],
        summary: 'make a copy of a VM',
        description:
            'The copy has its own UUID, MAC addresses, and where the source has a cloud-init seed, its own machine-id and host keys.',
        arguments: [VM, { name: 'name', summary: 'name of the copy' }],
        options: [
            { name: 'linked', summary: 'stand on the disks of the source instead of copying them' },
            { name: 'pool', value: 'POOL', summary: 'where the copies are made', complete: 'pool' },
            { name: 'start', summary: 'start it when it is made' },
            ...SEED,
        ],
        changes: true,
        async run(context) {
            const cloudInit = await seedOf(context)
            return carryOut(context, {
                call: dryRun =>
                    context.client(VmService).clone({
                        vm: context.args.vm,
                        name: context.args.name,
                        linked: context.options.linked !== undefined,
                        pool: context.options.pool ?? '',
                        start: context.options.start !== undefined,
                        cloudInit,
                        dryRun,
                    }),
            })
        },
    },
    {
        words: ['vm', 'template'],
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
            { name: 'vcpus', short: 'c', value: 'N', summary: 'virtual CPUs' },
            { name: 'max-vcpus', value: 'N', summary: 'how far vCPUs can be raised while it runs' },
            { name: 'cpu', value: 'MODEL', summary: 'host-passthrough, host-model, maximum or a model' },
            { name: 'firmware', value: 'KIND', summary: 'how it boots', choices: ['bios', 'uefi'] },
            { name: 'description', value: 'TEXT', summary: 'what it is for' },
            { name: 'notes', value: 'TEXT', summary: 'notes' },
            { name: 'tag', short: 't', value: 'TAG', summary: 'its tags; replaces all', repeats: true },
            { name: 'autostart', value: 'ON', summary: 'start it with the host', choices: ['on', 'off'] },
            {
                name: 'boot',
                value: 'WHAT',
                summary: 'boot order: disk, cdrom, network, a disk target or a MAC',
                repeats: true,
            },
            { name: 'start-order', value: 'N', summary: 'place among the VMs that start with the host; 0 for none' },
            { name: 'start-delay', value: 'SECONDS', summary: 'pause after its start before the next' },
        ],
        changes: true,
        examples: [
            {
                line: 'debvisor vm set web1 --memory 4G --vcpus 4',
                note: 'At once where the guest can, else at the next start; it says which.',
            },
        ],
        run(context) {
            const { options, lists, args } = context
            const optionalSize = (name: string) => (options[name] === undefined ? undefined : size(context, name, ''))
            const optionalWhole = (name: string) =>
                options[name] === undefined ? undefined : whole(options[name], `--${name}`)
            return carryOut(context, {
                call: dryRun =>
                    context.client(VmService).update({
                        vm: args.vm,
                        description: options.description,
                        notes: options.notes,
                        tags: lists.tag ? { tags: lists.tag } : undefined,
                        autostart: options.autostart === undefined ? undefined : options.autostart === 'on',
                        memoryBytes: optionalSize('memory'),
                        maxMemoryBytes: optionalSize('max-memory'),
                        vcpus: optionalWhole('vcpus'),
                        maxVcpus: optionalWhole('max-vcpus'),
                        cpu: options.cpu ? { model: options.cpu } : undefined,
                        firmware: options.firmware,
                        bootOrder: lists.boot ? { order: lists.boot } : undefined,
                        startOrder: optionalWhole('start-order'),
                        startDelaySeconds: optionalWhole('start-delay'),
                        dryRun,
                    }),
            })
        },
    },
    {
        words: ['vm', 'delete'],
        summary: 'delete a VM, with its disks if you say so',
        arguments: [VM],
        options: [
            { name: 'disks', summary: 'delete its disks too' },
            { name: 'force', short: 'f', summary: 'stop it first when it runs' },
        ],
        changes: true,
        async run(context) {
            // What is agreed to is the VM as it is now: one that somebody changes meanwhile is not deleted. Who may
            // delete it and not look at it has the comparison of the plans alone.
            const seen = await context
                .client(VmService)
                .get({ vm: context.args.vm })
                .catch(() => undefined)
            return carryOut(context, {
                call: dryRun =>
                    context.client(VmService).delete({
                        vm: context.args.vm,
                        revision: seen?.detail?.revision ?? '',
                        disks: context.options.disks !== undefined,
                        force: context.options.force !== undefined,
                        dryRun,
                    }),
                consent: context.args.vm,
                question: `The definition of ${context.args.vm} is removed; its disks stay.`,
            })
        },
    },
]
