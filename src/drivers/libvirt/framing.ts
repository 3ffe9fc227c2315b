// Frames of libvirt's RPC: a length word, six header words, a payload; cut out of a byte stream and put together.

/** What kind of message a frame is. */
export const KIND = { call: 0, reply: 1, message: 2, stream: 3, hole: 6 } as const
/** How a call or stream stands. */
export const STATUS = { ok: 0, error: 1, continue: 2 } as const

export const HEADER_BYTES = 28
const MAX_BYTES = 33_554_432 + 4

export interface Header {
    program: number
    procedure: number
    kind: number
    serial: number
    status: number
}

export interface Frame extends Header {
    payload: Buffer
}

/** The 28 bytes that stand before a payload of the given length. */
export function packHeader(header: Header, payloadBytes: number): Buffer {
    const packed = Buffer.allocUnsafe(HEADER_BYTES)
    packed.writeUInt32BE(HEADER_BYTES + payloadBytes, 0)
    packed.writeUInt32BE(header.program, 4)
    packed.writeUInt32BE(1, 8)
    packed.writeInt32BE(header.procedure, 12)
    packed.writeInt32BE(header.kind, 16)
    packed.writeUInt32BE(header.serial, 20)
    packed.writeInt32BE(header.status, 24)
    return packed
}

function unpack(bytes: Buffer): Frame {
    return {
        program: bytes.readUInt32BE(4),
        procedure: bytes.readInt32BE(12),
        kind: bytes.readInt32BE(16),
        serial: bytes.readUInt32BE(20),
        status: bytes.readInt32BE(24),
        payload: bytes.subarray(HEADER_BYTES),
    }
}

/**
 * A function that takes chunks as they come and calls `onFrame` for each whole frame, in order. It returns false, and
 * takes nothing more, when a length cannot be one of libvirt's.
 */
export function splitFrames(onFrame: (frame: Frame) => void): (chunk: Buffer) => boolean {
    let chunks: Buffer[] = []
    let heldBytes = 0
    return chunk => {
        chunks.push(chunk)
        heldBytes += chunk.length
        while (heldBytes >= 4) {
            if (chunks[0]!.length < 4) chunks = [Buffer.concat(chunks)]
            const sizeBytes = chunks[0]!.readUInt32BE(0)
            if (sizeBytes < HEADER_BYTES || sizeBytes > MAX_BYTES) return false
            if (heldBytes < sizeBytes) return true
            // One copy a frame, however many chunks it came in.
            const bytes = chunks.length > 1 ? Buffer.concat(chunks) : chunks[0]!
            chunks = bytes.length > sizeBytes ? [bytes.subarray(sizeBytes)] : []
            heldBytes -= sizeBytes
            onFrame(unpack(bytes.subarray(0, sizeBytes)))
        }
        return true
    }
}
