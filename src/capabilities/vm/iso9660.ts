// A small ISO 9660 image with Joliet names, and the reading of one: all that a cloud-init seed needs.
import { Fault } from '../../base/fault.ts'

const SECTOR = 2048
const VOLUME_DESCRIPTOR = 1
const JOLIET_DESCRIPTOR = 2
/** UCS-2 level 3, as ECMA-119's escape sequence. */
const JOLIET_ESCAPE = [0x25, 0x2f, 0x45]
const FIRST_SECTOR = 16
const MAX_FILES = 32

export interface IsoFile {
    /** Without a path: everything is in the root folder. */
    name: string
    data: Uint8Array
}

/**
 * An image with these files in its root folder. Joliet keeps small letters, which ISO 9660 itself does not.
 * `madeMs` is the time of all files, ms since 1970.
 */
export function makeIso(files: readonly IsoFile[], options: { label: string; madeMs: number }): Uint8Array {
    const names = new Set(files.map(file => file.name))
    if (
        files.length > MAX_FILES ||
        names.size !== files.length ||
        [...names].some(name => !/^[\w.-]{1,30}$/.test(name))
    )
        throw new Fault('internal', { summary: 'Those files cannot be put into a small ISO image' })
    const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1))

    // 16 and 17 the descriptors, 18 their end, 19 to 22 path tables, 23 and 24 the two root folders, then the files.
    const root = { plain: FIRST_SECTOR + 7, joliet: FIRST_SECTOR + 8 }
    let next = FIRST_SECTOR + 9
    const placed = sorted.map(file => {
        const sector = next
        next += Math.ceil(file.data.length / SECTOR)
        return { ...file, sector }
    })
    const sectors = next
    const image = new Uint8Array(sectors * SECTOR)
    const put = (sector: number, bytes: Uint8Array) => image.set(bytes, sector * SECTOR)
    const time = recordTime(options.madeMs)

    const folder = (own: number, encode: (name: string) => Uint8Array) =>
        join([
            record(own, SECTOR, { name: Uint8Array.of(0), time, folder: true }),
            record(own, SECTOR, { name: Uint8Array.of(1), time, folder: true }),
            ...placed.map(file => record(file.sector, file.data.length, { name: encode(file.name), time })),
        ])
    const plainFolder = folder(root.plain, name => ascii(`${plainName(name)};1`))
    const jolietFolder = folder(root.joliet, ucs2)
    if (plainFolder.length > SECTOR || jolietFolder.length > SECTOR)
        throw new Fault('internal', { summary: 'Those files cannot be put into a small ISO image' })

    const shared = { sectors, label: options.label, madeMs: options.madeMs, time }
    put(FIRST_SECTOR, descriptor({ ...shared, type: VOLUME_DESCRIPTOR, root: root.plain, tables: [19, 20] }))
    put(FIRST_SECTOR + 1, descriptor({ ...shared, type: JOLIET_DESCRIPTOR, root: root.joliet, tables: [21, 22] }))
    put(FIRST_SECTOR + 2, join([Uint8Array.of(255), ascii('CD001'), Uint8Array.of(1)]))
    put(19, pathTable(root.plain, true))
    put(20, pathTable(root.plain, false))
    put(21, pathTable(root.joliet, true))
    put(22, pathTable(root.joliet, false))
    put(root.plain, plainFolder)
    put(root.joliet, jolietFolder)
    for (const file of placed) put(file.sector, file.data)
    return image
}

/** What the descriptor of an image says, from its bytes 32768 to 34816; undefined when there is none. */
export function readIsoDescriptor(sector: Uint8Array): { label: string; sizeBytes: number } | undefined {
    if (sector.length < SECTOR || sector[0] !== VOLUME_DESCRIPTOR || text(sector, 1, 5) !== 'CD001') return undefined
    const view = viewOf(sector)
    return { label: text(sector, 40, 32).trim(), sizeBytes: view.getUint32(80, true) * view.getUint16(128, true) }
}

