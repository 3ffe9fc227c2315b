// Formats of disk images: what their first bytes say, what a name's ending says, and what in a header is refused.
import { Fault } from '../../base/fault.ts'

/** What can be read from outside, and what can be made. */
export const FORMATS = ['qcow2', 'raw', 'iso', 'vmdk', 'vdi', 'vhdx', 'vpc'] as const
export type Format = (typeof FORMATS)[number]

export const isFormat = (text: unknown): text is Format => FORMATS.some(f => f === text)

/** How many bytes from the start `sniff` and `checkHeader` want. */
export const HEAD_BYTES = 1024 * 1024

const ENDINGS: Record<string, Format> = {
    qcow2: 'qcow2',
    qcow: 'qcow2',
    raw: 'raw',
    img: 'raw',
    iso: 'iso',
    vmdk: 'vmdk',
    vdi: 'vdi',
    vhdx: 'vhdx',
    vhd: 'vpc',
    vpc: 'vpc',
}

const endingOf = (name: string): string => /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? ''

/** True where the ending of a name tells a format. */
export const hasEnding = (name: string): boolean => Object.hasOwn(ENDINGS, endingOf(name))

/** The format that was named, or the one of the name's ending. @throws Fault `invalid` */
export function formatOf(given: string, name: string, at = 'format'): Format {
    if (given !== '') {
        const found = FORMATS.find(f => f === given)
        if (found) return found
        throw new Fault('invalid', {
            summary: 'That image format is not known',
            detail: JSON.stringify(given.slice(0, 40)),
            fix: `Use one of ${FORMATS.join(', ')}.`,
            at,
        })
    }
    const found = hasEnding(name) ? ENDINGS[endingOf(name)] : undefined
    if (found) return found
    throw new Fault('invalid', {
        summary: 'The format of the image is not said, and its name does not tell it',
        detail: JSON.stringify(name.slice(0, 80)),
        fix: `Name the format: one of ${FORMATS.join(', ')}. It is never guessed from the content.`,
        at,
    })
}

/** What the image is kept as: itself for qcow2, raw and iso, else qcow2, unless told otherwise. */
export function keptAs(given: string, format: Format): Format {
    if (given !== '') return formatOf(given, '', 'keep_as')
    return format === 'qcow2' || format === 'raw' || format === 'iso' ? format : 'qcow2'
}

/** qemu-img knows no 'iso': it is raw. */
export const toolFormat = (format: string): string => (format === 'iso' ? 'raw' : format)

const starts = (head: Uint8Array, text: string, at = 0) =>
    head.length >= at + text.length && Buffer.from(head.subarray(at, at + text.length)).toString('latin1') === text

