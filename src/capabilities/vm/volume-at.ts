// Which volume a disk of a definition is, whichever way the definition names it.
import type { VmDeps } from './deps.ts'
import { notFoundIsFine } from './make.ts'
import { refOf, type VolumeFacts, type Volumes } from './volumes.ts'
import { sourceOfVolume } from './xml/devices.ts'
import type { DiskFacts } from './xml/read-devices.ts'

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
    const { type } = volume ? sourceOfVolume(volume) : disk
    // Network pools have no other name for it.
    return volume && type !== 'volume' ? { ...disk, source: volume.path, type } : disk
}
