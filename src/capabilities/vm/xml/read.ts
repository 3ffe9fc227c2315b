// One VM with its hardware: a definition of the next start, and what runs, as the API shows them.
import { create } from '@bufbuild/protobuf'
import {
    type Disk,
    DiskSchema,
    type Nic,
    NicSchema,
    type Vm,
    type VmDetail,
    VmDetailSchema,
} from '../../../gen/proto/capabilities/vm/vm_pb.js'
import type { VolumeFacts } from '../volumes.ts'
import { attribute, children, type Element, find, findAll, parseRoot, textAt } from './document.ts'
import { hasSerial, hasVnc } from './edit-console.ts'
import { hotplugMemoryBytes } from './edit-memory.ts'
import { readMetadata } from './metadata.ts'
import { type DiskFacts, type NicFacts, readDisks, readNics } from './read-devices.ts'
import { pendingChanges, readSummary } from './read-summary.ts'

export interface DetailSources {
    vm: Vm
    revision: string
    inactiveXml: string
    /** Absent while it does not run. */
    activeXml?: string
    snapshots: number
    agentConnected: boolean
    /** The volume at a source, where it is in a pool. */
    volumeAt(source: string): VolumeFacts | undefined
}

// What every VM has, or what stands in a field of its own.
const SHOWN = new Set(
    (
        'emulator disk interface controller serial parallel console channel input graphics video memballoon audio ' +
        'tpm rng panic'
    ).split(' '),
)
const BOOT_WORDS: Record<string, string> = { hd: 'disk', cdrom: 'cdrom', network: 'network', fd: 'floppy' }

/** Pure but for `volumeAt`. @throws Fault `invalid` for XML that is none */
export function readDetail(from: DetailSources): VmDetail {
    const domain = parseRoot(from.inactiveXml, 'domain')
    const running = from.activeXml === undefined ? undefined : parseRoot(from.activeXml, 'domain')
    const metadata = readMetadata(domain)
    const cpu = find(domain, 'cpu')
    const topology = find(domain, 'cpu/topology')
    const size = (name: string) => Number(attribute(topology, name)) || 0
    const channels = findAll(domain, 'devices/channel/target')
    const devices = find(domain, 'devices')
    const pending = from.activeXml ? pendingChanges(readSummary(from.activeXml), readSummary(from.inactiveXml)) : []
    return create(VmDetailSchema, {
        vm: from.vm,
        revision: from.revision,
        notes: metadata.notes,
        machine: attribute(find(domain, 'os/type'), 'machine'),
        secureBoot: hasSecureBoot(domain),
        tpm: find(domain, 'devices/tpm') !== undefined,
        cpu: {
            model: cpuModel(cpu),
            sockets: size('sockets'),
            cores: size('cores') * (size('dies') || 1) * (size('clusters') || 1),
            threads: size('threads'),
        },
        disks: mergeDisks(readDisks(domain), running && readDisks(running), from.volumeAt),
        nics: mergeNics(readNics(domain), running && readNics(running)),
        bootOrder: bootOrder(domain),
        guestAgent: channels.some(target => attribute(target, 'name') === 'org.qemu.guest_agent.0'),
        guestAgentConnected: from.agentConnected,
        serial: hasSerial(domain),
        vnc: hasVnc(domain),
        startOrder: metadata.startOrder,
        startDelaySeconds: metadata.startDelaySeconds,
        os: metadata.os || guessOs(domain),
        pendingChanges: pending,
        otherDevices: [
            ...new Set([
                ...(devices ? children(devices).map(device => device.localName!) : []).filter(n => !SHOWN.has(n)),
                ...children(domain, 'commandline').map(() => 'commandline'),
            ]),
        ],
        hasSeed: metadata.seed !== '',
        snapshots: from.snapshots,
        virtType: attribute(domain, 'type'),
        hotplugMemoryBytes: BigInt(hotplugMemoryBytes(domain)),
    })
}

