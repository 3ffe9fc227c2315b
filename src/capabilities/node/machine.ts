// What a machine is, before anything of DebVisor runs on it: read from the kernel alone.
import type { Probe } from '../../ports/ports.ts'
import * as parse from './parse.ts'

export interface MachineFacts {
    hostname: string
    os: string
    /** Such as 13. */
    osVersion: string
    kernel: string
    /** Such as 'Dell Inc. PowerEdge R640'; empty where the firmware does not say. */
    model: string
    serial: string
    firmware: 'UEFI' | 'BIOS'
    cpuModel: string
    cpus: number
    sockets: number
    /** `vmx` (Intel) or `svm` (AMD); empty without virtualization in hardware, or with it switched off. */
    virtualization: string
    memoryBytes: number
}

const DMI = '/sys/class/dmi/id'
/** What firmware says when nobody has filled it in. */
const NOTHING = /^(|to be filled by o\.?e\.?m\.?|default string|not specified|none|0+|system (product|serial).*)$/i

export async function seeMachine(probe: Probe): Promise<MachineFacts> {
    const read = async (path: string) => (await probe.readText(path).catch(() => undefined)) ?? ''
    const [osRelease, kernel, cpuinfo, meminfo, efi, ...dmi] = await Promise.all([
        read('/etc/os-release'),
        read('/proc/sys/kernel/osrelease'),
        read('/proc/cpuinfo'),
        read('/proc/meminfo'),
        probe.look('/sys/firmware/efi'),
        ...['sys_vendor', 'product_name', 'product_serial'].map(name => read(`${DMI}/${name}`)),
    ])
    const [vendor = '', product = '', serial = ''] = dmi.map(text => (NOTHING.test(text.trim()) ? '' : text.trim()))
    const os = parse.parseOsRelease(osRelease)
    const cpu = parse.parseCpuinfo(cpuinfo)
    return {
        ...{ hostname: probe.hostname(), os: os.name, osVersion: os.version, kernel: kernel.trim() },
        ...{ model: [vendor, product].filter(Boolean).join(' '), serial, firmware: efi ? 'UEFI' : 'BIOS' },
        ...{ cpuModel: cpu.model, cpus: cpu.cpus, sockets: cpu.sockets },
        virtualization: /^flags\s*:.*\b(vmx|svm)\b/m.exec(cpuinfo)?.[1] ?? '',
        memoryBytes: parse.memoryUse(meminfo).totalBytes,
    }
}
