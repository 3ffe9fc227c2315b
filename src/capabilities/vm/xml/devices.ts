// Disks and NICs as libvirt's elements, the same for a new domain, for an attached device and for an edit.
import type { Remote, VolumeFacts } from '../volumes.ts'
import type { NewElement } from './document.ts'

export interface Limits {
    /** 0: no limit. */
    readIops: number
    writeIops: number
    readBytesPerSecond: number
    writeBytesPerSecond: number
}

export interface DiskDevice {
    /** Such as vda. */
    target: string
    device: 'disk' | 'cdrom'
    bus: string
    /** Absent: an empty drive. */
    volume?: Pick<VolumeFacts, 'pool' | 'name' | 'path' | 'poolType' | 'format' | 'remote'>
    cache?: string
    discard?: boolean
    limits?: Limits
    /** Place in the boot order, from 1. */
    bootIndex?: number
}

const FILE_POOLS = new Set(['dir', 'fs', 'netfs', 'gluster', 'vstorage'])
// Not proved here: no pool of these kinds was at hand.
const NETWORK_POOLS = new Set(['sheepdog', 'iscsi-direct'])

/** The format that QEMU is told; it never finds it out by looking, for a guest could have written what it likes. */
export const driverFormat = (format: string): string => (format === 'qcow2' ? 'qcow2' : 'raw')

/** How libvirt names the source of a volume: the disk's type, and its `<source>`. */
export function sourceOfVolume(volume: Pick<VolumeFacts, 'pool' | 'name' | 'path' | 'poolType' | 'remote'>): {
    type: string
    source: NewElement
} {
    const source = (attributes: Record<string, string>, inside: NewElement[] = []) => ({
        ...{ name: 'source', attributes, children: inside },
    })
    const { poolType, path, remote } = volume
    // libvirt refuses rbd pools as type 'volume'. (virDomainDiskTranslateSourcePool)
    if (poolType === 'rbd') return { type: 'network', source: source({ protocol: 'rbd', name: path }, wayTo(remote)) }
    if (NETWORK_POOLS.has(poolType))
        return { type: 'volume', source: source({ pool: volume.pool, volume: volume.name }) }
    if (FILE_POOLS.has(poolType)) return { type: 'file', source: source({ file: path }) }
    return { type: 'block', source: source({ dev: path }) }
}

function wayTo({ hosts, auth }: Remote = { hosts: [] }): NewElement[] {
    const ways: NewElement[] = hosts.map(({ name, port }) => ({ name: 'host', attributes: { name, port } }))
    if (!auth) return ways
    const secret = { name: 'secret', attributes: { type: 'ceph', uuid: auth.secretUuid } }
    return [...ways, { name: 'auth', attributes: { username: auth.username }, children: [secret] }]
}

/** `<iotune>`; undefined where nothing is limited. */
export function iotuneElement(limits: Limits | undefined): NewElement | undefined {
    if (!limits) return undefined
    const parts: [string, number][] = [
        ['read_bytes_sec', limits.readBytesPerSecond],
        ['write_bytes_sec', limits.writeBytesPerSecond],
        ['read_iops_sec', limits.readIops],
        ['write_iops_sec', limits.writeIops],
    ]
    const set = parts.filter(([, value]) => value > 0)
    if (set.length === 0) return undefined
    return { name: 'iotune', children: set.map(([name, value]) => ({ name, text: String(value) })) }
}

/** `<disk>` */
export function diskElement(disk: DiskDevice): NewElement {
    const source = disk.volume && sourceOfVolume(disk.volume)
    const cdrom = disk.device === 'cdrom'
    return {
        name: 'disk',
        attributes: { type: source?.type ?? 'file', device: disk.device },
        children: [
            {
                name: 'driver',
                attributes: {
                    name: 'qemu',
                    type: cdrom ? 'raw' : driverFormat(disk.volume?.format ?? 'raw'),
                    cache: disk.cache || undefined,
                    discard: disk.discard && !cdrom ? 'unmap' : undefined,
                },
            },
            source?.source,
            { name: 'target', attributes: { dev: disk.target, bus: disk.bus } },
            iotuneElement(disk.limits),
            cdrom ? { name: 'readonly' } : undefined,
            disk.bootIndex ? { name: 'boot', attributes: { order: disk.bootIndex } } : undefined,
        ],
    }
}

export interface NicDevice {
    mac: string
    /** One of these. */
    network?: string
    bridge?: string
    model: string
    /** 0: none. */
    vlan?: number
    linkDown?: boolean
    bootIndex?: number
}

/** `<interface>` */
export function nicElement(nic: NicDevice): NewElement {
    const bridge = nic.bridge ?? ''
    return {
        name: 'interface',
        attributes: { type: bridge ? 'bridge' : 'network' },
        children: [
            { name: 'mac', attributes: { address: nic.mac } },
            { name: 'source', attributes: bridge ? { bridge } : { network: nic.network } },
            nic.vlan ? { name: 'vlan', children: [{ name: 'tag', attributes: { id: nic.vlan } }] } : undefined,
            { name: 'model', attributes: { type: nic.model } },
            nic.linkDown ? { name: 'link', attributes: { state: 'down' } } : undefined,
            nic.bootIndex ? { name: 'boot', attributes: { order: nic.bootIndex } } : undefined,
        ],
    }
}

const PREFIXES: Record<string, string> = { virtio: 'vd', ide: 'hd', fdc: 'fd', xen: 'xvd' }

/** The first free target of a bus, such as vdb, among those that are taken. */
export function freeTarget(bus: string, taken: readonly string[]): string {
    const prefix = PREFIXES[bus] ?? 'sd'
    for (let i = 0; ; i++) {
        const letter = String.fromCharCode(97 + (i % 26))
        const target = `${prefix}${i < 26 ? '' : String.fromCharCode(96 + Math.floor(i / 26))}${letter}`
        if (!taken.includes(target)) return target
    }
}
