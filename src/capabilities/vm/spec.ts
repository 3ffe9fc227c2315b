// What a request to make a VM must satisfy, said all at once: each finding names the field and what to do about it.
import type { Finding } from '../../base/finding.ts'
import { checkName, checkText } from '../../base/ids.ts'
import { checkDisks, checkIsos, checkNics, type DiskWant, type NicWant } from './spec-devices.ts'
import { caught, finding } from './spec-finding.ts'
import { type CpuWant, checkCpu, checkFirmware, type HostFacts } from './spec-machine.ts'
import { checkSeed, type SeedWant } from './spec-seed.ts'

export type { DiskWant, LimitsWant, NicWant } from './spec-devices.ts'
export { type CpuWant, checkCpu, checkFirmware, type HostFacts, isPc } from './spec-machine.ts'
export type { SeedWant } from './spec-seed.ts'

/** A VM to be made, with every default filled in (want.ts does that). */
export interface VmWant {
    name: string
    description: string
    notes: string
    tags: string[]
    owner: string
    memoryBytes: number
    maxMemoryBytes: number
    /** Up to this much can be plugged in while it runs; 0: no room. */
    hotplugMemoryBytes: number
    vcpus: number
    maxVcpus: number
    firmware: string
    secureBoot: boolean
    tpm: boolean
    machine: string
    cpu: CpuWant
    disks: DiskWant[]
    nics: NicWant[]
    /** `pool/volume` */
    isos: string[]
    bootOrder: string[]
    seed?: SeedWant
    os: string
    autostart: boolean
    start: boolean
    guestAgent: boolean
    startOrder: number
    startDelaySeconds: number
}

/** What others have already. */
export interface Taken {
    name(name: string): boolean
    /** Name of the VM that has this MAC (lower case). */
    mac(mac: string): string | undefined
}

const MIB = 1024 ** 2
const MIN_MEMORY_BYTES = 16 * MIB
const MAX_MEMORY_BYTES = 16 * 1024 ** 4
const BOOT_DEVICES = ['disk', 'cdrom', 'network']
const OSES = ['linux', 'windows', 'other']

/** All that is wrong or worth knowing with a VM to be made; errors mean that it is not made. */
export function checkWant(want: VmWant, host: HostFacts, taken: Taken): Finding[] {
    return [
        ...checkIdentity(want, taken),
        ...checkMemory(want, host),
        ...checkCpu(want, host),
        ...checkFirmware(want, host),
        ...checkDisks(want.disks, want.os, want.isos.length),
        ...checkIsos(want.isos),
        ...checkNics(want.nics, host.libvirtVersion, taken.mac),
        ...checkBoot(want),
        ...(want.seed ? checkSeed(want.seed, 'cloud_init') : []),
    ]
}

/** Tags and names of one kind: the same letters as names, at most 32, each once. */
export function checkTags(tags: readonly string[]): Finding[] {
    const found = tags.flatMap((tag, i) => caught('tag-invalid', () => checkName(tag, `tags[${i}]`)))
    const twice = tags.find((tag, i) => tags.indexOf(tag) !== i)
    if (twice !== undefined)
        found.push(
            finding('error', 'tag-twice', {
                at: `tags[${tags.lastIndexOf(twice)}]`,
                summary: 'A tag stands there twice',
                detail: twice.slice(0, 80),
                fix: 'Name each tag once.',
            }),
        )
    if (tags.length > 32)
        found.push(
            finding('error', 'tags-many', {
                at: 'tags',
                summary: 'A VM has at most 32 tags',
                detail: `${tags.length} are given`,
                fix: 'Give fewer tags.',
            }),
        )
    return found
}

/** The name and texts of a VM, and that nobody has the name. */
export function checkIdentity(
    want: Pick<VmWant, 'name' | 'description' | 'notes' | 'tags'>,
    taken: Pick<Taken, 'name'>,
): Finding[] {
    const found = [
        ...caught('name-invalid', () => checkName(want.name)),
        ...caught('text-invalid', () => checkText(want.description, 'description', 1024)),
        ...caught('text-invalid', () => checkText(want.notes, 'notes')),
        ...checkTags(want.tags),
    ]
    if (want.name !== '' && taken.name(want.name)) found.push(nameTaken(want.name))
    return found
}

/** That a VM of this name exists. */
export const nameTaken = (name: string): Finding =>
    finding('error', 'name-taken', {
        at: 'name',
        summary: 'There is a VM of that name already',
        detail: name,
        fix: 'Choose another name, or delete or rename the other VM.',
    })

