// What this machine is, gathered from the kernel and libvirt, and what about it an administrator should know.
import type { Finding } from '../../base/finding.ts'
import type { Libvirt } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Log, Probe } from '../../ports/ports.ts'
import * as parse from './parse.ts'

/** Whether something that DebVisor stands on works. */
export interface ServiceCheck {
    /** libvirt, etcd, … */
    name: string
    up(): Promise<ServiceState> | ServiceState
}

export interface ServiceState {
    up: boolean
    detail: string
    /** Where a node can do without it, and what to do then; otherwise it is an error. */
    missing?: { severity: Finding['severity']; fix: string }
}

export interface FactsDeps {
    probe: Probe
    libvirt: LibvirtLink
    log: Log
    version: string
    accelerator: 'kvm' | 'tcg'
    checks: readonly ServiceCheck[]
}

export interface NodeFacts {
    hostname: string
    /** Of DebVisor. */
    version: string
    os: { name: string; id: string; version: string }
    kernel: string
    cpuModel: string
    cpus: number
    sockets: number
    coresPerSocket: number
    threadsPerCore: number
    memoryBytes: number
    bootedMs: number
    accelerator: 'kvm' | 'tcg'
    /** While false, what follows is empty. */
    libvirtUp: boolean
    architecture: string
    libvirtVersion: string
    /** Empty where there is no QEMU. */
    qemuVersion: string
    machineTypes: string[]
    cpuModels: string[]
    uefi: boolean
    secureBoot: boolean
    tpm: boolean
    services: (ServiceState & { name: string })[]
    findings: Finding[]
}

/** The facts; what libvirt knows is left empty while it is away, and a finding says so. */
export async function gatherFacts(deps: FactsDeps): Promise<NodeFacts> {
    const { probe, version, accelerator } = deps
    const read = async (path: string) => (await probe.readText(path).catch(() => undefined)) ?? ''
    const [osRelease, kernel, cpuinfo, meminfo, stat, virtual, services] = await Promise.all([
        read('/etc/os-release'),
        read('/proc/sys/kernel/osrelease'),
        read('/proc/cpuinfo'),
        read('/proc/meminfo'),
        read('/proc/stat'),
        virtualFacts(deps),
        checkServices(deps.checks),
    ])
    const os = parse.parseOsRelease(osRelease)
    const cpu = parse.parseCpuinfo(cpuinfo)
    const facts = {
        hostname: probe.hostname(),
        version,
        os,
        kernel: kernel.trim(),
        ...{ cpuModel: cpu.model, cpus: cpu.cpus, sockets: cpu.sockets },
        ...{ coresPerSocket: cpu.coresPerSocket, threadsPerCore: cpu.threadsPerCore },
        memoryBytes: parse.memoryUse(meminfo).totalBytes,
        bootedMs: parse.parseStat(stat).bootedMs,
        accelerator,
        ...virtual,
        services,
    }
    return { ...facts, findings: findingsOf(facts) }
}

async function checkServices(checks: readonly ServiceCheck[]): Promise<NodeFacts['services']> {
    return Promise.all(
        checks.map(async ({ name, up }) => {
            try {
                return { name, ...(await up()) }
            } catch (thrown) {
                return { name, up: false, detail: thrown instanceof Error ? thrown.message : String(thrown) }
            }
        }),
    )
}

const NOTHING_VIRTUAL = {
    ...{ libvirtUp: false, architecture: '', libvirtVersion: '', qemuVersion: '' },
    ...{ machineTypes: [] as string[], cpuModels: [] as string[], uefi: false, secureBoot: false, tpm: false },
}