/** True where the firmware is asked for with secure boot. */
export const hasSecureBoot = (domain: Element): boolean =>
    attribute(find(domain, 'os/loader'), 'secure') === 'yes' ||
    findAll(domain, 'os/firmware/feature').some(
        feature => attribute(feature, 'name') === 'secure-boot' && attribute(feature, 'enabled') === 'yes',
    )

const cpuModel = (cpu: Element | undefined): string => {
    const mode = attribute(cpu, 'mode')
    return mode === '' || mode === 'custom' ? (cpu ? textAt(cpu, 'model') : '') : mode
}

/** Targets and MACs where devices have places of their own, else the words disk, cdrom, network. */
export function bootOrder(domain: Element): string[] {
    const placed = [
        ...readDisks(domain).map(disk => ({ order: disk.bootOrder, name: disk.target })),
        ...readNics(domain).map(nic => ({ order: nic.bootOrder, name: nic.mac })),
    ].filter(device => device.order > 0)
    if (placed.length > 0) return placed.sort((a, b) => a.order - b.order).map(device => device.name)
    return findAll(domain, 'os/boot').map(boot => BOOT_WORDS[attribute(boot, 'dev')] ?? attribute(boot, 'dev'))
}

function guessOs(domain: Element): string {
    // libosinfo's id, as virt-install and Cockpit write it.
    const id = findAll(domain, 'metadata/libosinfo/os').map(os => attribute(os, 'id'))[0] ?? ''
    if (/microsoft\.com/.test(id)) return 'windows'
    if (/linux|debian|ubuntu|fedora|centos|redhat|suse|alpine|arch/.test(id)) return 'linux'
    return find(domain, 'features/hyperv') ? 'windows' : 'other'
}

const presenceOf = (isNext: boolean, isNow: boolean | undefined): string =>
    isNow === undefined ? '' : isNext && isNow ? 'live' : isNext ? 'pending' : 'removed'

function mergeDisks(
    next: DiskFacts[],
    now: DiskFacts[] | undefined,
    volumeAt: (source: string) => VolumeFacts | undefined,
): Disk[] {
    const disk = (facts: DiskFacts, presence: string): Disk => {
        const volume = facts.source === '' ? undefined : volumeAt(facts.source)
        const { target, device, bus, format, cache, discard, readonly, serial, limits } = facts
        return create(DiskSchema, {
            target,
            device,
            bus,
            format,
            cache,
            discard,
            readonly,
            serial,
            presence,
            pool: volume?.pool ?? '',
            volume: volume?.name ?? '',
            source: volume ? '' : facts.source,
            capacityBytes: BigInt(volume?.capacityBytes ?? 0),
            allocationBytes: BigInt(volume?.allocationBytes ?? 0),
            limits: {
                readIops: BigInt(limits.readIops),
                writeIops: BigInt(limits.writeIops),
                readBytesPerSecond: BigInt(limits.readBytesPerSecond),
                writeBytesPerSecond: BigInt(limits.writeBytesPerSecond),
            },
        })
    }
    const gone = (now ?? []).filter(old => !next.some(facts => facts.target === old.target))
    return [
        ...next.map(facts =>
            disk(
                facts,
                presenceOf(
                    true,
                    now?.some(old => old.target === facts.target),
                ),
            ),
        ),
        ...gone.map(facts => disk(facts, 'removed')),
    ]
}

function mergeNics(next: NicFacts[], now: NicFacts[] | undefined): Nic[] {
    const nic = (facts: NicFacts, live: NicFacts | undefined, presence: string): Nic =>
        create(NicSchema, {
            mac: facts.mac,
            network: facts.network,
            bridge: facts.bridge,
            model: facts.model,
            vlan: facts.vlan,
            linkDown: facts.linkDown,
            device: live?.device ?? '',
            presence,
        })
    const liveOf = (mac: string) => now?.find(facts => facts.mac === mac)
    const gone = (now ?? []).filter(old => !next.some(facts => facts.mac === old.mac))
    return [
        ...next.map(facts => nic(facts, liveOf(facts.mac), presenceOf(true, now && liveOf(facts.mac) !== undefined))),
        ...gone.map(facts => nic(facts, facts, 'removed')),
    ]
}
