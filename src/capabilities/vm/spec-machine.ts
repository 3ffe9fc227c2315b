// What CPU, firmware, TPM and machine type of a request must satisfy on this node.
import type { Finding } from '../../base/finding.ts'
import type { VmWant } from './spec.ts'
import { finding } from './spec-finding.ts'

export interface CpuWant {
    /** host-passthrough, host-model, maximum, or a model's name; empty: the best there is. */
    model: string
    /** All three 0: one socket with as many cores as vCPUs. */
    sockets: number
    cores: number
    threads: number
}

/** What this node can run, read from libvirt (host.ts). */
export interface HostFacts {
    accelerator: 'kvm' | 'tcg'
    /** Such as 9000000 for 9.0.0. */
    libvirtVersion: number
    /** Names and aliases: q35, pc, pc-q35-7.2, … */
    machines: readonly string[]
    /** Models that a guest can really have here; empty where that is not known. */
    cpuModels: readonly string[]
    uefi: boolean
    secureBoot: boolean
    tpm: boolean
    maxVcpus: number
    /** CPUs and memory of the node. */
    cpus: number
    memoryBytes: number
}

const MODES = ['', 'maximum', 'host-model', 'host-passthrough']

/** vCPUs, their ceiling, model and topology, also for a change of a VM that exists. */
export function checkCpu(want: Pick<VmWant, 'vcpus' | 'maxVcpus' | 'cpu'>, host: HostFacts): Finding[] {
    const found: Finding[] = []
    const counted = (count: number, at: string) => {
        if (Number.isInteger(count) && count >= 1 && count <= host.maxVcpus) return
        found.push(
            finding('error', 'vcpu-count', {
                at,
                summary: 'That many vCPUs cannot be given to a VM',
                detail: String(count),
                fix: `Give between 1 and ${host.maxVcpus}.`,
            }),
        )
    }
    counted(want.vcpus, 'vcpus')
    if (want.maxVcpus !== want.vcpus) counted(want.maxVcpus, 'max_vcpus')
    if (want.maxVcpus < want.vcpus)
        found.push(
            finding('error', 'vcpu-ceiling', {
                at: 'max_vcpus',
                summary: 'The ceiling is below the vCPUs it starts with',
                detail: `${want.maxVcpus} below ${want.vcpus}`,
                fix: 'Raise max_vcpus, or leave it out.',
            }),
        )
    if (want.vcpus > host.cpus)
        found.push(
            finding('warning', 'vcpu-over-host', {
                at: 'vcpus',
                summary: 'The VM has more vCPUs than the node has CPUs',
                detail: `${want.vcpus} of ${host.cpus}`,
                fix: 'Give it fewer: more make it slower, not faster.',
            }),
        )
    const { model, sockets, cores, threads } = want.cpu
    if (model === 'host-passthrough' && host.accelerator !== 'kvm')
        found.push(
            finding('error', 'host-cannot', {
                at: 'cpu.model',
                summary: 'That CPU model needs KVM, which this node cannot use',
                detail: model,
                fix: 'Leave the model out, or take maximum.',
            }),
        )
    else if (!MODES.includes(model) && !host.cpuModels.includes(model))
        found.push(
            finding('error', /^[\w.-]{1,64}$/.test(model) && host.cpuModels.length > 0 ? 'host-cannot' : 'cpu-model', {
                at: 'cpu.model',
                summary: 'Guests cannot have that CPU model on this node',
                detail: model.slice(0, 80),
                fix: host.cpuModels.length > 0 ? `Take one of ${host.cpuModels.join(', ')}.` : 'Leave the model out.',
            }),
        )
    const given = [sockets, cores, threads].filter(n => n !== 0)
    const whole = [sockets, cores, threads].every(n => Number.isInteger(n) && n >= 0 && n <= host.maxVcpus)
    if (!whole || (given.length > 0 && (given.length < 3 || sockets * cores * threads !== want.maxVcpus)))
        found.push(
            finding('error', 'cpu-topology', {
                at: 'cpu.sockets',
                summary: 'Sockets, cores and threads do not make up the vCPUs',
                detail: `${sockets} × ${cores} × ${threads}, for ${want.maxVcpus}`,
                fix: 'Give all three so that their product is the largest number of vCPUs, or none of them.',
            }),
        )
    return found
}

/** Firmware, secure boot, TPM and machine type, also for a change of a VM that exists. */
export function checkFirmware(
    want: Pick<VmWant, 'firmware' | 'secureBoot' | 'tpm' | 'machine'>,
    host: HostFacts,
): Finding[] {
    const found: Finding[] = []
    const error = (code: string, at: string, summary: string, words: { detail: string; fix: string }) =>
        found.push(finding('error', code, { at, summary, ...words }))
    if (!['bios', 'uefi'].includes(want.firmware))
        error('firmware-unknown', 'firmware', 'There is no such firmware', {
            detail: want.firmware.slice(0, 80),
            fix: 'Take bios or uefi.',
        })
    if (want.firmware === 'uefi' && !host.uefi)
        error('host-cannot', 'firmware', 'This node has no UEFI firmware for guests', {
            detail: 'no descriptor in /usr/share/qemu/firmware fits',
            fix: 'Install the package ovmf.',
        })
    if (want.secureBoot && want.firmware !== 'uefi')
        error('secure-boot-bios', 'secure_boot', 'Secure boot needs UEFI', {
            detail: `the firmware is ${want.firmware.slice(0, 80)}`,
            fix: 'Set firmware to uefi, or leave secure boot out.',
        })
    if (want.secureBoot && host.uefi && !host.secureBoot)
        error('host-cannot', 'secure_boot', 'This node has no firmware with secure boot', {
            detail: 'libvirt offers no loader with secure = yes',
            fix: 'Install the package ovmf.',
        })
    if (want.secureBoot && isPc(want.machine))
        error('secure-boot-machine', 'machine', 'Secure boot needs the machine type q35', {
            detail: want.machine.slice(0, 80),
            fix: 'Set machine to q35.',
        })
    if (want.tpm && !host.tpm)
        error('host-cannot', 'tpm', 'This node cannot emulate a TPM', {
            detail: 'libvirt offers no emulated TPM 2.0',
            fix: 'Install the packages swtpm and swtpm-tools.',
        })
    if (!host.machines.includes(want.machine))
        error('machine-unknown', 'machine', 'QEMU has no such machine type here', {
            detail: want.machine.slice(0, 80),
            fix: 'Take q35 or pc.',
        })
    return found
}

/** True for the old PC with an i440FX. */
export const isPc = (machine: string): boolean => machine === 'pc' || machine.startsWith('pc-i440fx')
