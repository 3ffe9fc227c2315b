// libvirt's words for pools and volumes: reads what it says, and writes what it is asked to make.
import { DOMParser, type Element } from '@xmldom/xmldom'
import { Fault } from '../../base/fault.ts'

export interface PoolXml {
    uuid: string
    name: string
    type: string
    /** Folder of a pool on files; device path or empty for others. */
    path: string
    remote?: Remote
}

/** Where a network pool is, and as whom: libvirt keeps the key itself, by the secret's id. */
export interface Remote {
    /** What the other side calls the pool, where it says so. */
    name?: string
    hosts: { name: string; port?: string }[]
    auth?: { username: string; secretUuid: string }
}

export interface VolumeXml {
    name: string
    key: string
    path: string
    format: string
    capacityBytes: number
    allocationBytes: number
    physicalBytes: number
    modifiedMs: number
    createdMs: number
    backingPath?: string
}

/** Numbers above 2^53 lose precision: they are compared and shown, never written back. */
export function readPoolXml(xml: string): PoolXml {
    const root = rootOf(xml)
    return {
        uuid: textAt(root, 'uuid'),
        name: textAt(root, 'name'),
        type: root.getAttribute('type') ?? '',
        path: textAt(root, 'target', 'path'),
        ...remoteOf(childOf(root, 'source')),
    }
}

function remoteOf(source: Element | undefined): { remote?: Remote } {
    if (!source) return {}
    const hosts = childrenOf(source, 'host').map(host => {
        const port = host.getAttribute('port')
        return { name: host.getAttribute('name') ?? '', ...(port ? { port } : {}) }
    })
    if (hosts.length === 0) return {}
    const name = textAt(source, 'name')
    const auth = childOf(source, 'auth')
    const secretUuid = auth && childOf(auth, 'secret')?.getAttribute('uuid')
    const username = auth?.getAttribute('username')
    return {
        remote: {
            ...(name ? { name } : {}),
            hosts,
            ...(secretUuid && username ? { auth: { username, secretUuid } } : {}),
        },
    }
}

export function readVolumeXml(xml: string): VolumeXml {
    const root = rootOf(xml)
    const target = childOf(root, 'target')
    const backingPath = textAt(root, 'backingStore', 'path')
    const secondsAt = (name: string) => Math.floor(Number(textAt(root, 'target', 'timestamps', name) || 0) * 1000)
    return {
        name: textAt(root, 'name'),
        key: textAt(root, 'key'),
        path: textAt(root, 'target', 'path'),
        format: (target && childOf(target, 'format')?.getAttribute('type')) || 'raw',
        capacityBytes: Number(textAt(root, 'capacity')),
        allocationBytes: Number(textAt(root, 'allocation')),
        physicalBytes: Number(textAt(root, 'physical') || textAt(root, 'capacity')),
        modifiedMs: secondsAt('mtime'),
        createdMs: secondsAt('btime') || secondsAt('ctime'),
        ...(backingPath ? { backingPath } : {}),
    }
}

/** A pool on a folder: closed to all but its owner and group's search, so that names are not for everybody. */
export const folderPoolXml = ({ uuid, name, path }: { uuid: string; name: string; path: string }): string =>
    `<pool type='dir'><name>${escaped(name)}</name><uuid>${escaped(uuid)}</uuid><target><path>${escaped(path)}</path>` +
    `<permissions><mode>0711</mode></permissions></target></pool>`

export interface VolumeWish {
    name: string
    capacityBytes: number
    /** qcow2 or raw; left out for pools that have no formats. */
    format?: string
    backing?: { path: string; format: string }
}

/** A thin volume that only its owner may read. */
export function volumeXml(wish: VolumeWish): string {
    const format = wish.format ? `<format type='${escaped(wish.format)}'/>` : ''
    // compat 1.1: without it libvirt makes qcow2 of version 2.
    const features = wish.format === 'qcow2' ? '<compat>1.1</compat>' : ''
    const backing = wish.backing
        ? `<backingStore><path>${escaped(wish.backing.path)}</path><format type='${escaped(wish.backing.format)}'/></backingStore>`
        : ''
    return (
        `<volume><name>${escaped(wish.name)}</name><capacity unit='bytes'>${wish.capacityBytes}</capacity>` +
        `<allocation unit='bytes'>0</allocation>` +
        `<target>${format}<permissions><mode>0600</mode></permissions>${features}</target>${backing}</volume>`
    )
}

const escaped = (text: string): string => text.replace(/[&<>'"]/g, c => `&#${c.charCodeAt(0)};`)

function rootOf(xml: string): Element {
    const root = new DOMParser().parseFromString(xml, 'text/xml').documentElement
    if (root) return root
    throw new Fault('internal', { summary: 'libvirt sent a description that cannot be read', detail: xml.slice(0, 80) })
}

function childrenOf(element: Element, name: string): Element[] {
    const found: Element[] = []
    for (let at = element.firstChild; at; at = at.nextSibling) if (at.nodeName === name) found.push(at as Element)
    return found
}

function childOf(element: Element, name: string): Element | undefined {
    return childrenOf(element, name)[0]
}

function textAt(root: Element, ...names: string[]): string {
    let at: Element | undefined = root
    for (const name of names) at = at && childOf(at, name)
    return at?.textContent?.trim() ?? ''
}