/** The format that the magic numbers name, 'raw' where they name none. The tail is for VHD images of fixed size. */
export function sniff(head: Uint8Array, tail: Uint8Array = new Uint8Array()): string {
    if (starts(head, 'QFI\xfb')) return 'qcow2'
    if (starts(head, 'KDMV') || starts(head, 'COWD') || /^\s*# Disk DescriptorFile/.test(latin(head, 64))) return 'vmdk'
    if (starts(head, '\x7f\x10\xda\xbe', 64)) return 'vdi'
    if (starts(head, 'vhdxfile')) return 'vhdx'
    if (starts(head, 'conectix')) return 'vpc'
    if (starts(head, 'QED\0')) return 'qed'
    if (starts(head, 'LUKS\xba\xbe')) return 'luks'
    if (starts(head, 'WithoutFreeSpace') || starts(head, 'WithouFreSpacExt')) return 'parallels'
    if (starts(head, 'CD001', 32769)) return 'iso'
    // A fixed VHD has only a footer: raw bytes in all else.
    if (starts(tail.subarray(Math.max(0, tail.length - 512)), 'conectix')) return 'vpc'
    return 'raw'
}

const latin = (bytes: Uint8Array, length: number) => Buffer.from(bytes.subarray(0, length)).toString('latin1')

const refused = (summary: string, detail: string, fix: string) =>
    new Fault('denied', { summary, detail, fix, at: 'source' })

const mismatch = (declared: string, found: string) =>
    new Fault('invalid', {
        summary: 'The image is not of the format that was declared',
        detail: `declared ${declared}, but its first bytes are those of ${found}`,
        fix: `Declare the format ${found}, if that is what it is; an image whose format is not what it claims is not taken.`,
        at: 'format',
    })

const outside = (detail: string) =>
    refused(
        'The image refers to other files, which is refused',
        detail,
        'Make it self-contained where it was made (qemu-img convert, or export it whole), then try again.',
    )

/**
 * Refuses, before any tool opens it, an image that is not what it was declared as, or whose header refers to other
 * files. `head` is the first HEAD_BYTES (or less, for a shorter file), `tail` its last 512 bytes.
 * @throws Fault `invalid` or `denied`
 */
export function checkHeader(declared: Format, bytes: { head: Uint8Array; tail: Uint8Array; sizeBytes: number }): void {
    const found = sniff(bytes.head, bytes.tail)
    // An ISO file may be declared raw; a hybrid ISO is both.
    if (found !== declared && !(declared === 'raw' && found === 'iso')) throw mismatch(declared, found)
    const head = Buffer.from(bytes.head)
    if (declared === 'qcow2') checkQcow2(head, bytes.sizeBytes)
    if (declared === 'vmdk') checkVmdk(head)
    if (declared === 'vpc') checkVpc(head)
    if (declared === 'vdi') checkVdi(head)
    if (declared === 'iso') checkIso(head, bytes.sizeBytes)
}

/** docs/interop/qcow2.txt of QEMU: version, backing file, incompatible features. */
function checkQcow2(head: Buffer, sizeBytes: number): void {
    if (head.length < 72) throw truncated(`${sizeBytes} bytes are less than a header`)
    const version = head.readUInt32BE(4)
    if (version !== 2 && version !== 3)
        throw refused('The image has an unknown version', `qcow2 version ${version}`, 'Convert it where it was made.')
    const { backing, dataFile } = qcow2References(head)
    if (backing !== undefined) throw outside('the qcow2 header names a backing file')
    if (head.readUInt32BE(32) !== 0) {
        throw refused(
            'The image is encrypted, which is not supported',
            'qcow2 encryption',
            'Convert it to an unencrypted image first.',
        )
    }
    if (version < 3) return
    if (head.length < 104) throw truncated(`${sizeBytes} bytes are less than a header`)
    if (dataFile) throw outside('the qcow2 header names an external data file')
    if (head.readBigUInt64BE(72) & 2n)
        throw refused(
            'The image is marked corrupt',
            'the qcow2 corrupt bit is set',
            'Repair it with qemu-img check -r all, then try again.',
        )
}

/**
 * The other files that a qcow2 header names: the backing file as it is written there, and whether it has its data in
 * another file. A name that lies outside of `bytes` is answered as empty.
 */
export function qcow2References(bytes: Uint8Array): { backing?: string; dataFile: boolean } {
    const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const at = head.readBigUInt64BE(8)
    const end = at + BigInt(head.readUInt32BE(16))
    const backing = end <= BigInt(head.length) ? head.toString('utf8', Number(at), Number(end)) : ''
    return { ...(at === 0n ? {} : { backing }), dataFile: hasDataFile(head) }
}

function hasDataFile(head: Buffer): boolean {
    if (head.readUInt32BE(4) < 3 || head.length < 104) return false
    if (head.readBigUInt64BE(72) & 4n) return true
    // The extensions too: the data file's name may stand there without the bit.
    const headerBytes = head.readUInt32BE(100)
    for (let at = headerBytes; at + 8 <= head.length && at < 64 * 1024; ) {
        const type = head.readUInt32BE(at)
        if (type === 0) break
        if (type === 0x44415441) return true
        at += 8 + Math.ceil(head.readUInt32BE(at + 4) / 8) * 8
    }
    return false
}

/** VMware's Virtual Disk Format 1.1: only one sparse extent, with its descriptor inside. */
function checkVmdk(head: Buffer): void {
    if (!starts(head, 'KDMV')) throw outside('a VMDK descriptor names its extents in other files')
    if (head.length < 512) throw truncated('less than a VMDK header')
    const at = Number(head.readBigUInt64LE(28)) * 512
    const length = Number(head.readBigUInt64LE(36)) * 512
    if (at === 0 || length === 0) throw outside('the VMDK has no descriptor of its own')
    if (at + length > head.length) throw truncated('the VMDK descriptor lies outside the first MiB')
    const text = head.toString('latin1', at, at + length).split('\0')[0]!
    const parent = /^\s*parentCID\s*=\s*([0-9a-f]+)/im.exec(text)?.[1]
    if (/^\s*parentFileNameHint/im.test(text) || (parent && parent.toLowerCase() !== 'ffffffff')) {
        throw outside('the VMDK names a parent image')
    }
    const extents = text.split('\n').filter(line => /^\s*(RW|RDONLY|NOACCESS)\s/i.test(line))
    if (extents.length > 1 || extents.some(line => !/\sSPARSE\s+"[^"/\\]*"/i.test(line))) {
        throw outside('the VMDK has extents in other files or devices')
    }
}

/** Microsoft's VHD specification: disk type 4 is differencing. */
function checkVpc(head: Buffer): void {
    if (starts(head, 'conectix') && head.length >= 64 && head.readUInt32BE(60) === 4)
        throw outside('the VHD names a parent image')
}

/** VDI header: image type 4 (differencing) at 0x4c. */
function checkVdi(head: Buffer): void {
    if (head.length < 0x50) throw truncated('less than a VDI header')
    const type = head.readUInt32LE(0x4c)
    if (type !== 1 && type !== 2) throw outside(`the VDI is of type ${type}, which stands on another image`)
}

/** ECMA-119: the size of the volume in blocks, and the size of a block, in the primary descriptor. */
function checkIso(head: Buffer, sizeBytes: number): void {
    const declaredBytes = isoSizeBytes(head)
    if (declaredBytes !== undefined && declaredBytes > sizeBytes) {
        throw truncated(`the ISO says it has ${declaredBytes} bytes, the file has ${sizeBytes}`)
    }
}

/** The size that an ISO 9660 file system claims, from the first 34 KiB; undefined where there is none. */
export function isoSizeBytes(head: Uint8Array): number | undefined {
    const bytes = Buffer.from(head)
    if (!starts(bytes, '\x01CD001', 32768) || bytes.length < 32768 + 132) return undefined
    return bytes.readUInt32LE(32768 + 80) * bytes.readUInt16LE(32768 + 128)
}

export const truncated = (detail: string): Fault =>
    new Fault('invalid', {
        summary: 'The image is cut short',
        detail,
        fix: 'Transfer it again, and give its checksum so that this is noticed at once.',
        at: 'source',
    })
