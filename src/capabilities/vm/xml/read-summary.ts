// What the inventory keeps of a definition, read by one walk; and what two definitions of one VM differ in, in words.
import { formatBytes } from '../../../base/units.ts'
import { VM_NAMESPACE } from './document.ts'
import { noMetadata, type VmMetadata } from './metadata.ts'
import { attributeIn, scanXml } from './scan.ts'

export interface Summary {
    uuid: string
    name: string
    /** kvm, qemu, … */
    type: string
    /** What the guest has (balloon), and what it could have at most. */
    memoryBytes: number
    maxMemoryBytes: number
    vcpus: number
    maxVcpus: number
    firmware: 'bios' | 'uefi'
    description: string
    metadata: VmMetadata
    networks: string[]
    macs: string[]
    /** Every file, device or `pool/volume` that it stands on: disks with their chains, kernel, initrd, NVRAM. */
    paths: string[]
    /** Of these, the sources of disks that it writes to. */
    disks: string[]
    agentConnected: boolean
    /** What can differ between what runs and the next start: a name for people → its value. */
    facts: Map<string, string>
}

const UNITS: Record<string, number> = {
    b: 1,
    bytes: 1,
    k: 1024,
    kib: 1024,
    kb: 1000,
    m: 1024 ** 2,
    mib: 1024 ** 2,
    mb: 1e6,
    g: 1024 ** 3,
    gib: 1024 ** 3,
    gb: 1e9,
    t: 1024 ** 4,
    tib: 1024 ** 4,
    tb: 1e12,
}

/** Bytes of libvirt's `<memory unit='KiB'>`; KiB where no unit stands. */
export const memoryBytesOf = (text: string, unit: string | undefined): number =>
    Math.round(Number(text) * (UNITS[(unit ?? 'KiB').toLowerCase()] ?? 1024)) || 0

/** A source as the inventory names it: a path, or `pool/volume`; empty for none. */
export function sourceOf(attribute: (name: string) => string | undefined): string {
    const pool = attribute('pool')
    const volume = attribute('volume')
    if (pool && volume) return `${pool}/${volume}`
    return attribute('file') ?? attribute('dev') ?? attribute('name') ?? attribute('dir') ?? ''
}

// Substrings keep the whole document alive in V8: what is kept for long is copied.
const own = (text: string): string => (text.length < 13 ? text : Buffer.from(text).toString())

const COUNTED = ['hostdev', 'filesystem', 'memory', 'tpm', 'watchdog', 'rng', 'vsock', 'shmem', 'redirdev', 'sound']
const DISK = 'domain/devices/disk'
const NIC = 'domain/devices/interface'

