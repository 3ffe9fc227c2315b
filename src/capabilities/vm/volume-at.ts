// Which volume a disk of a definition is, whichever way the definition names it.
import type { VmDeps } from './deps.ts'
import { notFoundIsFine } from './make.ts'
import { refOf, type VolumeFacts, type Volumes } from './volumes.ts'
import { sourceAttributes } from './xml/devices.ts'
import { build, find, parseRoot, replace, setAttribute } from './xml/document.ts'
import { editDomain } from './xml/edit.ts'
import { type DiskFacts, readDisks } from './xml/read-devices.ts'

/** The volume at a source as definitions have it; asks libvirt for what was made a moment ago. */
export async function volumeAt(
    deps: Pick<VmDeps, 'volumes' | 'libvirt'>,
    source: string,
): Promise<VolumeFacts | undefined> {
    const known = deps.volumes.at(source)
    if (known || source === '') return known
    const ref = source.startsWith('/')
        ? await deps.libvirt
              .connection()
              .call('storageVolLookupByPath', { path: source })
              .then(({ vol }) => refOf(vol), notFoundIsFine)
        : source
    // What is no `pool/volume` (a network source, a device) is in no pool.
    return ref?.includes('/') ? deps.volumes.find(ref).catch(notFoundIsFine) : undefined
}

/** A disk that is named by pool and volume as the file or device that it is; others as they are. From memory. */
export function located({ volumes }: { volumes: Pick<Volumes, 'at'> }, disk: DiskFacts): DiskFacts {
    const volume = disk.type === 'volume' ? volumes.at(disk.source) : undefined
    const { type } = volume ? sourceAttributes(volume) : disk
    // Network pools have no other name for it.
    return volume && type !== 'volume' ? { ...disk, source: volume.path, type } : disk
}

/**
 * Lets a definition name its disks by their paths. It means the same, but while a VM runs libvirt takes over a new file
 * of a disk into the definition only where both name the old one alike (virStorageSourceIsSameLocation), and a disk
 * that is named by pool and volume is no such one: the next start would be with the old file.
 * @param xml the definition of the next start, fit to define again
 */
export async function nameByPath(deps: Pick<VmDeps, 'volumes' | 'libvirt'>, xml: string): Promise<void> {
    const isNamed = (disk: DiskFacts) => located(deps, disk) !== disk
    if (!readDisks(parseRoot(xml, 'domain')).some(isNamed)) return
    const text = editDomain(xml, domain => {
        for (const disk of readDisks(domain).filter(isNamed)) {
            const { type, attributes } = sourceAttributes(deps.volumes.at(disk.source)!)
            setAttribute(disk.element, 'type', type)
            replace(find(disk.element, 'source')!, build(domain.ownerDocument!, { name: 'source', attributes }))
        }
    })
    await deps.libvirt.connection().call('domainDefineXMLFlags', { xml: text, flags: 0 })
}
