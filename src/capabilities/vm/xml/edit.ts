// Changes of a definition: only what is asked for changes, everything else comes out as it went in.
import { Fault } from '../../../base/fault.ts'
import {
    append,
    attribute,
    build,
    children,
    type Element,
    ensure,
    find,
    findAll,
    type NewElement,
    parseRoot,
    remove,
    serializeXml,
    setAttribute,
    setText,
    setTextAt,
} from './document.ts'
import { readDisks, readNics } from './read-devices.ts'
import { memoryBytesOf } from './read-summary.ts'

/** The text of a domain after `change` was made in its tree. @throws Fault `invalid` for XML that is no domain */
export function editDomain(xml: string, change: (domain: Element) => void): string {
    const domain = parseRoot(xml, 'domain')
    change(domain)
    return serializeXml(domain.ownerDocument!)
}

/** The order in which libvirt writes what stands directly in a domain; a new element goes before the first later one. */
const ORDER = ['name', 'uuid', 'title', 'description', 'metadata', 'maxMemory', 'memory', 'currentMemory', 'vcpu']

function place(domain: Element, name: string): Element {
    const there = find(domain, name)
    if (there) return there
    const later = new Set(ORDER.slice(ORDER.indexOf(name) + 1))
    const before = children(domain).find(element => later.has(element.localName!))
    const made = domain.ownerDocument!.createElement(name)
    append(domain, made, before)
    return made
}

/** Empty takes it away. */
export function setDescription(domain: Element, description: string): void {
    if (description === '') setTextAt(domain, 'description', undefined)
    else setText(place(domain, 'description'), description)
}

function setMemoryAt(element: Element, sizeBytes: number): void {
    if (memoryBytesOf((element.textContent ?? '').trim(), element.getAttribute('unit') ?? undefined) === sizeBytes)
        return
    setAttribute(element, 'unit', 'KiB')
    setText(element, String(Math.ceil(sizeBytes / 1024)))
}

/** What the guest gets at its start, and what it can be given while it runs. */
export function setMemory(domain: Element, memoryBytes: number, maxMemoryBytes: number): void {
    setMemoryAt(place(domain, 'memory'), maxMemoryBytes)
    if (memoryBytes !== maxMemoryBytes || find(domain, 'currentMemory'))
        setMemoryAt(place(domain, 'currentMemory'), memoryBytes)
}

/** `current` of at most `max` vCPUs. A topology or per-CPU list that no longer fits is taken away. */
export function setVcpus(domain: Element, current: number, max: number): void {
    const vcpu = place(domain, 'vcpu')
    setText(vcpu, String(max))
    if (current !== max || vcpu.hasAttribute('current'))
        setAttribute(vcpu, 'current', current === max ? undefined : String(current))
    const topology = find(domain, 'cpu/topology')
    if (topology) {
        const threads = Number(attribute(topology, 'threads')) || 1
        const sockets = Number(attribute(topology, 'sockets')) || 1
        const rest = (Number(attribute(topology, 'dies')) || 1) * (Number(attribute(topology, 'clusters')) || 1)
        const cores = Number(attribute(topology, 'cores')) || 1
        if (sockets * rest * cores * threads !== max) {
            const fits = max % (sockets * rest * threads) === 0
            if (fits) setAttribute(topology, 'cores', String(max / (sockets * rest * threads)))
            else remove(topology)
        }
    }
    const list = find(domain, 'vcpus')
    if (list && children(list).length !== max) remove(list)
}

export interface CpuChange {
    /** Empty: as it is. */
    model: string
    /** All 0: as it is. */
    sockets: number
    cores: number
    threads: number
}

const CPU_MODES = ['host-passthrough', 'host-model', 'maximum']

/** A new model loses the features that were chosen for the old one; the topology stays unless it is given. */
export function setCpu(domain: Element, cpu: CpuChange): void {
    const element = ensure(domain, 'cpu')
    const custom = cpu.model !== '' && !CPU_MODES.includes(cpu.model)
    const present = attribute(element, 'mode') || 'custom'
    const same = custom
        ? present === 'custom' && (find(element, 'model')?.textContent ?? '') === cpu.model
        : present === cpu.model
    if (cpu.model !== '' && !same) {
        for (const name of ['model', 'feature', 'vendor']) for (const gone of findAll(element, name)) remove(gone)
        for (const name of ['match', 'check', 'migratable']) setAttribute(element, name, undefined)
        setAttribute(element, 'mode', custom ? 'custom' : cpu.model)
        if (custom) {
            setAttribute(element, 'match', 'exact')
            const model: NewElement = { name: 'model', attributes: { fallback: 'forbid' }, text: cpu.model }
            append(element, build(element.ownerDocument!, model), children(element)[0])
        } else if (cpu.model !== 'host-model') setAttribute(element, 'check', 'none')
    }
    const { sockets, cores, threads } = cpu
    if (sockets + cores + threads === 0) return
    const topology = ensure(element, 'topology')
    for (const name of ['dies', 'clusters']) setAttribute(topology, name, undefined)
    for (const [name, value] of Object.entries({ sockets, cores, threads }))
        setAttribute(topology, name, String(value || 1))
}

