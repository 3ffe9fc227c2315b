// A new VM as libvirt's domain XML: the request, with what its volumes and its host turned out to be.
import type { VmWant } from '../spec.ts'
import type { VolumeFacts } from '../volumes.ts'
import { controllerElements, diskElements, nicElements } from './build-devices.ts'
import { xmlText } from './build-text.ts'
import type { NewElement } from './document.ts'
import { cellCpus, MEMORY_SLOTS } from './edit-memory.ts'
import { metadataElement } from './metadata.ts'
import { ownNvramPath } from './nvram-path.ts'

/** A wanted VM with everything found or chosen that its definition needs. */
export interface PlacedVm {
    want: VmWant
    uuid: string
    /** One for each of `want.disks`. */
    disks: VolumeFacts[]
    /** One for each of `want.isos`. */
    isos: VolumeFacts[]
    seed?: VolumeFacts
    /** One for each of `want.nics`, lower case. */
    macs: string[]
    accelerator: 'kvm' | 'tcg'
    /** Path of the socket that QEMU shall show the display on. */
    vncSocket: string
}

/** The text that `domainDefineXMLFlags` takes. */
export const buildDomain = (vm: PlacedVm): string => xmlText(domainElement(vm))

const KIB = 1024
/** QEMU's memory comes in MiB. */
const kib = (bytes: number): string => String(Math.ceil(bytes / KIB / KIB) * KIB)
const el = (name: string, attributes?: NewElement['attributes'], children?: NewElement['children']): NewElement => ({
    name,
    attributes,
    children,
})
const words = (name: string, text: string, attributes?: NewElement['attributes']): NewElement => ({
    name,
    text,
    attributes,
})

function domainElement(vm: PlacedVm): NewElement {
    const { want } = vm
    const windows = want.os === 'windows'
    return el('domain', { type: vm.accelerator === 'kvm' ? 'kvm' : 'qemu' }, [
        words('name', want.name),
        words('uuid', vm.uuid),
        want.description === '' ? undefined : words('description', want.description),
        el('metadata', {}, [
            metadataElement({
                owner: want.owner,
                tags: want.tags,
                notes: want.notes,
                template: false,
                startOrder: want.startOrder,
                startDelaySeconds: want.startDelaySeconds,
                ordered: isOrdered(want),
                os: want.os,
                seed: vm.seed ? `${vm.seed.pool}/${vm.seed.name}` : '',
            }),
        ]),
        want.hotplugMemoryBytes > 0
            ? words('maxMemory', kib(want.hotplugMemoryBytes), { slots: MEMORY_SLOTS, unit: 'KiB' })
            : undefined,
        words('memory', kib(want.maxMemoryBytes), { unit: 'KiB' }),
        words('currentMemory', kib(want.memoryBytes), { unit: 'KiB' }),
        words('vcpu', String(want.maxVcpus), {
            placement: 'static',
            current: want.vcpus === want.maxVcpus ? undefined : want.vcpus,
        }),
        osElement(vm),
        featuresElement(want, vm.accelerator),
        cpuElement(want, vm.accelerator),
        clockElement(windows, vm.accelerator),
        words('on_poweroff', 'destroy'),
        words('on_reboot', 'restart'),
        words('on_crash', 'destroy'),
        el('pm', {}, [el('suspend-to-mem', { enabled: 'no' }), el('suspend-to-disk', { enabled: 'no' })]),
        el('devices', {}, [...diskElements(vm), ...controllerElements(vm), ...nicElements(vm), ...fixedDevices(vm)]),
    ])
}

/** Started by DebVisor in its order, rather than by libvirt's own autostart. */
export const isOrdered = (want: Pick<VmWant, 'autostart' | 'startOrder' | 'startDelaySeconds'>): boolean =>
    want.autostart && (want.startOrder > 0 || want.startDelaySeconds > 0)

function osElement({ want, uuid }: PlacedVm): NewElement {
    const efi = want.firmware === 'uefi'
    return el('os', { firmware: efi ? 'efi' : undefined }, [
        words('type', 'hvm', { arch: 'x86_64', machine: want.machine }),
        // Without both being said, libvirt may take a firmware with secure boot for a guest that cannot have it.
        efi
            ? el('firmware', {}, [
                  el('feature', { enabled: want.secureBoot ? 'yes' : 'no', name: 'secure-boot' }),
                  want.secureBoot ? el('feature', { enabled: 'yes', name: 'enrolled-keys' }) : undefined,
              ])
            : undefined,
        want.secureBoot ? el('loader', { secure: 'yes' }) : undefined,
        efi ? words('nvram', ownNvramPath(uuid, want.secureBoot)) : undefined,
    ])
}

