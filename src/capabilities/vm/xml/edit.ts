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
    textAt,
} from './document.ts'
import { ownNvramPath } from './nvram-path.ts'
import { readDisks, readNics } from './read-devices.ts'

/** The text of a domain after `change` was made in its tree. @throws Fault `invalid` for XML that is no domain */
export function editDomain(xml: string, change: (domain: Element) => void): string {
    const domain = parseRoot(xml, 'domain')
    change(domain)
    return serializeXml(domain.ownerDocument!)
}

/** The order in which libvirt writes what stands directly in a domain; a new element goes before the first later one. */
const ORDER = ['name', 'uuid', 'title', 'description', 'metadata', 'maxMemory', 'memory', 'currentMemory', 'vcpu']

/** The element of that name directly in the domain, made in its place where it is not there. */
export function place(domain: Element, name: string): Element {
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

/**
 * BIOS or UEFI, chosen by libvirt's own list of firmwares. The variables of the old firmware stay in their file, and those
 * of the new one are in another: keys for secure boot are only in variables that began with them.
 */
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
    if (secureBoot) {
        append(os, build(document, { name: 'loader', attributes: { secure: 'yes' } }))
        setAttribute(ensure(domain, 'features/smm'), 'state', 'on')
    }
    const uuid = textAt(domain, 'uuid')
    if (uuid !== '') append(os, build(document, { name: 'nvram', text: ownNvramPath(uuid, secureBoot) }))
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