/** Memory now and its ceiling, also for a change of a VM that exists. */
export function checkMemory(
    want: Pick<VmWant, 'memoryBytes' | 'maxMemoryBytes' | 'hotplugMemoryBytes'>,
    host: HostFacts,
): Finding[] {
    const sized = (bytes: number, at: string) =>
        Number.isSafeInteger(bytes) && bytes >= MIN_MEMORY_BYTES && bytes <= MAX_MEMORY_BYTES
            ? []
            : [
                  finding('error', 'memory-size', {
                      at,
                      summary: 'That much memory cannot be given to a VM',
                      detail: `${bytes} bytes`,
                      fix: 'Give between 16 MiB and 16 TiB, such as 2GiB.',
                  }),
              ]
    const found = [
        ...sized(want.memoryBytes, 'memory_bytes'),
        ...(want.maxMemoryBytes === want.memoryBytes ? [] : sized(want.maxMemoryBytes, 'max_memory_bytes')),
        ...(want.hotplugMemoryBytes === 0 ? [] : sized(want.hotplugMemoryBytes, 'hotplug_memory_bytes')),
    ]
    if (found.length > 0) return found
    if (want.maxMemoryBytes < want.memoryBytes)
        found.push(
            finding('error', 'memory-ceiling', {
                at: 'max_memory_bytes',
                summary: 'The ceiling is below the memory it starts with',
                detail: `${want.maxMemoryBytes} below ${want.memoryBytes} bytes`,
                fix: 'Raise max_memory_bytes, or leave it out.',
            }),
        )
    if (want.hotplugMemoryBytes > 0 && want.hotplugMemoryBytes <= want.maxMemoryBytes)
        found.push(
            finding('error', 'memory-room', {
                at: 'hotplug_memory_bytes',
                summary: 'There is no room for memory to be plugged in',
                detail: `${want.hotplugMemoryBytes} is not above ${want.maxMemoryBytes} bytes`,
                fix: 'Raise hotplug_memory_bytes, or leave it out.',
            }),
        )
    if (want.maxMemoryBytes > host.memoryBytes)
        found.push(
            finding('warning', 'memory-over-host', {
                at: 'memory_bytes',
                summary: 'The VM may take more memory than the node has',
                detail: `${want.maxMemoryBytes} of ${host.memoryBytes} bytes`,
                fix: 'Give it less, or expect the node to swap.',
            }),
        )
    return found
}

/** Place and delay of a VM when the node starts, also for a change of one that exists. */
export function checkStart(want: Pick<VmWant, 'startOrder' | 'startDelaySeconds'>): Finding[] {
    const bounded = (value: number, most: number, at: string) =>
        Number.isInteger(value) && value >= 0 && value <= most
            ? []
            : [
                  finding('error', 'start-order', {
                      at,
                      summary: 'That number is out of its range',
                      detail: String(value),
                      fix: `Give a whole number from 0 to ${most}.`,
                  }),
              ]
    return [
        ...bounded(want.startOrder, 9999, 'start_order'),
        ...bounded(want.startDelaySeconds, 3600, 'start_delay_seconds'),
    ]
}

function checkBoot(want: VmWant): Finding[] {
    const found: Finding[] = []
    const error = (code: string, words: Pick<Finding, 'at' | 'summary' | 'detail' | 'fix'>) =>
        found.push(finding('error', code, words))
    want.bootOrder.forEach((device, i) => {
        const at = `boot_order[${i}]`
        if (!BOOT_DEVICES.includes(device))
            error('boot-device', {
                at,
                summary: 'A VM cannot boot from that',
                detail: device.slice(0, 80),
                fix: 'Take disk, cdrom or network.',
            })
        else if (want.bootOrder.indexOf(device) !== i)
            error('boot-twice', {
                at,
                summary: 'That stands in the boot order twice',
                detail: device,
                fix: 'Name each once.',
            })
    })
    if (!OSES.includes(want.os))
        error('os-unknown', {
            at: 'os',
            summary: 'There is no profile for that operating system',
            detail: want.os.slice(0, 80),
            fix: 'Take linux, windows or other.',
        })
    found.push(...checkStart(want))
    if (want.disks.length === 0 && want.isos.length === 0 && !want.bootOrder.includes('network'))
        found.push(
            finding('warning', 'nothing-to-boot', {
                at: 'disks',
                summary: 'The VM has nothing to boot from',
                detail: 'no disk, no ISO, no network boot',
                fix: 'Add a disk or an ISO, or put network into the boot order.',
            }),
        )
    return found
}
