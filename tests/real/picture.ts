// Reads a screenshot as far as the tests need it: its size, and how many colours it has.
import { inflateSync } from 'node:zlib'

const SIGNATURE = '89504e470d0a1a0a'

/** @param png 8 bits a channel, not interlaced (PNG specification, 11.2.2). Throws for anything else. */
export function readPicture(png: Buffer): { width: number; height: number; colours: number } {
    if (png.subarray(0, 8).toString('hex') !== SIGNATURE) throw new Error('no PNG')
    const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)]
    const [depth, type, , , interlaced] = png.subarray(24, 29)
    const pixelBytes = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[type!]
    if (depth !== 8 || !pixelBytes || interlaced) throw new Error(`PNG of depth ${depth}, type ${type}`)
    const parts: Buffer[] = []
    for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12)
        if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
            parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
    const raw = inflateSync(Buffer.concat(parts))
    const rowBytes = width * pixelBytes
    if (raw.length !== (rowBytes + 1) * height) throw new Error(`${raw.length} bytes for ${width} by ${height}`)
    const colours = new Set<string>()
    let above = Buffer.alloc(rowBytes)
    for (let y = 0; y < height; y++) {
        const filter = raw[y * (rowBytes + 1)]!
        const row = Buffer.from(raw.subarray(y * (rowBytes + 1) + 1, (y + 1) * (rowBytes + 1)))
        for (let x = 0; x < rowBytes; x++) {
            const left = x < pixelBytes ? 0 : row[x - pixelBytes]!
            const corner = x < pixelBytes ? 0 : above[x - pixelBytes]!
            row[x] = row[x]! + predicted(filter, left, above[x]!, corner)
        }
        for (let x = 0; x < rowBytes; x += pixelBytes) colours.add(row.toString('hex', x, x + pixelBytes))
        above = row
    }
    return { width, height, colours: colours.size }
}

/** What the filter of a row takes away from each byte (PNG specification, 9.2). */
function predicted(filter: number, left: number, above: number, corner: number): number {
    if (filter === 1) return left
    if (filter === 2) return above
    if (filter === 3) return (left + above) >> 1
    if (filter !== 4) return 0
    const guess = left + above - corner
    const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)]
    if (a <= b && a <= c) return left
    return b <= c ? above : corner
}
