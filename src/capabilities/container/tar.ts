// The little of tar that carries one file: a header to write before its bytes, and the first entry of what is read.
import { Fault } from '../../base/fault.ts'

export const BLOCK_BYTES = 512
/** Beyond it a plain header has no room for the size; the Engine's own limit is higher. */
export const FILE_MAX_BYTES = 8 * 1024 ** 3 - 1

export interface TarFile {
    name: string
    sizeBytes: number
    mode: number
    modifiedMs: number
}

/** What stands before the bytes of a file; a name that is long or not ASCII has a header of its own (pax). */
export function tarHead({ name, sizeBytes, mode, modifiedMs }: TarFile): Buffer {
    const plain = /^[\x20-\x7e]{1,100}$/.test(name)
    const head = header({ name: plain ? name : 'file', sizeBytes, mode, modifiedMs, type: '0' })
    if (plain) return head
    const record = paxRecord('path', name)
    const pax = header({ name: 'pax', sizeBytes: record.length, mode: 0o644, modifiedMs, type: 'x' })
    return Buffer.concat([pax, record, Buffer.alloc(paddingOf(record.length)), head])
}

/** What stands after the bytes of the last file. */
export const tarTail = (sizeBytes: number): Buffer => Buffer.alloc(paddingOf(sizeBytes) + 2 * BLOCK_BYTES)

export const paddingOf = (sizeBytes: number): number => (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES

function header(file: TarFile & { type: string }): Buffer {
    const block = Buffer.alloc(BLOCK_BYTES)
    const octal = (value: number, digits: number) => `${Math.floor(value).toString(8).padStart(digits, '0')}\0`
    block.write(file.name, 0, 100, 'latin1')
    block.write(octal(file.mode & 0o7777, 7), 100)
    block.write(octal(0, 7), 108)
    block.write(octal(0, 7), 116)
    block.write(octal(file.sizeBytes, 11), 124)
    block.write(octal(file.modifiedMs / 1000, 11), 136)
    block.write('        ', 148)
    block.write(file.type, 156)
    block.write('ustar\x0000', 257, 'latin1')
    const sum = block.reduce((all, byte) => all + byte, 0)
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    return block
}

/** `length key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
    const rest = Buffer.byteLength(` ${key}=${value}\n`)
    let length = rest + String(rest).length
    if (String(length).length > String(rest).length) length = rest + String(length).length
    return Buffer.from(`${length} ${key}=${value}\n`)
}

/** The bytes of the first plain file of a tar, as they come. @throws Fault `precondition` where there is none */
export async function* firstFile(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let rest: Buffer = Buffer.alloc(0)
    let skip = 0
    let left = -1
    for await (const piece of pieces) {
        rest = rest.length > 0 ? Buffer.concat([rest, piece]) : piece
        while (rest.length > 0) {
            if (left > 0) {
                const part = rest.subarray(0, left)
                left -= part.length
                rest = rest.subarray(part.length)
                yield part
                if (left === 0) return
                continue
            }
            if (skip > 0) {
                const part = Math.min(skip, rest.length)
                skip -= part
                rest = rest.subarray(part)
                continue
            }
            if (rest.length < BLOCK_BYTES) break
            const { type, sizeBytes } = headerOf(rest)
            rest = rest.subarray(BLOCK_BYTES)
            if (type === '0') {
                if (sizeBytes === 0) return
                left = sizeBytes
            } else if (/[xgLK]/.test(type)) skip = sizeBytes + paddingOf(sizeBytes)
            else throw noFile()
        }
    }
    throw noFile()
}

function headerOf(block: Buffer): { type: string; sizeBytes: number } {
    const type = String.fromCharCode(block[156]!)
    const size = block.subarray(124, 136)
    // Sizes beyond 8 GiB are written in base 256.
    const sizeBytes =
        (size[0]! & 0x80) !== 0 ? Number(size.readBigUInt64BE(4)) : Number.parseInt(size.toString('latin1'), 8)
    if (!Number.isSafeInteger(sizeBytes)) throw noFile()
    return { type: type === '\0' ? '0' : type, sizeBytes }
}

const noFile = () =>
    new Fault('precondition', {
        summary: 'That is not a plain file',
        fix: 'Name a file or a folder; of a link, what it points to.',
    })
