// What the kernel and libvirt say about a machine, parsed: text of /proc and of libvirt's capabilities into plain values.
import { all, attr, first, parseXml, textAt } from '../../engine/xml.ts'

/** PRETTY_NAME of /etc/os-release, and its id and version. */
export function parseOsRelease(text: string): { name: string; id: string; version: string } {
    const value = (key: string) => new RegExp(`^${key}=(?:"(.*)"|(.*))$`, 'm').exec(text)?.slice(1).find(Boolean) ?? ''
    return { name: value('PRETTY_NAME') || value('NAME'), id: value('ID'), version: value('VERSION_ID') }
}

/** Model and shape of the CPUs, from /proc/cpuinfo. */
export function parseCpuinfo(text: string) {
    const field = (block: string, name: string) => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(block)?.[1]?.trim()
    const blocks = text.split(/\n\s*\n/).filter(block => /^processor\s*:/m.test(block))
    const cpus = blocks.length
    const packages = new Set(blocks.map(block => field(block, 'physical id') ?? '0')).size
    const cores = Number(field(blocks[0] ?? '', 'cpu cores') ?? 0) || Math.max(1, Math.round(cpus / packages))
    const model = field(blocks[0] ?? text, 'model name') ?? field(text, 'Model') ?? ''
    const threads = Math.max(1, Math.round(cpus / (packages * cores)))
    return { model, cpus, sockets: packages, coresPerSocket: cores, threadsPerCore: threads }
}

/** Bytes by name, from /proc/meminfo. */
export function parseMeminfo(text: string): Map<string, number> {
    const found = new Map<string, number>()
    for (const [, name, kib] of text.matchAll(/^(\S+):\s+(\d+) kB$/gm)) found.set(name!, Number(kib) * 1024)
    return found
}

export function memoryUse(text: string): { totalBytes: number; usedBytes: number; swapUsedBytes: number } {
    const memory = parseMeminfo(text)
    const of = (name: string) => memory.get(name) ?? 0
    return {
        totalBytes: of('MemTotal'),
        usedBytes: of('MemTotal') - of('MemAvailable'),
        swapUsedBytes: of('SwapTotal') - of('SwapFree'),
    }
}

/** Ticks of all CPUs since the start, busy and all, and when that was, from /proc/stat. */
export function parseStat(text: string): { busyTicks: number; allTicks: number; bootedMs: number } {
    const ticks = (/^cpu\s+(.*)$/m.exec(text)?.[1] ?? '').split(' ').map(Number)
    // user nice system idle iowait irq softirq steal; guest and guest_nice are in user and nice already (proc(5)).
    const allTicks = ticks.slice(0, 8).reduce((sum, one) => sum + one, 0)
    const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0)
    return { busyTicks: allTicks - idle, allTicks, bootedMs: Number(/^btime (\d+)$/m.exec(text)?.[1] ?? 0) * 1000 }
}

/** Bytes received and sent by the named interfaces, from /proc/net/dev. */
export function parseNetDev(text: string, wanted: (name: string) => boolean): { rxBytes: number; txBytes: number } {
    let rxBytes = 0
    let txBytes = 0
    for (const [, name, figures] of text.matchAll(/^\s*(\S+?):\s*(.*)$/gm)) {
        if (!wanted(name!)) continue
        const columns = figures!.trim().split(/\s+/).map(Number)
        rxBytes += columns[0] ?? 0
        txBytes += columns[8] ?? 0
    }
    return { rxBytes, txBytes }
}

/** Bytes read and written by the named disks, from /proc/diskstats, whose sectors are always of 512 bytes. */
export function parseDiskstats(text: string, wanted: (name: string) => boolean) {
    let readBytes = 0
    let writtenBytes = 0
    for (const line of text.split('\n')) {
        const columns = line.trim().split(/\s+/)
        if (!columns[2] || !wanted(columns[2])) continue
        readBytes += Number(columns[5]) * 512
        writtenBytes += Number(columns[9]) * 512
    }
    return { readBytes, writtenBytes }
}

/** `9.0.0` from libvirt's 9000000. */
export function versionOf(number: bigint): string {
    const value = Number(number)
    return `${Math.floor(value / 1_000_000)}.${Math.floor(value / 1000) % 1000}.${value % 1000}`
}

/** Machine types for guests of the host's own architecture, from connectGetCapabilities: names and their aliases. */
export function parseCapabilities(xml: string): { architecture: string; machineTypes: string[] } {
    const root = parseXml(xml, 'the capabilities of libvirt')
    const architecture = textAt(root, 'host/cpu/arch')
    const arch = all(root, 'guest')
        .filter(guest => textAt(guest, 'os_type') === 'hvm')
        .flatMap(guest => all(guest, 'arch'))
        .find(one => one.getAttribute('name') === architecture)
    const names = arch ? all(arch, 'machine').map(machine => machine.textContent?.trim() ?? '') : []
    return { architecture, machineTypes: [...new Set(names)].filter(Boolean).sort() }
}

/** What VMs can have here, from connectGetDomainCapabilities. */
export function parseDomainCapabilities(xml: string) {
    const root = parseXml(xml, 'the domain capabilities of libvirt')
    const values = (path: string, name: string) =>
        all(root, `${path}/enum`)
            .filter(one => one.getAttribute('name') === name)
            .flatMap(one => all(one, 'value').map(value => value.textContent ?? ''))
    const modes = all(root, 'cpu/mode').filter(mode => mode.getAttribute('supported') === 'yes')
    const custom = modes.find(mode => mode.getAttribute('name') === 'custom')
    const usable = custom ? all(custom, 'model').filter(model => model.getAttribute('usable') !== 'no') : []
    return {
        cpuModels: [
            ...modes.map(mode => mode.getAttribute('name') ?? '').filter(name => name !== 'custom'),
            ...usable.map(model => model.textContent ?? '').sort(),
        ],
        uefi: values('os', 'firmware').includes('efi'),
        secureBoot: values('os', 'firmware').includes('efi') && values('os/loader', 'secure').includes('yes'),
        tpm:
            attr(root, 'devices/tpm', 'supported') === 'yes' &&
            values('devices/tpm', 'backendModel').includes('emulator'),
        emulator: first(root, 'path')?.textContent ?? '',
    }
}