/** Where the descriptor stands in an image. */
export const ISO_DESCRIPTOR = { offsetBytes: FIRST_SECTOR * SECTOR, lengthBytes: SECTOR } as const

/**
 * The files in the root folder of an image, by their Joliet names where it has them.
 * @throws Fault `invalid` for what is no such image, or points outside itself
 */
export function readIso(image: Uint8Array): IsoFile[] {
    const refuse = (detail: string) => new Fault('invalid', { summary: 'That is not an ISO image', detail })
    const at = (sector: number, lengthBytes: number) => {
        const from = sector * SECTOR
        if (from + lengthBytes > image.length) throw refuse('it ends too early')
        return image.subarray(from, from + lengthBytes)
    }
    let chosen: { sector: number; lengthBytes: number; joliet: boolean } | undefined
    for (let sector = FIRST_SECTOR; sector < FIRST_SECTOR + 32; sector++) {
        const bytes = at(sector, SECTOR)
        if (text(bytes, 1, 5) !== 'CD001') throw refuse('it has no descriptor')
        if (bytes[0] === 255) break
        const joliet = bytes[0] === JOLIET_DESCRIPTOR && bytes[88] === 0x25 && bytes[89] === 0x2f
        if (!joliet && (bytes[0] !== VOLUME_DESCRIPTOR || chosen)) continue
        const view = viewOf(bytes)
        chosen = { sector: view.getUint32(158, true), lengthBytes: view.getUint32(166, true), joliet }
    }
    if (!chosen) throw refuse('it has no descriptor')
    const folder = at(chosen.sector, chosen.lengthBytes)
    const view = viewOf(folder)
    const files: IsoFile[] = []
    for (let offset = 0; offset < folder.length; ) {
        const length = folder[offset]!
        if (length === 0) {
            // Records do not cross sectors.
            offset = (Math.floor(offset / SECTOR) + 1) * SECTOR
            continue
        }
        const nameLength = folder[offset + 32] ?? 0
        if (length < 34 || offset + length > folder.length || 33 + nameLength > length)
            throw refuse('a record is broken')
        const raw = folder.subarray(offset + 33, offset + 33 + nameLength)
        const isFolder = ((folder[offset + 25] ?? 0) & 2) !== 0
        if (!isFolder)
            files.push({
                name: (chosen.joliet ? fromUcs2(raw) : text(raw, 0, raw.length).toLowerCase()).replace(/\.?;1$/, ''),
                data: at(view.getUint32(offset + 2, true), view.getUint32(offset + 10, true)).slice(),
            })
        offset += length
    }
    return files
}

interface DescriptorFacts {
    type: number
    sectors: number
    label: string
    madeMs: number
    time: Uint8Array
    root: number
    /** Sectors of the path tables, little-endian first. */
    tables: readonly [number, number]
}

/** ECMA-119 8.4 and 8.5: offsets are those of its tables, less one. */
function descriptor(facts: DescriptorFacts): Uint8Array {
    const bytes = new Uint8Array(SECTOR)
    const view = viewOf(bytes)
    const joliet = facts.type === JOLIET_DESCRIPTOR
    const words = (offset: number, length: number, value: string) => {
        // Spaces, which are two bytes each in Joliet.
        for (let i = 0; i < length; i++) bytes[offset + i] = joliet && i % 2 === 0 ? 0 : 32
        if (joliet && length % 2 === 1) bytes[offset + length - 1] = 0
        bytes.set((joliet ? ucs2(value) : ascii(value)).subarray(0, length), offset)
    }
    bytes[0] = facts.type
    bytes.set(ascii('CD001'), 1)
    bytes[6] = 1
    words(8, 32, '')
    words(40, 32, facts.label)
    both32(view, 80, facts.sectors)
    if (joliet) bytes.set(JOLIET_ESCAPE, 88)
    both16(view, 120, 1)
    both16(view, 124, 1)
    both16(view, 128, SECTOR)
    both32(view, 132, 10)
    view.setUint32(140, facts.tables[0], true)
    view.setUint32(148, facts.tables[1], false)
    bytes.set(record(facts.root, SECTOR, { name: Uint8Array.of(0), time: facts.time, folder: true }), 156)
    for (const [offset, length] of [
        [190, 128],
        [318, 128],
        [446, 128],
    ] as const)
        words(offset, length, '')
    words(574, 128, 'DEBVISOR')
    for (const offset of [702, 739, 776]) words(offset, 37, '')
    const stamp = new Date(facts.madeMs).toISOString().replace(/\D/g, '').slice(0, 16)
    for (const offset of [813, 830]) bytes.set(ascii(stamp), offset)
    for (const offset of [847, 864]) bytes.set(ascii('0'.repeat(16)), offset)
    bytes[881] = 1
    return bytes
}

