// What streams of the Engine carry: frames of standard output and error, and JSON values one after the other.
import { Fault } from '../../base/fault.ts'

export interface Frame {
    from: 'out' | 'err'
    data: Buffer
}

const HEADER_BYTES = 8
const STDERR = 2
/** dockerd cuts what it copies at 32 KiB; beyond this a header is no header. */
const FRAME_MAX_BYTES = 16 * 1024 * 1024
const JSON_MAX_CHARACTERS = 4 * 1024 * 1024

/** The frames of a stream without a terminal (`application/vnd.docker.multiplexed-stream`), whatever its pieces. */
export async function* frames(pieces: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
    for await (const batch of frameBatches(pieces)) yield* batch
}

/** The same, with all that came in one piece together: logs have a frame a line. */
export async function* frameBatches(pieces: AsyncIterable<Buffer>): AsyncGenerator<Frame[]> {
    let rest: Buffer = Buffer.alloc(0)
    for await (const piece of pieces) {
        rest = rest.length > 0 ? Buffer.concat([rest, piece]) : piece
        const batch: Frame[] = []
        while (rest.length >= HEADER_BYTES) {
            const length = rest.readUInt32BE(4)
            if (rest[0]! > 3 || length > FRAME_MAX_BYTES)
                throw new Fault('internal', { summary: 'Docker sent a stream that cannot be read' })
            if (rest.length < HEADER_BYTES + length) break
            const data = rest.subarray(HEADER_BYTES, HEADER_BYTES + length)
            batch.push({ from: rest[0] === STDERR ? 'err' : 'out', data })
            rest = rest.subarray(HEADER_BYTES + length)
        }
        if (batch.length > 0) yield batch
    }
}

/** The stream of a container with a terminal: all of it is output. */
export async function* plainBatches(pieces: AsyncIterable<Buffer>): AsyncGenerator<Frame[]> {
    for await (const data of pieces) yield [{ from: 'out', data }]
}

/** JSON values that stand one a line. */
export async function* jsonLines<T>(pieces: AsyncIterable<Buffer>): AsyncGenerator<T> {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const piece of pieces) {
        const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
        rest = lines.pop()!
        if (rest.length > JSON_MAX_CHARACTERS)
            throw new Fault('internal', { summary: 'Docker sent a stream that cannot be read' })
        for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as T
    }
    if (rest.trim() !== '') yield JSON.parse(rest) as T
}
