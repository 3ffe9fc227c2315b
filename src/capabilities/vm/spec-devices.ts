// What disks, ISO files and NICs of a request must satisfy, as far as the request alone can tell.
import type { Finding } from '../../base/finding.ts'
import { checkName } from '../../base/ids.ts'
import { caught, finding } from './spec-finding.ts'

/** 0: no limit. */
export interface LimitsWant {
    readIops: number
    writeIops: number
    readBytesPerSecond: number
    writeBytesPerSecond: number
}

export interface DiskWant {
    /** 0 with `from`: as large as the source. */
    sizeBytes: number
    /** `pool/volume`; empty: an empty disk. */
    from: string
    linked: boolean
    /** `pool/volume` to be used as it is. */
    existing: string
    /** Empty: the default pool. */
    pool: string
    bus: string
    /** Empty: what the pool is best at. */
    format: string
    cache: string
    discard: boolean
    limits: LimitsWant
}

export interface NicWant {
    network: string
    bridge: string
    model: string
    /** Lower case; empty: one is made up. */
    mac: string
    vlan: number
}

const BUSES = ['virtio', 'scsi', 'sata']
const FORMATS = ['', 'qcow2', 'raw']
const CACHES = ['', 'none', 'writeback', 'writethrough', 'directsync', 'unsafe']
const NIC_MODELS = ['virtio', 'e1000e', 'e1000', 'rtl8139', 'vmxnet3']
const REF = /^[^/\u0000-\u001f\u007f<>"'&\\]{1,128}\/[^/\u0000-\u001f\u007f<>"'&\\]{1,255}$/
/** Linux' own limit for the name of an interface. */
const BRIDGE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/
const MAX_SIZE_BYTES = 2 ** 53 - 1
/** First libvirt that can put a NIC on a plain Linux bridge into a VLAN (its NEWS, 11.0.0). */
const VLAN_VERSION = 11_000_000

type Words = Pick<Finding, 'summary' | 'detail' | 'fix'>
const shown = (text: string) => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)

/** True for `pool/volume` with names that libvirt can hold. */
export const isVolumeRef = (ref: string): boolean => REF.test(ref) && !ref.split('/').some(p => p === '.' || p === '..')

/** Disks as the request has them. */
export function checkDisks(disks: readonly DiskWant[], os: string, isoCount: number): Finding[] {
    const found = disks.flatMap((disk, i) => checkDisk(disk, `disks[${i}]`))
    const sources = disks.map(disk => disk.existing).filter(Boolean)
    const twice = sources.find((source, i) => sources.indexOf(source) !== i)
    if (twice !== undefined)
        found.push(
            finding('error', 'disk-twice', {
                at: `disks[${disks.findLastIndex(disk => disk.existing === twice)}].existing`,
                summary: 'One volume cannot be two disks of a VM',
                detail: shown(twice),
                fix: 'Name it once.',
            }),
        )
    if (disks.length > 24)
        found.push(
            finding('error', 'disks-many', {
                at: 'disks',
                summary: 'A VM is made with at most 24 disks',
                detail: `${disks.length} are given`,
                fix: 'Give fewer, and attach more later.',
            }),
        )
    if (os === 'windows' && isoCount === 1 && disks.some(disk => disk.bus !== 'sata'))
        found.push(
            finding('warning', 'windows-drivers', {
                at: 'isos',
                summary: 'Windows Setup does not see such disks without their driver',
                detail: 'only one ISO is given',
                fix: 'Give the virtio-win ISO as the second, or take the bus sata.',
            }),
        )
    return found
}

/** One disk as the request has it, also for one that is attached to a VM that exists. */
export function checkDisk(disk: DiskWant, at: string): Finding[] {
    const found: Finding[] = []
    const error = (code: string, field: string, words: Words) =>
        found.push(finding('error', code, { at: `${at}.${field}`, ...words }))
    const oneOf = (field: 'bus' | 'format' | 'cache', allowed: readonly string[]) => {
        if (allowed.includes(disk[field])) return
        const words = allowed.filter(Boolean).join(', ')
        error(`disk-${field}`, field, {
            summary: 'A disk cannot have that',
            detail: shown(disk[field]),
            fix: `Take one of ${words}.`,
        })
    }
    const ref = (field: 'from' | 'existing') => {
        if (disk[field] === '' || isVolumeRef(disk[field])) return
        error('volume-ref', field, badRef(disk[field]))
    }
    oneOf('bus', BUSES)
    oneOf('format', FORMATS)
    oneOf('cache', CACHES)
    ref('from')
    ref('existing')
    if (disk.pool !== '') found.push(...caught('name-invalid', () => checkName(disk.pool, `${at}.pool`)))
    if (disk.existing !== '' && (disk.from !== '' || disk.sizeBytes !== 0 || disk.pool !== '' || disk.format !== ''))
        error('disk-mixed', 'existing', {
            summary: 'A volume that exists is used as it is',
            detail: 'size, source, pool or format are given as well',
            fix: 'Give `existing` alone, or `from` to make a copy.',
        })
    if (disk.linked && disk.from === '')
        error('linked-from', 'linked', {
            summary: 'A linked disk needs an image to stand on',
            detail: '`from` is empty',
            fix: 'Give `from`, or leave `linked` out.',
        })
    if (disk.linked && disk.format === 'raw')
        error('linked-raw', 'format', {
            summary: 'A raw disk cannot stand on an image',
            detail: '`linked` with the format raw',
            fix: 'Take qcow2, or leave `linked` out.',
        })
    const sized = Number.isSafeInteger(disk.sizeBytes) && disk.sizeBytes >= 0 && disk.sizeBytes <= MAX_SIZE_BYTES
    const needed = disk.existing === '' && disk.from === ''
    if (!sized || (needed && disk.sizeBytes < 512))
        error('disk-size', 'size', {
            summary: 'A disk cannot have that size',
            detail: `${disk.sizeBytes} bytes`,
            fix: 'Give a size above zero, such as 20GiB.',
        })
    for (const [key, value] of Object.entries(disk.limits))
        if (!Number.isSafeInteger(value) || value < 0)
            error('disk-limit', `limits.${key}`, {
                summary: 'A limit must be a whole number, 0 for none',
                detail: String(value),
                fix: 'Give a number of operations or bytes a second.',
            })
    return found
}

