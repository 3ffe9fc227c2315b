// The verbs of `debvisor vm` that make, clone and delete VMs.
import type { MessageInitShape } from '@bufbuild/protobuf'
import { Fault } from '../../base/fault.ts'
import { cryptSha512 } from '../../base/sha512crypt.ts'
import { type CloudInitSchema, type NewDiskSchema, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { carryOut } from '../change.ts'
import { whole } from '../value.ts'
import type { Argument, Option, Verb, VerbContext } from '../verb.ts'
import { BOOT, CPU, NOTES, START_ORDER, size, TOPOLOGY } from './cli-set.ts'
import { diskOf, nicOf, topologyOf } from './cli-words.ts'

const VM: Argument = { name: 'vm', summary: 'name or UUID', complete: 'vm' }

export const SEED: Option[] = [
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

export async function seedOf(context: VerbContext): Promise<MessageInitShape<typeof CloudInitSchema> | undefined> {
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
        async bytes => new Uint8Array(await crypto.subtle.digest('SHA-512', bytes as Uint8Array<ArrayBuffer>)),
    )

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
                summary:
                    'further disk: a size, or size=20G,bus=scsi,pool=fast,cache=none,discard=no,write-iops=500,read-rate=50M',
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
            {
                name: 'hotplug-memory',
                value: 'SIZE',
                summary: 'room for memory that is plugged in while it runs',
            },
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
            CPU,
            TOPOLOGY,
            { ...BOOT, summary: `${BOOT.summary} (default: disk, then cdrom)` },
            { name: 'no-agent', summary: 'without a port for the guest agent' },
            { name: 'description', value: 'TEXT', summary: 'what it is for' },
            NOTES,
            { name: 'tag', short: 't', value: 'TAG', summary: 'tag for finding and granting', repeats: true },
            { name: 'autostart', summary: 'start it with the host' },
            ...START_ORDER,
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
                        hotplugMemoryBytes: options['hotplug-memory'] ? size(context, 'hotplug-memory', '') : 0n,
                        vcpus: whole(options.vcpus ?? '1', '--vcpus'),
                        maxVcpus: options['max-vcpus'] ? whole(options['max-vcpus'], '--max-vcpus') : 0,
                        firmware: options.firmware ?? '',
                        secureBoot: options['secure-boot'] !== undefined,
                        tpm: options.tpm !== undefined,
                        machine: options.machine ?? '',
                        cpu:
                            options.cpu || options.topology
                                ? {
                                      model: options.cpu ?? '',
                                      ...(options.topology ? topologyOf(options.topology) : {}),
                                  }
                                : undefined,
                        bootOrder: lists.boot ?? [],
                        noGuestAgent: options['no-agent'] !== undefined,
                        notes: options.notes ?? '',
                        startOrder: options['start-order'] ? whole(options['start-order'], '--start-order') : 0,
                        startDelaySeconds: options['start-delay'] ? whole(options['start-delay'], '--start-delay') : 0,
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
            { name: 'description', value: 'TEXT', summary: 'what it is for; otherwise that of the source' },
            { name: 'tag', short: 't', value: 'TAG', summary: 'tag of the copy', repeats: true },
            ...SEED,
        ],
        changes: true,
        examples: [
            { line: 'debvisor vm clone web1 web2 --linked --start', note: 'In a moment; web1 has to be a template.' },
        ],
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
                        description: context.options.description ?? '',
                        tags: context.lists.tag ?? [],
                        cloudInit,
                        dryRun,
                    }),
            })
        },
    },
    {
        words: ['vm', 'delete'],
        examples: [{ line: 'debvisor vm delete web1 --disks', note: 'Shows what dies, and asks for the name.' }],
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