function featuresElement(want: VmWant, accelerator: 'kvm' | 'tcg'): NewElement {
    // The enlightenments are KVM's.
    const hyperv = want.os === 'windows' && accelerator === 'kvm'
    const on = (name: string, more?: NewElement['attributes']) => el(name, { state: 'on', ...more })
    return el('features', {}, [
        el('acpi'),
        el('apic'),
        hyperv
            ? el('hyperv', { mode: 'custom' }, [
                  on('relaxed'),
                  on('vapic'),
                  on('spinlocks', { retries: 8191 }),
                  on('vpindex'),
                  on('runtime'),
                  on('synic'),
                  el('stimer', { state: 'on' }, [on('direct')]),
                  on('reset'),
                  on('frequencies'),
                  on('tlbflush'),
                  on('ipi'),
              ])
            : undefined,
        el('vmport', { state: 'off' }),
        want.secureBoot ? on('smm') : undefined,
    ])
}

function cpuElement(want: VmWant, accelerator: 'kvm' | 'tcg'): NewElement {
    const model = want.cpu.model || (accelerator === 'kvm' ? 'host-passthrough' : 'maximum')
    const mode = ['host-passthrough', 'host-model', 'maximum'].includes(model) ? model : 'custom'
    const { sockets, cores, threads } = want.cpu
    const given = sockets > 0
    return el(
        'cpu',
        {
            mode,
            match: mode === 'custom' ? 'exact' : undefined,
            check: mode === 'host-model' ? 'partial' : 'none',
            migratable: mode === 'host-passthrough' ? 'on' : undefined,
        },
        [
            mode === 'custom' ? words('model', model, { fallback: 'forbid' }) : undefined,
            // One socket: desktop editions of Windows use no more than two, whatever the number of cores.
            el('topology', {
                sockets: given ? sockets : 1,
                dies: 1,
                cores: given ? cores : want.maxVcpus,
                threads: given ? threads : 1,
            }),
            // What is plugged in goes to a cell, so that there has to be one.
            want.hotplugMemoryBytes > 0
                ? el('numa', {}, [
                      el('cell', {
                          id: 0,
                          cpus: cellCpus(want.maxVcpus),
                          memory: kib(want.maxMemoryBytes),
                          unit: 'KiB',
                      }),
                  ])
                : undefined,
        ],
    )
}

function clockElement(windows: boolean, accelerator: 'kvm' | 'tcg'): NewElement {
    return el('clock', { offset: windows ? 'localtime' : 'utc' }, [
        el('timer', { name: 'rtc', tickpolicy: 'catchup' }),
        el('timer', { name: 'pit', tickpolicy: 'delay' }),
        el('timer', { name: 'hpet', present: 'no' }),
        windows && accelerator === 'kvm' ? el('timer', { name: 'hypervclock', present: 'yes' }) : undefined,
    ])
}

/** What every VM has, whatever was asked for. */
function fixedDevices(vm: PlacedVm): (NewElement | undefined)[] {
    const { want } = vm
    return [
        el('serial', { type: 'pty' }, [el('target', { type: 'isa-serial', port: 0 })]),
        el('console', { type: 'pty' }, [el('target', { type: 'serial', port: 0 })]),
        want.guestAgent
            ? el('channel', { type: 'unix' }, [el('target', { type: 'virtio', name: 'org.qemu.guest_agent.0' })])
            : undefined,
        el('input', { type: 'tablet', bus: 'usb' }),
        want.tpm ? el('tpm', { model: 'tpm-crb' }, [el('backend', { type: 'emulator', version: '2.0' })]) : undefined,
        el('graphics', { type: 'vnc' }, [el('listen', { type: 'socket', socket: vm.vncSocket })]),
        el('video', {}, [el('model', { type: 'vga', vram: 16384, heads: 1, primary: 'yes' })]),
        el('memballoon', { model: 'virtio', autodeflate: 'on', freePageReporting: 'on' }, [el('stats', { period: 5 })]),
        el('rng', { model: 'virtio' }, [words('backend', '/dev/urandom', { model: 'random' })]),
        want.os === 'windows' ? undefined : el('panic', { model: 'isa' }),
    ]
}
