// From the message of a create request to the VM that is wanted: numbers that JavaScript holds, and every default.
import { formatBytes } from '../../base/units.ts'
import type { CloudInit, CreateRequest, IoLimits, NewDisk, NewNic } from '../../gen/proto/capabilities/vm/vm_pb.js'
import type { DiskWant, LimitsWant, NicWant, SeedWant, VmWant } from './spec.ts'

/** What the request does not say is filled in; what is wrong in it stays wrong, for spec.ts to find. */
export function wantOf(request: CreateRequest, owner: string): VmWant {
    const os = request.os || 'linux'
    const secureBoot = request.secureBoot
    return {
        name: request.name,
        description: request.description,
        notes: request.notes,
        tags: [...request.tags],
        owner,
        memoryBytes: Number(request.memoryBytes),
        maxMemoryBytes: Number(request.maxMemoryBytes || request.memoryBytes),
        hotplugMemoryBytes: Number(request.hotplugMemoryBytes),
        vcpus: request.vcpus,
        maxVcpus: request.maxVcpus || request.vcpus,
        firmware: request.firmware || (os === 'windows' || secureBoot ? 'uefi' : 'bios'),
        secureBoot,
        tpm: request.tpm,
        machine: request.machine || 'q35',
        cpu: {
            model: request.cpu?.model ?? '',
            sockets: request.cpu?.sockets ?? 0,
            cores: request.cpu?.cores ?? 0,
            threads: request.cpu?.threads ?? 0,
        },
        disks: request.disks.map(diskWantOf),
        nics: request.nics.map(nicWantOf),
        isos: [...request.isos],
        bootOrder: request.bootOrder.length > 0 ? [...request.bootOrder] : ['disk', 'cdrom'],
        seed: request.cloudInit ? seedWantOf(request.cloudInit) : undefined,
        os,
        autostart: request.autostart,
        start: request.start,
        guestAgent: !request.noGuestAgent,
        startOrder: request.startOrder,
        startDelaySeconds: request.startDelaySeconds,
    }
}

/** A disk of a request, also for one that is attached later. */
export const diskWantOf = (disk: NewDisk): DiskWant => ({
    sizeBytes: Number(disk.sizeBytes),
    from: disk.from,
    linked: disk.linked,
    existing: disk.existing,
    pool: disk.pool,
    bus: disk.bus || 'virtio',
    format: disk.format,
    cache: disk.cache,
    discard: !disk.noDiscard,
    limits: limitsWantOf(disk.limits),
})

/** I/O limits of a request; absent ones are none. */
export const limitsWantOf = (limits: IoLimits | undefined): LimitsWant => ({
    readIops: Number(limits?.readIops ?? 0n),
    writeIops: Number(limits?.writeIops ?? 0n),
    readBytesPerSecond: Number(limits?.readBytesPerSecond ?? 0n),
    writeBytesPerSecond: Number(limits?.writeBytesPerSecond ?? 0n),
})

/** A NIC of a request, also for one that is attached later. */
export const nicWantOf = (nic: NewNic): NicWant => ({
    network: nic.network || (nic.bridge ? '' : 'default'),
    bridge: nic.bridge,
    model: nic.model || 'virtio',
    mac: nic.mac.toLowerCase(),
    vlan: nic.vlan,
})

/** The cloud-init part of a request; lines are trimmed, as they come from files and forms. */
export const seedWantOf = (seed: CloudInit): SeedWant => ({
    user: seed.user,
    passwordHash: seed.passwordHash,
    sshKeys: seed.sshKeys.map(key => key.trim()).filter(Boolean),
    hostname: seed.hostname,
    userData: seed.userData,
    networkConfig: seed.networkConfig,
    packages: seed.packages.map(name => name.trim()).filter(Boolean),
    commands: [...seed.commands],
})

/** '2 vCPUs, 2 GiB, UEFI with secure boot and TPM': for plans. */
export function summaryOf(want: VmWant): string {
    const cpus = `${want.vcpus} vCPU${want.vcpus === 1 ? '' : 's'}`
    const extras = [want.secureBoot ? 'secure boot' : '', want.tpm ? 'a TPM' : ''].filter(Boolean).join(' and ')
    const firmware = want.firmware === 'uefi' ? 'UEFI' : 'BIOS'
    const room = want.hotplugMemoryBytes > 0 ? ` with room for ${formatBytes(want.hotplugMemoryBytes)}` : ''
    return `${cpus}, ${formatBytes(want.memoryBytes)}${room}, ${firmware}${extras ? ` with ${extras}` : ''}`
}
