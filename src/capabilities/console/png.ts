// A screenshot as PNG: older libvirt gives PPM, browsers want PNG.
import { promisify } from 'node:util'
import { deflate, crc32 as nodeCrc32 } from 'node:zlib'
import { Fault } from '../../base/fault.ts'

export interface Picture {
    png: Uint8Array
    width: number
    height: number
}

/** Of a display of 4096 by 4096 points: the guest chooses the size. */
const SCREEN_MAX_BYTES = 50_331_700

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/** What libvirt gives as a screenshot, PNG or PPM, as PNG. @throws Fault `internal` for anything else */
export async function pictureOf(data: Buffer): Promise<Picture> {
    if (!data.subarray(0, 8).equals(SIGNATURE) || data.length < 24) return pngFromPpm(data)
    return { png: data, width: data.readUInt32BE(16), height: data.readUInt32BE(20) }
}

/** @param ppm a binary PPM (P6, 8 bits a channel). @throws Fault `internal` for anything else */
export async function pngFromPpm(ppm: Buffer): Promise<Picture> {
    const header = /^P6\s+(?:#[^\n]*\n\s*)*(\d+)\s+(\d+)\s+255\s/.exec(ppm.subarray(0, 200).toString('latin1'))
    const [width, height] = [Number(header?.[1]), Number(header?.[2])]
    const rowBytes = width * 3
    const pixels = ppm.subarray(header?.[0].length ?? 0)
    if (!header || pixels.length < rowBytes * height || ppm.length > SCREEN_MAX_BYTES) {
        throw new Fault('internal', { summary: 'The screenshot is not a picture that DebVisor knows' })
    }
    const raw = Buffer.alloc((rowBytes + 1) * height)
    for (let y = 0; y < height; y++) pixels.copy(raw, y * (rowBytes + 1) + 1, y * rowBytes, (y + 1) * rowBytes)
    const size = Buffer.alloc(13)
    size.writeUInt32BE(width, 0)
    size.writeUInt32BE(height, 4)
    // 8 bits, colour type 2 (RGB), and the only methods that PNG has for the rest (PNG specification, 11.2.2).
    size.set([8, 2, 0, 0, 0], 8)
    const chunks = [
        chunk('IHDR', size),
        chunk('IDAT', await promisify(deflate)(raw, { level: 1 })),
        chunk('IEND', Buffer.alloc(0)),
    ]
    return { png: Buffer.concat([SIGNATURE, ...chunks]), width, height }
}

function chunk(type: string, data: Buffer): Buffer {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    const length = Buffer.alloc(4)
    length.writeUInt32BE(data.length)
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, sum])
}

// zlib.crc32 came with Node 20.15.
const crc32 = (data: Buffer): number => nodeCrc32(data) >>> 0
