// A VM's definition made into that of its clone: another identity, other disks, everything else as it was.

import type { NvramFormat } from '../nvram.ts'
import type { VolumeFacts } from '../volumes.ts'
import { scsiController, seedBus } from './build-devices.ts'
import { xmlText } from './build-text.ts'
import { diskElement, driverFormat, freeTarget, sourceOfVolume } from './devices.ts'
import {
    append,
    attribute,
    build,
    children,
    type Element,
    ensure,
    find,
    findAll,
    parseRoot,
    parseXml,
    remove,
    serializeXml,
    setAttribute,
    setTextAt,
    VM_NAMESPACE,
} from './document.ts'
import { addDevice, setDescription } from './edit.ts'
import { metadataElement, readMetadata, type VmMetadata } from './metadata.ts'
import { nvramIn, setNvram } from './nvram-path.ts'
import { hasSecureBoot } from './read.ts'
import { type DiskFacts, readDisks } from './read-devices.ts'

/** What a definition holds that a clone has to care for. */
export interface CloneSource {
    /** Disks that the VM writes to: name in the guest's eyes, and path or `pool/volume`. */
    disks: { target: string; source: string; device: string }[]
    macs: string[]
    metadata: VmMetadata
    description: string
    machine: string
    uefi: boolean
    /** Where libvirt keeps the UEFI variables; empty: where it always does. */
    nvramPath: string
    nvramFormat: NvramFormat
    secureBoot: boolean
    tpm: boolean
    /** Devices of the host that only one VM can have at a time. */
    hostDevices: boolean
}

/** @param xml the definition of the next start */
export function readCloneSource(xml: string): CloneSource {
    const root = parseRoot(xml, 'domain')
    return {
        disks: ownDisks(root).map(({ target, source, device }) => ({ target, source, device })),
        macs: findAll(root, 'devices/interface/mac').map(mac => attribute(mac, 'address').toLowerCase()),
        metadata: readMetadata(root),
        description: find(root, 'description')?.textContent ?? '',
        machine: attribute(find(root, 'os/type'), 'machine'),
        uefi:
            attribute(find(root, 'os'), 'firmware') === 'efi' ||
            attribute(find(root, 'os/loader'), 'type') === 'pflash',
        nvramPath: nvramIn(root),
        nvramFormat: attribute(find(root, 'os/nvram'), 'format') === 'qcow2' ? 'qcow2' : 'raw',
        secureBoot: hasSecureBoot(root),
        tpm: find(root, 'devices/tpm') !== undefined,
        hostDevices: find(root, 'devices/hostdev') !== undefined,
    }
}

export interface CloneIdentity {
    uuid: string
    name: string
    description: string
    metadata: VmMetadata
    /** One for each NIC, in order. */
    macs: string[]
    /** One for each of `CloneSource.disks`, in order. */
    disks: VolumeFacts[]
    /** Path of the source's seed, and the clone's own; a drive is added where there was none. */
    seed?: { oldPath: string; volume: VolumeFacts }
    vncSocket: string
    /** Empty for a VM without UEFI. */
    nvramPath: string
}

/** The definition of the clone. */
export function cloneDefinition(xml: string, identity: CloneIdentity): string {
    const root = parseRoot(xml, 'domain')
    setTextAt(root, 'name', identity.name)
    setTextAt(root, 'uuid', identity.uuid)
    setTextAt(root, 'title', undefined)
    setDescription(root, identity.description)
    // Windows and databases take a new generation as a sign that they were copied.
    if (find(root, 'genid')) setTextAt(root, 'genid', '')
    if (find(root, 'sysinfo')) for (const entry of findAll(root, 'sysinfo/system/entry')) dropUuid(entry)
    putMetadata(root, identity.metadata)
    for (const [i, disk] of ownDisks(root).entries()) putVolume(disk.element, identity.disks[i]!)
    if (identity.seed) putSeed(root, identity.seed)
    for (const [i, mac] of findAll(root, 'devices/interface/mac').entries())
        setAttribute(mac, 'address', identity.macs[i]!)
    for (const graphics of findAll(root, 'devices/graphics')) putDisplay(graphics, identity.vncSocket)
    for (const channel of findAll(root, 'devices/channel')) {
        const source = find(channel, 'source')
        // libvirt makes the paths of sockets by itself, from the name of the VM.
        if (attribute(channel, 'type') === 'unix' && source && !attribute(source, 'channel')) remove(source)
    }
    if (identity.nvramPath) setNvram(root, identity.nvramPath)
    return serializeXml(root)
}

const ownDisks = (root: Element): DiskFacts[] =>
    readDisks(root).filter(disk => !['cdrom', 'floppy'].includes(disk.device) && !disk.readonly && disk.source !== '')

function dropUuid(entry: Element): void {
    // libvirt insists that this is the VM's UUID.
    if (attribute(entry, 'name') === 'uuid') remove(entry)
}

function putMetadata(root: Element, metadata: VmMetadata): void {
    const holder = ensure(root, 'metadata')
    const ours = children(holder).find(e => e.namespaceURI === VM_NAMESPACE && e.localName === 'vm')
    if (ours) remove(ours)
    const fresh = parseXml(xmlText(metadataElement(metadata))).documentElement!
    append(holder, root.ownerDocument!.importNode(fresh, true) as Element)
}

/** Puts another volume into a disk, whatever kind of source it had. */
export function putVolume(disk: Element, volume: VolumeFacts): void {
    const { type, source } = sourceOfVolume(volume)
    const old = find(disk, 'source')
    const fresh = build(disk.ownerDocument!, source)
    if (old) disk.replaceChild(fresh, old)
    else append(disk, fresh)
    setAttribute(disk, 'type', type)
    const driver = find(disk, 'driver')
    if (driver) setAttribute(driver, 'type', driverFormat(volume.format))
    for (const chain of children(disk, 'backingStore')) remove(chain)
    for (const mirror of children(disk, 'mirror')) remove(mirror)
}

function putSeed(root: Element, seed: { oldPath: string; volume: VolumeFacts }): void {
    const drives = readDisks(root).filter(disk => disk.device === 'cdrom')
    const drive =
        drives.find(disk => seed.oldPath !== '' && disk.source === seed.oldPath) ?? drives.find(d => !d.source)
    if (drive) {
        putVolume(drive.element, seed.volume)
        return
    }
    const bus = seedBus({ os: readMetadata(root).os, machine: attribute(find(root, 'os/type'), 'machine') })
    const taken = findAll(root, 'devices/disk/target').map(target => attribute(target, 'dev'))
    addDevice(root, diskElement({ device: 'cdrom', target: freeTarget(bus, taken), bus, volume: seed.volume }))
    const controllers = findAll(root, 'devices/controller').map(controller => attribute(controller, 'type'))
    // libvirt would add one of an old kind.
    if (bus === 'scsi' && !controllers.includes('scsi')) addDevice(root, scsiController)
}

function putDisplay(graphics: Element, socket: string): void {
    if (attribute(graphics, 'type') !== 'vnc') return
    const listen = children(graphics, 'listen').find(l => attribute(l, 'type') === 'socket')
    if (listen || graphics.hasAttribute('socket')) {
        if (listen) setAttribute(listen, 'socket', socket)
        if (graphics.hasAttribute('socket')) setAttribute(graphics, 'socket', socket)
        return
    }
    // A fixed port could be had by one of the two only.
    setAttribute(graphics, 'port', '-1')
    setAttribute(graphics, 'autoport', 'yes')
}
