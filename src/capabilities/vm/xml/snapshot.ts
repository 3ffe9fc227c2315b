// Snapshots in libvirt's XML: what one says, and how a new one is asked for.
import { xmlText } from './build-text.ts'
import { attribute, children, find, findAll, type NewElement, parseRoot, textAt } from './document.ts'
import { type DiskFacts, readDisks } from './read-devices.ts'

export interface SnapshotFacts {
    name: string
    description: string
    /** Empty for a first one. */
    parent: string
    /** libvirt's word: running, paused, shutoff, disk-snapshot. */
    state: string
    createdMs: number
    kind: 'internal' | 'external'
    memory: boolean
    /** File with the memory of an external one; empty for none. */
    memoryFile: string
    /** Disks that are in it: what they stood on when it was taken, and the overlay that was made then. */
    disks: { target: string; source: string; overlay: string }[]
    /** Sources of all disks of the VM then, with theirs below. */
    files: string[]
}

/** From the XML of domainSnapshotGetXMLDesc (formatsnapshot of libvirt's documentation). */
export function readSnapshot(xml: string): SnapshotFacts {
    const root = parseRoot(xml, 'domainsnapshot')
    const memory = find(root, 'memory')
    const domain = find(root, 'inactiveDomain') ?? find(root, 'domain')
    const then = domain ? readDisks(domain) : []
    const disks = findAll(root, 'disks/disk').filter(disk =>
        ['internal', 'external'].includes(attribute(disk, 'snapshot')),
    )
    const memoryKind = attribute(memory, 'snapshot')
    const external = memoryKind === 'external' || disks.some(disk => attribute(disk, 'snapshot') === 'external')
    return {
        name: textAt(root, 'name'),
        description: textAt(root, 'description'),
        parent: textAt(root, 'parent/name'),
        state: textAt(root, 'state'),
        createdMs: Number(textAt(root, 'creationTime')) * 1000,
        kind: external ? 'external' : 'internal',
        memory: memoryKind === 'internal' || memoryKind === 'external',
        memoryFile: memoryKind === 'external' ? attribute(memory, 'file') : '',
        disks: disks.map(disk => ({
            target: attribute(disk, 'name'),
            source: then.find(d => d.target === attribute(disk, 'name'))?.source ?? '',
            overlay: attribute(children(disk, 'source')[0], 'file'),
        })),
        files: then.flatMap(disk => [disk.source, ...disk.chain]).filter(Boolean),
    }
}

export interface NewSnapshot {
    name: string
    description: string
    kind: 'internal' | 'external'
    /** With external: file for the memory; empty for none. */
    memoryFile: string
    disks: DiskFacts[]
}

/** The text that domainSnapshotCreateXML takes. Drives without a disk of the VM's own are left out of it. */
export function snapshotXml(snapshot: NewSnapshot): string {
    const overlays = overlayPaths(snapshot.disks, snapshot.name)
    const disks = snapshot.disks.map((disk): NewElement => {
        const taken = isOwn(disk)
        const external = taken && snapshot.kind === 'external'
        return {
            name: 'disk',
            attributes: {
                name: disk.target,
                snapshot: taken ? snapshot.kind : 'no',
                type: external ? 'file' : undefined,
            },
            children: external
                ? [
                      { name: 'driver', attributes: { type: 'qcow2' } },
                      { name: 'source', attributes: { file: overlays.get(disk.target) } },
                  ]
                : undefined,
        }
    })
    return xmlText({
        name: 'domainsnapshot',
        children: [
            { name: 'name', text: snapshot.name },
            snapshot.description ? { name: 'description', text: snapshot.description } : undefined,
            snapshot.memoryFile
                ? { name: 'memory', attributes: { snapshot: 'external', file: snapshot.memoryFile } }
                : undefined,
            { name: 'disks', children: disks },
        ],
    })
}

/** A disk that the VM writes to: what a snapshot is made of. */
export const isOwn = (disk: DiskFacts): boolean =>
    disk.device === 'disk' && !disk.readonly && !disk.shareable && disk.source !== ''

/**
 * Target → the overlay beside a disk: `web1-disk0.before`; one that stands on an overlay does not grow the name. Where
 * two disks would have the same, such as of `data.img` and `data.qcow2`, each has its target in it.
 */
export function overlayPaths(disks: readonly DiskFacts[], name: string): Map<string, string> {
    const stems = new Map(disks.filter(isOwn).map(disk => [disk.target, stemOf(disk.source)]))
    const all = [...stems.values()]
    const only = (stem: string) => all.filter(other => other === stem).length === 1
    return new Map([...stems].map(([target, stem]) => [target, `${stem}${only(stem) ? '' : `-${target}`}.${name}`]))
}

function stemOf(source: string): string {
    const slash = source.lastIndexOf('/')
    const file = source
        .slice(slash + 1)
        .replace(/\.(qcow2|img|raw)$/, '')
        .replace(/^(.*-disk\d+)\..*$/, '$1')
    return source.slice(0, slash + 1) + file
}