/** A new machine type; libvirt chooses addresses anew where the old ones cannot be in it. */
export function setMachine(domain: Element, machine: string): void {
    const type = ensure(domain, 'os/type')
    const family = (text: string) => (/q35/.test(text) ? 'q35' : /^(pc|pc-i440fx.*)$/.test(text) ? 'pc' : text)
    const was = attribute(type, 'machine')
    if (was === machine) return
    setAttribute(type, 'machine', machine)
    if (family(was) === family(machine)) return
    // Controllers and PCI addresses belong to the old board: libvirt makes them anew.
    for (const device of findAll(domain, 'devices/controller'))
        if (['pci', 'usb', 'sata', 'ide'].includes(attribute(device, 'type'))) remove(device)
    const devices = find(domain, 'devices')
    for (const device of devices ? children(devices) : [])
        for (const address of children(device, 'address')) if (attribute(address, 'type') === 'pci') remove(address)
}

/** BIOS or UEFI, chosen by libvirt's own list of firmwares. NVRAM of the old firmware is left behind. */
export function setFirmware(domain: Element, firmware: 'bios' | 'uefi', secureBoot: boolean): void {
    const os = ensure(domain, 'os')
    for (const name of ['loader', 'nvram', 'firmware']) for (const gone of children(os, name)) remove(gone)
    setAttribute(os, 'firmware', firmware === 'uefi' ? 'efi' : undefined)
    if (firmware !== 'uefi') return
    const document = domain.ownerDocument!
    // Without both being said, libvirt may take a firmware with secure boot for a guest that cannot have it.
    const feature = (name: string) => ({ name: 'feature', attributes: { enabled: secureBoot ? 'yes' : 'no', name } })
    const features = [feature('secure-boot'), ...(secureBoot ? [feature('enrolled-keys')] : [])]
    append(os, build(document, { name: 'firmware', children: features }))
    if (!secureBoot) return
    append(os, build(document, { name: 'loader', attributes: { secure: 'yes' } }))
    setAttribute(ensure(domain, 'features/smm'), 'state', 'on')
}

/** A TPM 2.0 that swtpm emulates, or none. */
export function setTpm(domain: Element, tpm: boolean): void {
    const there = findAll(domain, 'devices/tpm')
    if (tpm && there.length === 0)
        addDevice(domain, {
            name: 'tpm',
            attributes: { model: 'tpm-crb' },
            children: [{ name: 'backend', attributes: { type: 'emulator', version: '2.0' } }],
        })
    if (!tpm) for (const device of there) remove(device)
}

/** The channel of the guest agent, or none. */
export function setGuestAgent(domain: Element, wanted: boolean): void {
    const there = findAll(domain, 'devices/channel').filter(
        channel => attribute(find(channel, 'target'), 'name') === 'org.qemu.guest_agent.0',
    )
    if (wanted && there.length === 0)
        addDevice(domain, {
            name: 'channel',
            attributes: { type: 'unix' },
            children: [{ name: 'target', attributes: { type: 'virtio', name: 'org.qemu.guest_agent.0' } }],
        })
    if (!wanted) for (const channel of there) remove(channel)
}

const BOOT_DEVICES: Record<string, string> = { disk: 'hd', cdrom: 'cdrom', network: 'network' }

/**
 * Words (disk, cdrom, network) or devices (targets, MACs), not both in one list.
 * @throws Fault `invalid` for what the domain does not have
 */
export function setBootOrder(domain: Element, order: readonly string[]): void {
    const words = order.filter(word => word in BOOT_DEVICES)
    const devices = [
        ...readDisks(domain).map(disk => ({ name: disk.target, element: disk.element })),
        ...readNics(domain).map(nic => ({ name: nic.mac, element: nic.element })),
    ]
    const unknown = order.find(name => !(name in BOOT_DEVICES) && !devices.some(d => d.name === name.toLowerCase()))
    if (unknown !== undefined || (words.length > 0 && words.length < order.length)) {
        throw new Fault('invalid', {
            summary: 'The boot order names something that cannot be booted from',
            detail: unknown === undefined ? 'it mixes kinds with devices' : JSON.stringify(unknown.slice(0, 60)),
            fix: `Give disk, cdrom and network, or some of ${devices.map(device => device.name).join(', ')}.`,
            at: 'boot_order',
        })
    }
    const document = domain.ownerDocument!
    for (const device of devices) for (const boot of children(device.element, 'boot')) remove(boot)
    for (const boot of findAll(domain, 'os/boot')) remove(boot)
    if (words.length > 0) {
        for (const word of words)
            append(ensure(domain, 'os'), build(document, { name: 'boot', attributes: { dev: BOOT_DEVICES[word] } }))
        return
    }
    order.forEach((name, i) => {
        const { element } = devices.find(device => device.name === name.toLowerCase())!
        append(element, build(document, { name: 'boot', attributes: { order: i + 1 } }))
    })
}

/** Puts a device behind the last of its kind, or behind all. */
export function addDevice(domain: Element, device: NewElement): void {
    const devices = ensure(domain, 'devices')
    const made = build(domain.ownerDocument!, device)
    const all = children(devices)
    const last = all.findLastIndex(other => other.localName === device.name)
    append(devices, made, last < 0 ? undefined : all[last + 1])
}

/** Takes the disk with this target away; false where there is none. */
export function removeDisk(domain: Element, target: string): boolean {
    const disk = readDisks(domain).find(facts => facts.target === target)
    if (disk) remove(disk.element)
    return disk !== undefined
}

/** Takes the NIC with this MAC away; false where there is none. */
export function removeNic(domain: Element, mac: string): boolean {
    const nic = readNics(domain).find(facts => facts.mac === mac.toLowerCase())
    if (nic) remove(nic.element)
    return nic !== undefined
}
