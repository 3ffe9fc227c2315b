// The disks of a machine by names that stay: what each is, what stands on it, and whether it may be taken.
import type { Block } from './lsblk.ts'

export interface Disk {
    /** A name that stays over boots: below /dev/disk/by-id, else by-path, else the kernel's. */
    id: string
    /** /dev/vdb: of this boot. */
    path: string
    sizeBytes: number
    model: string
    serial: string
    rotational: boolean
    transport: string
    removable: boolean
    readOnly: boolean
    /** The running system stands on it, also through LVM, mdraid or dm-crypt. */
    system: boolean
    /** Where it, or something on it, is mounted; swap is `[SWAP]`. */
    mountpoints: string[]
    /** `gpt`, `ext4 1f0c…`, `LVM2_member …`, and so on; sorted. */
    signatures: string[]
    /** No signature, and its first MiB is zeros. */
    blank: boolean
}

/** What is asked of the machine about one disk. */
export interface DiskSigns {
    signatures: string[]
    firstIsZero: boolean
}

export interface Facts {
    blocks: readonly Block[]
    /** Names below /dev/disk/by-id and by-path, with the kernel name each leads to. */
    links: readonly { link: string; kernelName: string }[]
    /** Volume group by physical volume. */
    groups: ReadonlyMap<string, string>
    signs: ReadonlyMap<string, DiskSigns>
}

const SYSTEM = /^(\/|\/boot(\/.*)?|\/usr|\/var|\[SWAP\]|\/run\/live\/.*)$/

/** Whole disks that hold data; no loops, CD drives or RAM disks. Sorted by id. */
export function disksOf({ blocks, links, groups, signs }: Facts): Disk[] {
    const drives = blocks.filter(isDrive).map(throughMultipath)
    const unique = drives.filter((drive, at) => drives.findIndex(other => other.path === drive.path) === at)
    const systemGroups = new Set(unique.filter(stands).flatMap(drive => groupsOn(drive, groups)))
    return unique
        .map(drive => {
            const mountpoints = [...new Set(all(drive).flatMap(block => block.mountpoints))].sort()
            const { signatures = [], firstIsZero = false } = signs.get(drive.path) ?? {}
            const above = all(drive)
                .slice(1)
                .map(block => block.fileSystem)
                .filter(Boolean)
            const seen = [...new Set([...signatures, ...above])].sort()
            return {
                ...{ id: idOf(drive, links), path: drive.path, sizeBytes: drive.sizeBytes },
                ...{ model: drive.model, serial: drive.serial, transport: drive.transport },
                ...{ rotational: drive.rotational, removable: drive.removable, readOnly: drive.readOnly },
                // A volume group dies with any of its disks.
                system: stands(drive) || groupsOn(drive, groups).some(group => systemGroups.has(group)),
                ...{
                    mountpoints,
                    signatures: seen,
                    blank: seen.length === 0 && drive.children.length === 0 && firstIsZero,
                },
            }
        })
        .sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Whole disks with a size; a floppy or an empty card reader has none. */
export const isDrive = (block: Block): boolean =>
    block.type === 'disk' && block.sizeBytes > 0 && !/^(zram|ram|loop|fd|nbd|rbd|zd)\d/.test(block.kernelName)

/** A disk that is seen over several paths is the one that multipath makes of them. */
const throughMultipath = (drive: Block): Block => {
    const whole = drive.children.find(child => child.type === 'mpath')
    return whole ? { ...whole, model: drive.model, serial: drive.serial, transport: drive.transport } : drive
}

const all = (block: Block): Block[] => [block, ...block.children.flatMap(all)]
const stands = (drive: Block) => all(drive).some(block => block.mountpoints.some(point => SYSTEM.test(point)))
const groupsOn = (drive: Block, groups: ReadonlyMap<string, string>) =>
    all(drive).flatMap(block => groups.get(block.path) || [])

const KINDS = [
    /^nvme-(?!eui|nvme)/,
    /^ata-/,
    /^scsi-(?!\d)/,
    /^virtio-/,
    /^mmc-/,
    /^usb-/,
    /^dm-uuid-mpath-/,
    /^wwn-/,
    /^nvme-eui/,
    /^scsi-/,
]

/** The name that says most to a person among those that stay. */
function idOf(drive: Block, links: Facts['links']): string {
    const names = links.filter(({ kernelName }) => kernelName === drive.kernelName).map(({ link }) => link)
    const byId = names.filter(link => link.startsWith('/dev/disk/by-id/'))
    for (const kind of KINDS) {
        const found = byId.filter(link => kind.test(link.slice('/dev/disk/by-id/'.length))).sort()[0]
        if (found) return found
    }
    return byId.sort()[0] ?? names.sort()[0] ?? drive.path
}

/** Changes when anything that stands on the disk does; what a consent is given for. */
export const fingerprintOf = ({ serial, sizeBytes, signatures }: Disk): string =>
    [serial, sizeBytes, ...signatures].join('|')

/** `12 GiB QEMU HARDDISK, holds ext4`: for plans and questions. */
export function diskWords({ sizeBytes, model, signatures, blank, mountpoints }: Disk): string {
    const gib = sizeBytes / 1024 ** 3
    const size = gib >= 1024 ? `${(gib / 1024).toFixed(1)} TiB` : `${gib >= 10 ? gib.toFixed(0) : gib.toFixed(1)} GiB`
    const kinds = [...new Set(signatures.map(one => one.split(' ')[0]))].join(', ')
    const holds = blank ? 'blank' : kinds ? `holds ${kinds}` : 'holds something unknown'
    const where = mountpoints.length > 0 ? `, mounted at ${mountpoints.join(', ')}` : ''
    return `${size}${model ? ` ${model}` : ''}, ${holds}${where}`
}
