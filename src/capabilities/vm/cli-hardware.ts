// The verbs of `debvisor vm` for disks, NICs and CD drives.
import { Fault } from '../../base/fault.ts'
import { parseSizeBytes } from '../../base/units.ts'
import { VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { carryOut } from '../change.ts'
import { onOff, whole } from '../value.ts'
import type { Argument, Verb } from '../verb.ts'
import { diskOf, limitsOf, nicOf } from './cli-words.ts'

const VM: Argument = { name: 'vm', summary: 'name or UUID', complete: 'vm' }
const DISK: Argument = {
    name: 'target',
    summary: 'the disk by its target, such as vdb (see: debvisor vm show)',
    complete: 'disk',
}
const NIC: Argument = { name: 'mac', summary: 'the NIC by its MAC address' }

export const hardwareVerbs: Verb[] = [
    {
        words: ['vm', 'add-disk'],
        examples: [
            {
                line: 'debvisor vm add-disk web1 size=20G,bus=scsi,pool=fast',
                note: 'A running guest sees it at once.',
            },
        ],
        summary: 'add a disk, while the VM runs or not',
        arguments: [
            VM,
            { name: 'disk', summary: 'a size such as 20G, or size=20G,bus=scsi,pool=fast, or existing=POOL/VOLUME' },
        ],
        options: [{ name: 'cdrom', summary: 'a CD drive instead; with existing= an ISO is in it' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).attachDisk({
                        vm: context.args.vm,
                        disk: diskOf(context.args.disk!),
                        device: context.options.cdrom ? 'cdrom' : 'disk',
                        dryRun,
                    }),
            }),
    },
    {
        words: ['vm', 'set-disk'],
        summary: 'change cache, discard and I/O limits of a disk',
        arguments: [VM, DISK],
        options: [
            {
                name: 'cache',
                value: 'MODE',
                summary: 'how the host caches',
                choices: ['none', 'writeback', 'writethrough', 'directsync', 'unsafe'],
            },
            { name: 'discard', value: 'ON', summary: 'give freed blocks back', choices: ['on', 'off'] },
            { name: 'read-iops', value: 'N', summary: 'reads a second at most; 0 for no limit' },
            { name: 'write-iops', value: 'N', summary: 'writes a second at most' },
            { name: 'read-rate', value: 'SIZE', summary: 'bytes read a second at most' },
            { name: 'write-rate', value: 'SIZE', summary: 'bytes written a second at most' },
        ],
        changes: true,
        examples: [
            { line: 'debvisor vm set-disk web1 vda --write-iops 500', note: 'The other limits stay as they are.' },
            { line: 'debvisor vm set-disk web1 vda --write-iops 0', note: 'Without that limit again.' },
        ],
        async run(context) {
            const { options } = context
            const given = limitsOf(options, '--')
            const vms = context.client(VmService)
            // The call takes all four limits: those that are not given stay as they are, or the revision has moved.
            const seen = given && (await vms.get({ vm: context.args.vm })).detail
            const before = seen?.disks.find(disk => disk.target === context.args.target)?.limits
            return carryOut(context, {
                call: dryRun =>
                    vms.updateDisk({
                        vm: context.args.vm,
                        revision: seen?.revision ?? '',
                        target: context.args.target,
                        cache: options.cache,
                        discard: onOff(options.discard),
                        limits: given && {
                            readIops: before?.readIops,
                            writeIops: before?.writeIops,
                            readBytesPerSecond: before?.readBytesPerSecond,
                            writeBytesPerSecond: before?.writeBytesPerSecond,
                            ...given,
                        },
                        dryRun,
                    }),
            })
        },
    },
    {
        words: ['vm', 'remove-disk'],
        examples: [{ line: 'debvisor vm remove-disk web1 vdb --delete', note: 'Asks first, as its data dies.' }],
        summary: 'take a disk out, and delete it if you say so',
        arguments: [VM, DISK],
        options: [{ name: 'delete', summary: 'delete its volume too' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).detachDisk({
                        vm: context.args.vm,
                        target: context.args.target,
                        delete: context.options.delete !== undefined,
                        dryRun,
                    }),
                consent: context.args.vm,
            }),
    },
    {
        words: ['vm', 'resize-disk'],
        examples: [{ line: 'debvisor vm resize-disk web1 vda 40G', note: 'The guest then grows its file system.' }],
        summary: 'grow a disk',
        arguments: [VM, DISK, { name: 'size', summary: 'the new size, such as 40G' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).resizeDisk({
                        vm: context.args.vm,
                        target: context.args.target,
                        sizeBytes: BigInt(parseSizeBytes(context.args.size!)),
                        dryRun,
                    }),
            }),
    },
    {
        words: ['vm', 'move-disk'],
        examples: [{ line: 'debvisor vm move-disk web1 vda fast', note: 'The guest goes on meanwhile.' }],
        summary: 'move a disk to another pool, while the VM runs or not',
        arguments: [VM, DISK, { name: 'pool', summary: 'where it goes', complete: 'pool' }],
        options: [{ name: 'keep', summary: 'keep the old volume' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).moveDisk({
                        vm: context.args.vm,
                        target: context.args.target,
                        pool: context.args.pool,
                        keep: context.options.keep !== undefined,
                        dryRun,
                    }),
            }),
    },
    {
        words: ['vm', 'insert'],
        examples: [{ line: 'debvisor vm insert web1 sda default/debian-13.iso', note: 'At once.' }],
        summary: 'put an ISO into a CD drive',
        arguments: [VM, DISK, { name: 'iso', summary: 'POOL/VOLUME of the ISO', complete: 'volume' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).changeMedia({
                        vm: context.args.vm,
                        target: context.args.target,
                        iso: context.args.iso,
                        dryRun,
                    }),
            }),
    },
    {
        words: ['vm', 'eject'],
        examples: [{ line: 'debvisor vm eject web1 sda', note: 'At once.' }],
        summary: 'take the ISO out of a CD drive',
        arguments: [VM, DISK],
        options: [{ name: 'force', short: 'f', summary: 'even when the guest has locked the drive' }],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).changeMedia({
                        vm: context.args.vm,
                        target: context.args.target,
                        force: context.options.force !== undefined,
                        dryRun,
                    }),
            }),
    },
    {
        words: ['vm', 'add-nic'],
        examples: [{ line: 'debvisor vm add-nic web1 network=lan,vlan=5', note: 'At once.' }],
        summary: 'add a NIC, while the VM runs or not',
        arguments: [
            VM,
            {
                name: 'network',
                summary: 'network, bridge:NAME, or network=NAME,model=e1000e,mac=…,vlan=5',
                complete: 'network',
            },
        ],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context
                        .client(VmService)
                        .attachNic({ vm: context.args.vm, nic: nicOf(context.args.network!), dryRun }),
            }),
    },
    {
        words: ['vm', 'set-nic'],
        examples: [
            { line: 'debvisor vm set-nic web1 52:54:00:12:34:56 --link down', note: 'As if the cable were pulled.' },
        ],
        summary: 'change the network, VLAN, model or link of a NIC',
        arguments: [VM, NIC],
        options: [
            { name: 'network', value: 'NAME', summary: 'libvirt network to put it on', complete: 'network' },
            { name: 'bridge', value: 'NAME', summary: 'bridge of the host to put it on' },
            { name: 'link', value: 'STATE', summary: 'whether its cable is plugged in', choices: ['up', 'down'] },
            { name: 'vlan', value: 'ID', summary: 'VLAN; 0 for none' },
            { name: 'model', value: 'MODEL', summary: 'virtio, e1000e, rtl8139' },
        ],
        changes: true,
        run(context) {
            const { network, bridge, link, vlan, model } = context.options
            if (network && bridge)
                throw new Fault('invalid', {
                    summary: 'A NIC is on a network or on a bridge',
                    fix: 'Give --network or --bridge, not both.',
                })
            return carryOut(context, {
                call: dryRun =>
                    context.client(VmService).updateNic({
                        vm: context.args.vm,
                        mac: context.args.mac,
                        network,
                        bridge,
                        linkDown: link === undefined ? undefined : link === 'down',
                        vlan: vlan === undefined ? undefined : whole(vlan, '--vlan'),
                        model,
                        dryRun,
                    }),
            })
        },
    },
    {
        words: ['vm', 'remove-nic'],
        examples: [{ line: 'debvisor vm remove-nic web1 52:54:00:12:34:56', note: 'Its MAC: debvisor vm show web1' }],
        summary: 'take a NIC out',
        arguments: [VM, NIC],
        changes: true,
        run: context =>
            carryOut(context, {
                call: dryRun =>
                    context.client(VmService).detachNic({ vm: context.args.vm, mac: context.args.mac, dryRun }),
            }),
    },
]
