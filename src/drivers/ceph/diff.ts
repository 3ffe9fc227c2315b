// Ceph's stream of an image's content, "rbd diff v1": only what is there, so that holes stay holes. (Ceph, dev/rbd-diff)
import { Fault } from '../../base/fault.ts'
import { isHole, type Piece, sizeOf } from '../../base/pieces.ts'

const HEADER = Buffer.from('rbd diff v1\n')
const [TO, FROM, SIZE, DATA, ZERO, END] = ['t', 'f', 's', 'w', 'z', 'e'].map(tag => tag.charCodeAt(0)) as number[]

function record(tag: number, ...numbers: number[]): Uint8Array {
    const out = Buffer.alloc(1 + 8 * numbers.length)
    out[0] = tag
    numbers.forEach((number, i) => void out.writeBigUInt64LE(BigInt(number), 1 + 8 * i))
    return out
}

/** What `rbd import-diff` reads: the pieces, one after the other from the image's beginning. */
export async function* encodeDiff(pieces: AsyncIterable<Piece>): AsyncGenerator<Uint8Array> {
    yield HEADER
    let atBytes = 0
    for await (const piece of pieces) {
        const lengthBytes = sizeOf(piece)
        if (lengthBytes === 0) continue
        yield record(isHole(piece) ? ZERO! : DATA!, atBytes, lengthBytes)
        if (!isHole(piece)) yield piece
        atBytes += lengthBytes
    }
    yield Buffer.from([END!])
}

/**
 * The content of an image from what `rbd export-diff` says, in the image's order; what is not said is a hole, up to the
 * image's end. @throws Fault `unavailable` when it is cut off or something else
 */
export async function* decodeDiff(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Piece> {
    const read = reader(bytes)
    if (!(await read.exactly(HEADER.length)).equals(HEADER)) throw broken('it begins with other words')
    let [atBytes, sizeBytes] = [0, 0]
    const number = async () => Number((await read.exactly(8)).readBigUInt64LE())
    for (;;) {
        const [tag] = await read.exactly(1)
        if (tag === END) break
        if (tag === SIZE) sizeBytes = await number()
        else if (tag === TO || tag === FROM) await read.exactly((await read.exactly(4)).readUInt32LE())
        else if (tag === DATA || tag === ZERO) {
            const [startBytes, lengthBytes] = [await number(), await number()]
            if (startBytes < atBytes) throw broken('its parts are not in order')
            if (startBytes > atBytes) yield { holeBytes: startBytes - atBytes }
            if (tag === DATA) yield* read.some(lengthBytes)
            else if (lengthBytes > 0) yield { holeBytes: lengthBytes }
            atBytes = startBytes + lengthBytes
        } else throw broken(`it has a record of the kind ${JSON.stringify(String.fromCharCode(tag!))}`)
    }
    if (sizeBytes > atBytes) yield { holeBytes: sizeBytes - atBytes }
}

const broken = (detail: string): Fault =>
    new Fault('unavailable', {
        summary: 'What Ceph says of an image cannot be read',
        detail,
        fix: 'See that the cluster answers (ceph status), then try again.',
    })

/** Takes from a stream just as much as is asked for. */
function reader(bytes: AsyncIterable<Uint8Array>) {
    const chunks = bytes[Symbol.asyncIterator]()
    let rest: Uint8Array = new Uint8Array()
    async function more(): Promise<void> {
        const { done, value } = await chunks.next()
        if (done) throw broken('it ends in the middle')
        rest = value
    }
    const take = (most: number): Uint8Array => {
        const part = rest.subarray(0, most)
        rest = rest.subarray(part.length)
        return part
    }
    async function* some(lengthBytes: number): AsyncGenerator<Uint8Array> {
        for (let left = lengthBytes; left > 0; ) {
            if (rest.length === 0) await more()
            const part = take(left)
            if (part.length > 0) yield part
            left -= part.length
        }
    }
    return {
        some,
        async exactly(lengthBytes: number): Promise<Buffer> {
            const parts: Uint8Array[] = []
            for await (const part of some(lengthBytes)) parts.push(part)
            return Buffer.concat(parts)
        },
    }
}