/** References to ISO files: what they look like; whether they exist is asked later. */
export function checkIsos(isos: readonly string[]): Finding[] {
    const found = isos.flatMap((iso, i) =>
        isVolumeRef(iso) ? [] : [finding('error', 'volume-ref', { at: `isos[${i}]`, ...badRef(iso) })],
    )
    if (isos.length > 3)
        found.push(
            finding('error', 'isos-many', {
                at: 'isos',
                summary: 'A VM has at most three ISO files',
                detail: `${isos.length} are given`,
                fix: 'Give fewer, and change the medium later.',
            }),
        )
    return found
}

const badRef = (ref: string): Words => ({
    summary: 'That is not the name of a volume',
    detail: shown(ref),
    fix: 'Write pool/volume, such as default/debian-13.iso; `debvisor image list` shows them.',
})

/** NICs as the request has them. */
export function checkNics(
    nics: readonly NicWant[],
    libvirtVersion: number,
    owner: (mac: string) => string | undefined,
): Finding[] {
    const found = nics.flatMap((nic, i) => checkNic(nic, `nics[${i}]`, { libvirtVersion, owner }))
    nics.forEach((nic, i) => {
        if (nic.mac === '' || nics.findIndex(other => other.mac === nic.mac) === i) return
        found.push(
            finding('error', 'mac-twice', {
                at: `nics[${i}].mac`,
                summary: 'Two NICs cannot have one MAC',
                detail: nic.mac,
                fix: 'Leave it out, and one is made up.',
            }),
        )
    })
    if (nics.length > 16)
        found.push(
            finding('error', 'nics-many', {
                at: 'nics',
                summary: 'A VM is made with at most 16 NICs',
                detail: `${nics.length} are given`,
                fix: 'Give fewer.',
            }),
        )
    return found
}

/** One NIC as the request has it, also for one that is attached to a VM that exists. */
export function checkNic(
    nic: NicWant,
    at: string,
    known: { libvirtVersion: number; owner: (mac: string) => string | undefined },
): Finding[] {
    const found: Finding[] = []
    const error = (code: string, field: string, words: Words) =>
        found.push(finding('error', code, { at: `${at}.${field}`, ...words }))
    if (nic.network !== '' && nic.bridge !== '')
        error('nic-both', 'bridge', {
            summary: 'A NIC is on a network or on a bridge',
            detail: `${shown(nic.network)} and ${shown(nic.bridge)}`,
            fix: 'Give one of them.',
        })
    if (nic.network !== '') found.push(...caught('name-invalid', () => checkName(nic.network, `${at}.network`)))
    if (nic.bridge !== '' && !BRIDGE.test(nic.bridge))
        error('bridge-name', 'bridge', {
            summary: 'A bridge cannot have that name',
            detail: shown(nic.bridge),
            fix: 'Take 1 to 15 letters, digits, dots, dashes or underscores.',
        })
    if (!NIC_MODELS.includes(nic.model))
        error('nic-model', 'model', {
            summary: 'There is no such model of NIC',
            detail: shown(nic.model),
            fix: `Take one of ${NIC_MODELS.join(', ')}.`,
        })
    if (!Number.isInteger(nic.vlan) || nic.vlan < 0 || nic.vlan > 4094)
        error('vlan-range', 'vlan', {
            summary: 'There is no such VLAN',
            detail: String(nic.vlan),
            fix: 'Give 1 to 4094, or 0 for none.',
        })
    else if (nic.vlan > 0 && known.libvirtVersion < VLAN_VERSION)
        error('host-cannot', 'vlan', {
            summary: 'The libvirt of this node cannot put a NIC into a VLAN',
            detail: 'it needs libvirt 11.0, that is: Debian 13',
            fix: 'Take a bridge that is in the VLAN, or a node on Debian 13.',
        })
    if (nic.mac !== '') found.push(...checkMac(nic.mac, `${at}.mac`, known.owner))
    return found
}

/** A MAC in lower case: six bytes, of one station, not all zero, and nobody's yet. */
export function checkMac(mac: string, at: string, owner: (mac: string) => string | undefined): Finding[] {
    if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) || mac === '00:00:00:00:00:00')
        return [
            finding('error', 'mac-format', {
                at,
                summary: 'That is not a MAC',
                detail: shown(mac),
                fix: 'Write six bytes such as 52:54:00:12:34:56, or leave it out.',
            }),
        ]
    if (Number.parseInt(mac.slice(0, 2), 16) & 1)
        return [
            finding('error', 'mac-multicast', {
                at,
                summary: 'That MAC is of a group, not of a station',
                detail: mac,
                fix: 'Make the first byte even, such as 52.',
            }),
        ]
    const other = owner(mac)
    if (other === undefined) return []
    return [
        finding('error', 'mac-taken', {
            at,
            summary: 'Another VM has that MAC',
            detail: `${mac} of ${other}`,
            fix: 'Leave it out, and one is made up.',
        }),
    ]
}
