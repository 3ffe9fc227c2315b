// The lines of a log file as bytes: forwards with bounded memory, or from the end.
import type { Probe, System } from '../../ports/ports.ts'

const NEWLINE = 0x0a
const BLOCK_BYTES = 64 * 1024
/** No record is this long; what is, is cut, and so is no record. */
export const LINE_BYTES = 1 << 20

export interface Line {
    bytes: Buffer
    /** False for what stands behind the last newline. */
    ended: boolean
}

/** Lines from the first on, of the first `lengthBytes` of the file. Empty ones are left out. */
export async function* readForwards(system: System, path: string, lengthBytes?: number): AsyncGenerator<Line> {
    let rest = Buffer.alloc(0)
    for await (const chunk of system.readStream(path, 0, lengthBytes)) {
        let begin = 0
        for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, begin)) {
            const bytes = Buffer.concat([rest, chunk.subarray(begin, end)])
            rest = Buffer.alloc(0)
            begin = end + 1
            if (bytes.length > 0) yield { bytes, ended: true }
        }
        if (rest.length < LINE_BYTES) rest = Buffer.concat([rest, chunk.subarray(begin)])
    }
    if (rest.length > 0) yield { bytes: rest, ended: false }
}

/** Lines from the last to the first, with the bytes at which each begins. Empty ones are left out. */
export async function* readBackwards(system: Probe, path: string): AsyncGenerator<Line & { atBytes: number }> {
    let end = (await system.look(path))?.sizeBytes ?? 0
    let tail: Buffer[] = []
    let ended = false
    const take = (atBytes: number) => {
        const bytes = tail.length === 1 ? tail[0]! : Buffer.concat(tail)
        tail = []
        return { bytes, ended, atBytes }
    }
    while (end > 0) {
        const begin = Math.max(0, end - BLOCK_BYTES)
        const block = Buffer.from(await system.readRange(path, begin, end - begin))
        let upTo = block.length
        for (let at = block.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : block.lastIndexOf(NEWLINE, at - 1)) {
            tail.unshift(block.subarray(at + 1, upTo))
            const line = take(begin + at + 1)
            if (line.bytes.length > 0) yield line
            ended = true
            upTo = at
        }
        tail.unshift(block.subarray(0, upTo))
        end = begin
    }
    const first = take(0)
    if (first.bytes.length > 0) yield first
}