/** @param xml as libvirt writes it */
export function readSummary(xml: string): Summary {
    const facts = new Map<string, string>()
    const counts = new Map<string, number>()
    const networks = new Set<string>()
    const macs = new Set<string>()
    const paths = new Set<string>()
    const disks = new Set<string>()
    const bootOrder: string[] = []
    const ordered: [number, string][] = []
    const summary: Summary = {
        uuid: '',
        name: '',
        type: '',
        memoryBytes: 0,
        maxMemoryBytes: 0,
        vcpus: 0,
        maxVcpus: 0,
        firmware: 'bios',
        description: '',
        metadata: noMetadata(),
        networks: [],
        macs: [],
        paths: [],
        disks: [],
        agentConnected: false,
        facts,
    }
    let ours = ''
    let unit: string | undefined
    let secure = false
    let cpu: string[] = []
    let hostModel = false
    let device: Record<string, string> = {}

    const inMetadata = (path: string, attributes: string): void => {
        if (ours === '') {
            const prefix = /^domain\/metadata\/(?:([^/:]+):)?vm$/.exec(path)
            const declared = prefix && attributeIn(attributes, prefix[1] ? `xmlns:${prefix[1]}` : 'xmlns')
            if (declared === VM_NAMESPACE) ours = path
            return
        }
        if (!path.startsWith(`${ours}/`)) return
        const name = path.slice(ours.length + 1).replace(/^[^/:]+:/, '')
        const { metadata } = summary
        if (name === 'template') metadata.template = true
        if (name !== 'start') return
        const whole = (text = '') => (/^\d{1,9}$/.test(text) ? Number(text) : 0)
        metadata.startOrder = whole(attributeIn(attributes, 'order'))
        metadata.startDelaySeconds = whole(attributeIn(attributes, 'delay'))
        metadata.ordered = attributeIn(attributes, 'auto') === 'yes'
    }
    const metadataText = (path: string, text: string): void => {
        const { metadata } = summary
        const name = path
            .slice(ours.length + 1)
            .replace(/^[^/:]+:/, '')
            .replace(/\/[^/:]+:/, '/')
        if (name === 'owner') metadata.owner = own(text)
        else if (name === 'os') metadata.os = own(text)
        else if (name === 'seed') metadata.seed = own(text)
        else if (name === 'tags/tag') metadata.tags.push(own(text))
    }
    const diskPart = (rest: string, attributes: string): void => {
        const get = (name: string) => attributeIn(attributes, name)
        if (rest.endsWith('source')) {
            const source = sourceOf(get)
            if (source) paths.add(own(source))
            if (rest === 'source') device.source = source
        } else if (rest === 'target') {
            device.target = get('dev') ?? ''
            device.bus = get('bus') ?? ''
        } else if (rest === 'driver') {
            // libvirt writes `raw` where nothing was said, into one definition and not always into the other.
            device.driver = [get('type')?.replace(/^raw$/, ''), get('cache'), get('discard')].filter(Boolean).join(' ')
        } else if (rest === 'readonly') device.readonly = 'read-only'
        else if (rest === 'boot') device.boot = get('order') ?? ''
    }
    const nicPart = (rest: string, attributes: string): void => {
        const get = (name: string) => attributeIn(attributes, name)
        if (rest === 'mac') device.mac = (get('address') ?? '').toLowerCase()
        else if (rest === 'source') device.on = get('network') ?? get('bridge') ?? get('dev') ?? ''
        else if (rest === 'model') device.model = get('type') ?? ''
        else if (rest === 'vlan/tag') device.vlan = `VLAN ${get('id') ?? ''}`
        else if (rest === 'link' && get('state') === 'down') device.link = 'link down'
        else if (rest === 'boot') device.boot = get('order') ?? ''
    }

    scanXml(xml, {
        open(path, attributes) {
            if (path.startsWith('domain/metadata/')) return inMetadata(path, attributes)
            if (path.startsWith(`${DISK}/`)) return diskPart(path.slice(DISK.length + 1), attributes)
            if (path.startsWith(`${NIC}/`)) return nicPart(path.slice(NIC.length + 1), attributes)
            const get = (name: string) => attributeIn(attributes, name)
            if (path === DISK) device = { device: get('device') ?? 'disk' }
            else if (path === NIC) device = { type: get('type') ?? '' }
            else if (path === 'domain') summary.type = own(get('type') ?? '')
            else if (['domain/memory', 'domain/currentMemory', 'domain/maxMemory'].includes(path)) unit = get('unit')
            else if (path === 'domain/vcpu') summary.vcpus = Number(get('current') ?? 0)
            else if (path === 'domain/os' && get('firmware') === 'efi') summary.firmware = 'uefi'
            else if (path === 'domain/os/loader') {
                if (get('type') === 'pflash') summary.firmware = 'uefi'
                if (get('secure') === 'yes') secure = true
            } else if (path === 'domain/os/type') facts.set('machine type', get('machine') ?? '')
            else if (path === 'domain/os/nvram/source' && get('file')) paths.add(own(get('file')!))
            else if (path === 'domain/os/boot') bootOrder.push(get('dev') ?? '')
            else if (path === 'domain/cpu') {
                hostModel = get('mode') === 'host-model'
                cpu = [get('mode') ?? '']
            } else if (path === 'domain/cpu/topology') {
                facts.set('CPU topology', ['sockets', 'cores', 'threads'].map(name => get(name) ?? '1').join(' x '))
            } else if (path === 'domain/devices/channel/target') {
                if (get('name') === 'org.qemu.guest_agent.0') summary.agentConnected = get('state') === 'connected'
            } else {
                const name = path.startsWith('domain/devices/') ? path.slice('domain/devices/'.length) : ''
                if (COUNTED.includes(name)) counts.set(name, (counts.get(name) ?? 0) + 1)
            }
        },
        text(path, text) {
            if (ours !== '' && path.startsWith(`${ours}/`)) metadataText(path, text)
            else if (path === 'domain/name') summary.name = own(text)
            else if (path === 'domain/uuid') summary.uuid = own(text.toLowerCase())
            else if (path === 'domain/description') summary.description = own(text)
            else if (path === 'domain/memory') summary.maxMemoryBytes = memoryBytesOf(text, unit)
            else if (path === 'domain/maxMemory') facts.set('room for memory', formatBytes(memoryBytesOf(text, unit)))
            else if (path === 'domain/currentMemory') summary.memoryBytes = memoryBytesOf(text, unit)
            else if (path === 'domain/vcpu') summary.maxVcpus = Number(text)
            else if (path === 'domain/cpu/model') cpu.push(text)
            else if (path === 'domain/os/kernel' || path === 'domain/os/initrd' || path === 'domain/os/nvram')
                paths.add(own(text))
            else if (path.startsWith(`${DISK}/iotune/`)) {
                if (text !== '0') device.limits = `${device.limits ?? ''} ${path.slice(DISK.length + 8)}=${text}`
            }
        },
        close(path) {
            if (path === DISK) {
                const { target, source, bus, driver, readonly } = device
                if (source && !readonly && !['cdrom', 'floppy'].includes(device.device ?? '')) disks.add(own(source))
                const name = device.device === 'disk' ? 'disk' : device.device === 'cdrom' ? 'CD drive' : device.device
                facts.set(`${name} ${target}`, [source || 'empty', bus, driver, readonly].filter(Boolean).join(', '))
                if (device.limits) facts.set(`I/O limits of ${target}`, device.limits.trim())
                if (device.boot) ordered.push([Number(device.boot), target ?? ''])
            } else if (path === NIC) {
                const { mac, on, model, vlan, link, type } = device
                if (mac) macs.add(own(mac))
                if (device.boot) ordered.push([Number(device.boot), mac ?? ''])
                if (on && (type === 'network' || type === 'bridge')) networks.add(own(on))
                facts.set(`network card ${mac}`, [on || type, model, vlan, link].filter(Boolean).join(', '))
            }
        },
    })
    if (summary.vcpus === 0) summary.vcpus = summary.maxVcpus
    if (summary.memoryBytes === 0) summary.memoryBytes = summary.maxMemoryBytes
    facts.set('memory', formatBytes(summary.memoryBytes))
    facts.set('greatest memory', formatBytes(summary.maxMemoryBytes))
    facts.set('vCPUs', String(summary.vcpus))
    facts.set('greatest number of vCPUs', String(summary.maxVcpus))
    facts.set('firmware', summary.firmware + (secure ? ' with secure boot' : ''))
    // libvirt writes the model that it chose into what runs: there is nothing to compare.
    if (!hostModel) facts.set('CPU model', cpu.filter(Boolean).join(' '))
    ordered.sort((a, b) => a[0] - b[0])
    facts.set('boot order', [...bootOrder, ...ordered.map(([, name]) => name)].join(', '))
    for (const [name, count] of counts) facts.set(`devices of kind ${name}`, String(count))
    summary.networks = [...networks]
    summary.macs = [...macs]
    summary.paths = [...paths]
    summary.disks = [...disks]
    return summary
}

/** What is other at the next start than in what runs, a sentence each; empty where nothing is. */
export function pendingChanges(active: Summary, inactive: Summary): string[] {
    const said: string[] = []
    const names = new Set([...active.facts.keys(), ...inactive.facts.keys()])
    if (active.facts.has('CPU model') !== inactive.facts.has('CPU model')) names.delete('CPU model')
    // What was plugged in while it runs is there from the beginning at the next start.
    if (active.maxMemoryBytes === inactive.maxMemoryBytes) names.delete('devices of kind memory')
    for (const name of names) {
        const now = active.facts.get(name)
        const then = inactive.facts.get(name)
        if (now === then) continue
        if (now === undefined) said.push(`${name}: added at the next start (${then})`)
        else if (then === undefined) said.push(`${name}: gone at the next start`)
        else said.push(`${name}: ${now || 'none'} now, ${then || 'none'} from the next start on`)
    }
    return said.sort()
}