/** ECMA-119 9.1, without extended attributes. */
function record(
    sector: number,
    lengthBytes: number,
    facts: { name: Uint8Array; time: Uint8Array; folder?: boolean },
): Uint8Array {
    const length = 33 + facts.name.length
    const bytes = new Uint8Array(length + (length % 2))
    const view = viewOf(bytes)
    bytes[0] = bytes.length
    both32(view, 2, sector)
    both32(view, 10, lengthBytes)
    bytes.set(facts.time, 18)
    bytes[25] = facts.folder ? 2 : 0
    both16(view, 28, 1)
    bytes[32] = facts.name.length
    bytes.set(facts.name, 33)
    return bytes
}

/** ECMA-119 9.4: the root folder alone. */
function pathTable(root: number, little: boolean): Uint8Array {
    const bytes = new Uint8Array(10)
    const view = viewOf(bytes)
    bytes[0] = 1
    view.setUint32(2, root, little)
    view.setUint16(6, 1, little)
    return bytes
}

/** ECMA-119 9.1.5: years since 1900, month, day, hour, minute, second, quarter hours from UTC. */
function recordTime(ms: number): Uint8Array {
    const d = new Date(ms)
    const parts = [d.getUTCFullYear() - 1900, d.getUTCMonth() + 1, d.getUTCDate()]
    return Uint8Array.of(...parts, d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds(), 0)
}

/** The name by ISO 9660 level 2: capitals, digits and underscores, one dot. */
function plainName(name: string): string {
    const [stem = '', ...rest] = name.toUpperCase().split('.')
    const clean = (part: string) => part.replace(/[^A-Z0-9_]/g, '_')
    return `${clean(stem)}.${clean(rest.join('_'))}`
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const ascii = (value: string) => Uint8Array.from(value, char => char.charCodeAt(0))
const text = (bytes: Uint8Array, from: number, length: number) =>
    String.fromCharCode(...bytes.subarray(from, from + length))

function ucs2(value: string): Uint8Array {
    const bytes = new Uint8Array(value.length * 2)
    for (let i = 0; i < value.length; i++) viewOf(bytes).setUint16(i * 2, value.charCodeAt(i), false)
    return bytes
}

function fromUcs2(bytes: Uint8Array): string {
    let value = ''
    for (let i = 0; i + 1 < bytes.length; i += 2) value += String.fromCharCode((bytes[i]! << 8) | bytes[i + 1]!)
    return value
}

function both16(view: DataView, offset: number, value: number) {
    view.setUint16(offset, value, true)
    view.setUint16(offset + 2, value, false)
}

function both32(view: DataView, offset: number, value: number) {
    view.setUint32(offset, value, true)
    view.setUint32(offset + 4, value, false)
}

function join(parts: readonly Uint8Array[]): Uint8Array {
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let offset = 0
    for (const part of parts) {
        bytes.set(part, offset)
        offset += part.length
    }
    return bytes
}
