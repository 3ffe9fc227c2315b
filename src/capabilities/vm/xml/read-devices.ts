// Disks and NICs as a definition has them, as plain facts.
import { attribute, children, type Element, find, findAll, textAt } from './document.ts'
import { sourceOf } from './read-summary.ts'

export interface DiskFacts {
    target: string
    device: string
    bus: string
    /** Path, `pool/volume` where libvirt has it so, or network name; empty for an empty drive. */
    source: string
    /** file, block, network, volume, … */
    type: string
    format: string
    cache: string
    discard: boolean
    readonly: boolean
    shareable: boolean
    serial: string
    limits: { readIops: number; writeIops: number; readBytesPerSecond: number; writeBytesPerSecond: number }
    /** Sources below it, from the nearest. */
    chain: string[]
    alias: string
    bootOrder: number
    element: Element
}

export interface NicFacts {
    mac: string
    network: string
    bridge: string
    type: string
    model: string
    vlan: number
    linkDown: boolean
    device: string
    alias: string
    bootOrder: number
    element: Element
}

const count = (text: string): number => (/^\d+$/.test(text) ? Number(text) : 0)

/** The source of a disk, or of what is below or beside it. */
export const sourceAt = (of: Element): string => {
    const source = find(of, 'source')
    return source ? sourceOf(name => source.getAttribute(name) ?? undefined) : ''
}

function chainOf(disk: Element): string[] {
    const chain: string[] = []
    for (let at = find(disk, 'backingStore'); at; at = find(at, 'backingStore')) {
        const source = sourceAt(at)
        if (source) chain.push(source)
    }
    return chain
}

/** Of a `<domain>`, in order. */
export function readDisks(domain: Element): DiskFacts[] {
    return findAll(domain, 'devices/disk').map(disk => {
        const tune = (name: string) => count(textAt(disk, `iotune/${name}`))
        // A total limits reading and writing together: nearest is to show it for both.
        const either = (part: string, unit: string) => tune(`${part}_${unit}_sec`) || tune(`total_${unit}_sec`)
        const driver = find(disk, 'driver')
        const target = find(disk, 'target')
        return {
            target: attribute(target, 'dev'),
            device: attribute(disk, 'device') || 'disk',
            bus: attribute(target, 'bus'),
            source: sourceAt(disk),
            type: attribute(disk, 'type'),
            format: attribute(driver, 'type') || 'raw',
            cache: attribute(driver, 'cache'),
            discard: attribute(driver, 'discard') === 'unmap',
            readonly: find(disk, 'readonly') !== undefined || attribute(disk, 'device') === 'cdrom',
            shareable: find(disk, 'shareable') !== undefined,
            serial: textAt(disk, 'serial'),
            limits: {
                readIops: either('read', 'iops'),
                writeIops: either('write', 'iops'),
                readBytesPerSecond: either('read', 'bytes'),
                writeBytesPerSecond: either('write', 'bytes'),
            },
            chain: chainOf(disk),
            alias: attribute(find(disk, 'alias'), 'name'),
            bootOrder: count(attribute(find(disk, 'boot'), 'order')),
            element: disk,
        }
    })
}

/** Of a `<domain>`, in order. */
export function readNics(domain: Element): NicFacts[] {
    return findAll(domain, 'devices/interface').map(nic => {
        const source = find(nic, 'source')
        const type = attribute(nic, 'type')
        const tags = find(nic, 'vlan') ? children(find(nic, 'vlan')!, 'tag') : []
        return {
            mac: attribute(find(nic, 'mac'), 'address').toLowerCase(),
            network: type === 'network' ? attribute(source, 'network') : '',
            bridge: type === 'bridge' ? attribute(source, 'bridge') : '',
            type,
            model: attribute(find(nic, 'model'), 'type'),
            vlan: count(attribute(tags[0], 'id')),
            linkDown: attribute(find(nic, 'link'), 'state') === 'down',
            device: attribute(find(nic, 'target'), 'dev'),
            alias: attribute(find(nic, 'alias'), 'name'),
            bootOrder: count(attribute(find(nic, 'boot'), 'order')),
            element: nic,
        }
    })
}
