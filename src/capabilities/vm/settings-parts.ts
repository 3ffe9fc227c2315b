// What an update of a VM asks for: checked, and taken apart into what changes where.
import type { Finding } from '../../base/finding.ts'
import { checkText } from '../../base/ids.ts'
import { type Libvirt, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { UpdateRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { Host } from './host.ts'
import type { VmEntry } from './inventory.ts'
import { checkMemoryUpdate, memoryPart } from './settings-memory.ts'
import { checkCpu, checkFirmware, checkStart, checkTags } from './spec.ts'
import { caught, finding } from './spec-finding.ts'
import { attribute, type Element, find, parseRoot } from './xml/document.ts'
import { setBootOrder, setFirmware, setGuestAgent, setMachine, setTpm } from './xml/edit.ts'
import { hasSerial, hasVnc, setSerial, setVnc } from './xml/edit-console.ts'
import { hasDies, isSameTopology, lostByVcpus, setCpu, setVcpus } from './xml/edit-cpu.ts'
import { metadataText, type VmMetadata } from './xml/metadata.ts'
import { hasSecureBoot } from './xml/read.ts'
import type { Summary } from './xml/read-summary.ts'

const LIVE = VIR.VIR_DOMAIN_AFFECT_LIVE

/** One thing that an update does. */
export interface Part {
    sentence: string
    /** In the definition of the next start. */
    edit?: (domain: Element) => void
    /** In what runs; tried after the definition is changed. */
    live?: (connection: Libvirt, entry: VmEntry) => Promise<unknown>
    /** What to say when `live` is refused or absent while the VM runs. */
    laterFinding?: boolean
}

/** What an update finds. */
export interface Present {
    /** Of the next start. */
    summary: Summary
    domain: Element
    /** What runs, where it does. */
    running?: Element
    /** Where QEMU would show the display. */
    vncSocket: string
}

/** All that is wrong or worth knowing with an update. */
export async function checkUpdate(deps: { host: Host }, request: UpdateRequest, present: Present): Promise<Finding[]> {
    const { summary, domain } = present
    const found: Finding[] = []
    if (request.description !== undefined)
        found.push(...caught('text-invalid', () => checkText(request.description!, 'description', 1024)))
    if (request.notes !== undefined) found.push(...caught('text-invalid', () => checkText(request.notes!, 'notes')))
    if (request.owner !== undefined) found.push(...caught('text-invalid', () => checkText(request.owner!, 'owner', 64)))
    if (request.tags) found.push(...checkTags(request.tags.tags))
    const host = await deps.host.facts()
    found.push(...checkMemoryUpdate(request, present, host))
    const cpu = request.cpu
    if (request.vcpus !== undefined || request.maxVcpus !== undefined || cpu) {
        const { model = '', ...rest } = cpu ?? {}
        const none = { sockets: 0, cores: 0, threads: 0 }
        // The shape that it has is none that is asked for: it goes along with the vCPUs, or is said to be lost.
        const shape = cpu && !isSameTopology(domain, cpu) ? { ...none, ...rest } : none
        const vcpus = vcpusWanted(request, summary)
        found.push(...checkCpu({ ...vcpus, cpu: { model, ...shape } }, host))
        if (shape.sockets === 0) found.push(...lost(lostByVcpus(domain, vcpus.maxVcpus)))
        else if (hasDies(domain)) found.push(...lost(['the dies and clusters of the CPU topology']))
    }
    if ([request.firmware, request.secureBoot, request.tpm, request.machine].some(value => value !== undefined)) {
        const firmware = firmwareWanted(request, summary, domain)
        const machine = request.machine ?? attribute(find(domain, 'os/type'), 'machine')
        const known = { ...host, machines: [...host.machines, attribute(find(domain, 'os/type'), 'machine')] }
        found.push(...checkFirmware({ ...firmware, tpm: request.tpm ?? false, machine }, known))
        const changes = firmware.secureBoot !== hasSecureBoot(domain)
        if (summary.firmware === 'uefi' && firmware.firmware === 'uefi' && changes)
            found.push(
                finding('info', 'fresh-nvram', {
                    at: 'secure_boot',
                    summary: 'The VM begins with fresh UEFI variables',
                    detail: 'keys for secure boot are only in variables that began with them; boot entries are made anew',
                    fix: 'Where the guest is not found at the next start, choose its disk in the firmware’s menu.',
                }),
            )
    }
    found.push(
        ...checkStart({ startOrder: request.startOrder ?? 0, startDelaySeconds: request.startDelaySeconds ?? 0 }),
    )
    if (request.bootOrder) {
        const order = request.bootOrder.order
        found.push(...caught('boot-device', () => setBootOrder(parseRoot(domain.toString(), 'domain'), order)))
    }
    return found
}

const lost = (what: string[]): Finding[] =>
    what.map(detail =>
        finding('warning', 'cpu-lost', {
            at: 'cpu',
            summary: 'The definition cannot keep all that it says of the CPUs',
            detail: `gone: ${detail}`,
            fix: 'Give numbers that fit, or set it anew with virsh edit.',
        }),
    )

const vcpusWanted = (request: UpdateRequest, summary: Summary) => {
    const vcpus = request.vcpus ?? Math.min(summary.vcpus, request.maxVcpus ?? summary.vcpus)
    return { vcpus, maxVcpus: request.maxVcpus ?? Math.max(summary.maxVcpus, vcpus) }
}

const firmwareWanted = (request: UpdateRequest, summary: Summary, domain: Element) => {
    const firmware = request.firmware ?? summary.firmware
    return { firmware, secureBoot: request.secureBoot ?? (firmware === 'uefi' && hasSecureBoot(domain)) }
}

/** What an update changes in the definition and in what runs. */
export function partsOf(request: UpdateRequest, present: Present): Part[] {
    const { summary, domain, vncSocket } = present
    const parts: Part[] = []
    const memory = memoryPart(request, present)
    if (memory) parts.push(memory)
    const { vcpus, maxVcpus } = vcpusWanted(request, summary)
    if (vcpus !== summary.vcpus || maxVcpus !== summary.maxVcpus) {
        parts.push({
            sentence: [`vCPUs: ${vcpus}, at most ${maxVcpus}`, ...lostByVcpus(domain, maxVcpus)].join(', without '),
            edit: tree => setVcpus(tree, vcpus, maxVcpus),
            laterFinding: maxVcpus !== summary.maxVcpus,
            live: async (connection, entry) => {
                const nvcpus = Math.min(vcpus, entry.maxVcpus)
                if (nvcpus !== entry.vcpus)
                    await connection.call('domainSetVcpusFlags', { dom: entry.dom, nvcpus, flags: LIVE })
            },
        })
    }
    if (request.cpu) {
        const { model, sockets, cores, threads } = request.cpu
        const other = sockets > 0 && !isSameTopology(domain, request.cpu)
        const dies = other && hasDies(domain) ? ', without its dies and clusters' : ''
        const shape = other ? `, ${sockets} x ${cores} x ${threads}${dies}` : ''
        parts.push({
            sentence: `CPU: ${model || 'the same model'}${shape}`,
            edit: tree => setCpu(tree, { model, sockets, cores, threads }),
        })
    }
    const { machine } = request
    if (machine !== undefined && machine !== attribute(find(domain, 'os/type'), 'machine'))
        parts.push({ sentence: `Machine type: ${machine}`, edit: tree => setMachine(tree, machine) })
    const { firmware, secureBoot } = firmwareWanted(request, summary, domain)
    if (firmware !== summary.firmware || secureBoot !== (summary.firmware === 'uefi' && hasSecureBoot(domain)))
        parts.push({
            sentence: `Firmware: ${firmware === 'uefi' ? 'UEFI' : 'BIOS'}${secureBoot ? ' with secure boot' : ''}`,
            edit: tree => setFirmware(tree, firmware as 'bios' | 'uefi', secureBoot),
        })
    const { tpm, guestAgent, bootOrder, serial, vnc } = request
    if (tpm !== undefined && tpm !== (find(domain, 'devices/tpm') !== undefined))
        parts.push({ sentence: tpm ? 'Give it a TPM 2.0' : 'Take its TPM away', edit: tree => setTpm(tree, tpm) })
    if (guestAgent !== undefined)
        parts.push({
            sentence: guestAgent ? 'A channel for the guest agent' : 'No channel for the guest agent',
            edit: tree => setGuestAgent(tree, guestAgent),
        })
    if (serial !== undefined && serial !== hasSerial(domain))
        parts.push({
            sentence: serial ? 'Give it a serial port' : 'Take its serial port away',
            edit: tree => setSerial(tree, serial),
        })
    if (vnc !== undefined && vnc !== hasVnc(domain))
        parts.push({
            sentence: vnc ? 'Give it a display by VNC' : 'Take its display by VNC away',
            edit: tree => setVnc(tree, vnc, vncSocket),
        })
    if (bootOrder)
        parts.push({
            sentence: `Boot order: ${bootOrder.order.join(', ') || 'none'}`,
            edit: tree => setBootOrder(tree, bootOrder.order),
        })
    return parts
}

export interface MetadataChange {
    next: VmMetadata
    changed: boolean
    sentences: string[]
    /** libvirt's own autostart. */
    autostart: boolean
}

/** What an update changes in our metadata, and in libvirt's autostart. */
export function changedMetadata(present: VmMetadata, request: UpdateRequest, entry: VmEntry): MetadataChange {
    const next: VmMetadata = {
        ...present,
        notes: request.notes ?? present.notes,
        owner: request.owner ?? present.owner,
        tags: request.tags ? [...request.tags.tags] : present.tags,
        startOrder: request.startOrder ?? present.startOrder,
        startDelaySeconds: request.startDelaySeconds ?? present.startDelaySeconds,
    }
    const wanted = request.autostart ?? (entry.autostart || present.ordered)
    // libvirt's own autostart knows no order: who has one is started by the daemon instead (lifecycle.ts).
    next.ordered = wanted && (next.startOrder > 0 || next.startDelaySeconds > 0)
    const autostart = wanted && !next.ordered
    const sentences: string[] = []
    if (next.notes !== present.notes) sentences.push('Replace its notes')
    if (next.owner !== present.owner) sentences.push(`Owner: ${next.owner || 'nobody'}`)
    if (next.tags.join() !== present.tags.join()) sentences.push(`Tags: ${next.tags.join(', ') || 'none'}`)
    if (wanted !== (entry.autostart || present.ordered))
        sentences.push(wanted ? 'Start it when the node starts' : 'No longer start it when the node starts')
    if (next.startOrder !== present.startOrder || next.startDelaySeconds !== present.startDelaySeconds)
        sentences.push(`Start order ${next.startOrder}, then wait ${next.startDelaySeconds} s`)
    return { next, changed: metadataText(next) !== metadataText(present), sentences, autostart }
}