async function virtualFacts({ libvirt, accelerator, log }: FactsDeps): Promise<typeof NOTHING_VIRTUAL> {
    if (!libvirt.up) return NOTHING_VIRTUAL
    try {
        const connection = libvirt.connection()
        const [library, hypervisor, capabilities] = await Promise.all([
            connection.call('connectGetLibVersion'),
            // Answers 0 or an error where there is no QEMU at all.
            connection.call('connectGetVersion').catch(() => ({ hv_ver: 0n })),
            connection.call('connectGetCapabilities'),
        ])
        const { architecture, machineTypes } = parse.parseCapabilities(capabilities.capabilities)
        const domain = await domainCapabilities(connection, architecture, accelerator)
        const { cpuModels = [], uefi = false, secureBoot = false, tpm = false } = domain ?? {}
        return {
            libvirtUp: true,
            architecture,
            libvirtVersion: parse.versionOf(library.lib_ver),
            qemuVersion: hypervisor.hv_ver === 0n ? '' : parse.versionOf(hypervisor.hv_ver),
            ...{ machineTypes, cpuModels, uefi, secureBoot, tpm },
        }
    } catch (thrown) {
        log.warn('libvirt did not say what VMs can be made of', { why: String(thrown) })
        return NOTHING_VIRTUAL
    }
}

async function domainCapabilities(connection: Libvirt, arch: string, accelerator: 'kvm' | 'tcg') {
    // Secure boot needs q35; asked without a machine, libvirt answers for i440fx, which cannot.
    const machine = arch === 'x86_64' ? 'q35' : null
    const virttype = accelerator === 'kvm' ? 'kvm' : 'qemu'
    const ask = { emulatorbin: null, arch: arch || null, machine, virttype, flags: 0 }
    const answer = await connection.call('connectGetDomainCapabilities', ask).catch(() => undefined)
    return answer && parse.parseDomainCapabilities(answer.capabilities)
}

type Known = Omit<NodeFacts, 'findings'>

/** What an administrator should know about these facts, most severe first. */
export function findingsOf(facts: Known): Finding[] {
    const findings: Finding[] = []
    const add = (
        severity: Finding['severity'],
        code: string,
        words: Omit<Finding, 'severity' | 'code' | 'at'>,
        at = code,
    ) => findings.push({ severity, code, at, ...words })
    for (const { name, up, detail, missing } of facts.services) {
        if (up) continue
        const fix = missing?.fix || `Look at it: systemctl status ${name}, and its journal.`
        add(
            missing?.severity ?? 'error',
            'service-down',
            { summary: 'Something that DebVisor stands on does not work', detail: `${name}: ${detail}`, fix },
            name,
        )
    }
    if (facts.accelerator === 'tcg') {
        add('warning', 'accelerator', {
            summary: 'Guests are emulated, which is many times slower than KVM',
            detail: 'no guest could be started with KVM on this machine',
            fix: 'Enable virtualization (Intel VT-x or AMD-V) in the firmware; where this machine is itself a VM, nested virtualization on its host. Then start DebVisor again.',
        })
    }
    if (facts.libvirtUp && facts.qemuVersion === '') {
        const fix = 'Install it: apt install qemu-system-x86'
        add('error', 'qemu', {
            summary: 'There is no QEMU, so no VM can run',
            detail: 'libvirt finds no emulator',
            fix,
        })
    }
    if (facts.libvirtUp && !facts.uefi) {
        const fix = 'Install it: apt install ovmf'
        add('warning', 'uefi', { summary: 'VMs cannot have UEFI', detail: 'libvirt finds no UEFI firmware', fix })
    }
    if (facts.libvirtUp && !facts.tpm) {
        const fix = 'Install it: apt install swtpm swtpm-tools'
        add('info', 'tpm', { summary: 'VMs cannot have a TPM', detail: 'libvirt finds no swtpm', fix })
    }
    if (facts.os.id === 'debian' && Number(facts.os.version) < 13) {
        add('info', 'os', {
            summary: 'This release of Debian is fit for trying and developing, not for a node',
            detail: facts.os.name,
            fix: 'Use Debian 13 (trixie) for nodes.',
        })
    }
    return findings
}
