// The verbs of `debvisor vm` that look at one VM: its hardware, its figures, its guest, its XML.
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { formatBytes, formatDuration } from '../../base/units.ts'
import {
    type Cpu,
    type Figures,
    FiguresSchema,
    GetGuestResponseSchema,
    GetResponseSchema,
    GetXmlResponseSchema,
    type IoLimits,
    State,
    type VmDetail,
    VmService,
} from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { Argument, Verb, VerbContext, View } from '../verb.ts'
import { watchOne } from '../watch.ts'

const VM: Argument = { name: 'vm', summary: 'name or UUID', complete: 'vm' }

export const STATES: Record<State, string> = {
    [State.STATE_UNSPECIFIED]: 'unknown',
    [State.RUNNING]: 'running',
    [State.PAUSED]: 'paused',
    [State.SHUTTING_DOWN]: 'shutting down',
    [State.STOPPED]: 'stopped',
    [State.CRASHED]: 'crashed',
    [State.SLEEPING]: 'sleeping',
}

const counted = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`

function cpuWords(cpu: Cpu | undefined): string {
    const { model = '', sockets = 0, cores = 0, threads = 0 } = cpu ?? {}
    const threaded = threads > 1 ? ` with ${threads} threads each` : ''
    const topology = sockets > 0 ? `${counted(sockets, 'socket')} of ${counted(cores, 'core')}${threaded}` : ''
    return [model, topology].filter(Boolean).join(', ')
}

const limitWords = (limits: IoLimits | undefined) =>
    limits === undefined
        ? ''
        : [
              limits.readIops && `${limits.readIops} reads/s`,
              limits.writeIops && `${limits.writeIops} writes/s`,
              limits.readBytesPerSecond && `reading ${formatBytes(Number(limits.readBytesPerSecond))}/s`,
              limits.writeBytesPerSecond && `writing ${formatBytes(Number(limits.writeBytesPerSecond))}/s`,
          ]
              .filter(Boolean)
              .join(', ')

const agentWords = (detail: VmDetail) => {
    if (!detail.guestAgent) return 'no port for it'
    return detail.guestAgentConnected ? 'answers' : 'does not answer'
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
        { label: 'CPU', value: cpuWords(detail.cpu) },
        {
            label: 'Memory',
            value: `${formatBytes(Number(vm.memoryBytes))}${vm.maxMemoryBytes > vm.memoryBytes ? ` of at most ${formatBytes(Number(vm.maxMemoryBytes))}` : ''}`,
        },
        {
            label: 'Memory room',
            value: detail.hotplugMemoryBytes
                ? `${formatBytes(Number(detail.hotplugMemoryBytes))} can be plugged in`
                : '',
        },
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
                d.cache && `cache ${d.cache}`,
                limitWords(d.limits),
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
        { label: 'Boot order', value: detail.bootOrder.join(', ') },
        {
            label: 'Start order',
            value: [
                detail.startOrder || '',
                detail.startDelaySeconds ? `${detail.startDelaySeconds} s before the next` : '',
            ]
                .filter(Boolean)
                .join(', '),
        },
        { label: 'Guest agent', value: agentWords(detail) },
        { label: 'Owner', value: vm.owner },
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

function stats(context: VerbContext, figures: Figures): View {
    const bytes = (count: bigint) => formatBytes(Number(count))
    const fields = [
        { label: 'CPU', value: `${Math.round(figures.cpu * 100)}% of its vCPUs` },
        { label: 'Memory', value: `${bytes(figures.memoryUsedBytes)} of ${bytes(figures.memoryBytes)}` },
        {
            label: 'Disks',
            value:
                `${bytes(figures.diskReadBytesPerSecond)}/s read (${Math.round(figures.diskReadIops)} a second), ` +
                `${bytes(figures.diskWriteBytesPerSecond)}/s written (${Math.round(figures.diskWriteIops)} a second)`,
        },
        {
            label: 'Network',
            value: `${bytes(figures.netRxBytesPerSecond)}/s in, ${bytes(figures.netTxBytesPerSecond)}/s out`,
        },
    ]
    return { kind: 'record', fields, json: context.json(FiguresSchema, figures) }
}

export const lookVerbs: Verb[] = [
    {
        words: ['vm', 'show'],
        summary: 'show a VM with its hardware',
        arguments: [VM],
        watches: true,
        examples: [
            { line: 'debvisor vm show web1 --watch', note: 'Its state and hardware as they change.' },
            { line: "debvisor vm show web1 --json | jq -r '.detail.disks[].target'", note: 'Its disks for a script.' },
        ],
        async run(context) {
            const vms = context.client(VmService)
            let uuid = ''
            const look = async () => {
                // By its UUID from the second look on: it may be given another name meanwhile.
                const { detail } = await vms.get({ vm: uuid || context.args.vm })
                uuid = detail!.vm!.uuid
                return details(context, detail!)
            }
            if (!context.watch) return look()
            return watchOne(context, {
                changes: vms.watch({}, { signal: context.signal }),
                about: change => change.vms.some(vm => vm.uuid === uuid) || change.removed.includes(uuid),
                look,
            })
        },
    },
    {
        words: ['vm', 'xml'],
        summary: "print libvirt's definition of a VM",
        arguments: [VM],
        options: [{ name: 'active', summary: 'of the running guest instead of the next start' }],
        examples: [{ line: 'debvisor vm xml web1 > web1.xml', note: 'What virsh dumpxml --inactive shows.' }],
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
        words: ['vm', 'stats'],
        summary: 'how busy a VM is: CPU, memory, disks, network',
        arguments: [VM],
        watches: true,
        examples: [{ line: 'debvisor vm stats web1 --watch', note: 'As the figures are taken; Ctrl-C ends it.' }],
        async run(context) {
            const { vm } = context.args
            const vms = context.client(VmService)
            if (context.watch) {
                for await (const { figures } of vms.watchFigures({ vm }, { signal: context.signal }))
                    if (figures) context.show(stats(context, figures))
                return { kind: 'nothing' }
            }
            const last = (await vms.getFigures({ vm })).history.at(-1)
            return last
                ? stats(context, last)
                : {
                      kind: 'text',
                      text: 'There are no figures: it does not run, or has only just begun to.',
                      json: null,
                  }
        },
    },
    {
        words: ['vm', 'guest'],
        summary: 'what the guest says of itself: addresses, host name, file systems',
        description: 'Without a guest agent the addresses are those that DHCP has given.',
        arguments: [VM],
        examples: [
            {
                line: "debvisor vm guest web1 --json | jq -r '.interfaces[].addresses[]'",
                note: 'Where to reach it.',
            },
        ],
        async run(context) {
            const guest = await context.client(VmService).getGuest({ vm: context.args.vm })
            const fields = [
                { label: 'Agent', value: guest.agent ? 'answers' : 'does not answer' },
                { label: 'Host name', value: guest.hostname },
                { label: 'System', value: guest.os },
                ...guest.interfaces.map(i => ({
                    label: i.name || `NIC ${i.mac}`,
                    value: `${i.addresses.join(', ') || 'no address'}${i.source === 'lease' ? ' (by DHCP)' : ''}`,
                })),
                ...guest.filesystems.map(f => ({
                    label: f.mountpoint,
                    value: `${formatBytes(Number(f.usedBytes))} of ${formatBytes(Number(f.totalBytes))}, ${f.type}`,
                })),
            ]
            return {
                kind: 'record',
                fields: fields.filter(f => f.value),
                json: context.json(GetGuestResponseSchema, guest),
            }
        },
    },
]
