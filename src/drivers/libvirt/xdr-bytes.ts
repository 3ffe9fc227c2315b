// The primitives of XDR (RFC 4506) as bytes: big-endian, everything a multiple of four.
import { Fault } from '../../base/fault.ts'

/** The Fault for bytes of libvirt that make no sense. */
export const unreadable = (detail: string): Fault =>
    new Fault('internal', {
        summary: 'libvirt sent something that could not be read',
        detail,
        fix: 'Compare the version of libvirt with the one DebVisor was made for, and report it.',
    })

/** Bytes that grow as values are put behind one another. */
export class Writer {
    #buffer = Buffer.allocUnsafe(256)
    #length = 0

    #claim(sizeBytes: number): number {
        const at = this.#length
        this.#length += sizeBytes
        if (this.#length > this.#buffer.length) {
            const wider = Buffer.allocUnsafe(Math.max(this.#length, this.#buffer.length * 2))
            this.#buffer.copy(wider, 0, 0, at)
            this.#buffer = wider
        }
        return at
    }
    int(value: number): void {
        const at = this.#claim(4)
        this.#buffer.writeInt32BE(value, at)
    }
    uint(value: number): void {
        const at = this.#claim(4)
        this.#buffer.writeUInt32BE(value, at)
    }
    hyper(value: bigint): void {
        const at = this.#claim(8)
        this.#buffer.writeBigInt64BE(value, at)
    }
    uhyper(value: bigint): void {
        const at = this.#claim(8)
        this.#buffer.writeBigUInt64BE(value, at)
    }
    double(value: number): void {
        const at = this.#claim(8)
        this.#buffer.writeDoubleBE(value, at)
    }
    /** The bytes, then zeros up to a multiple of four. */
    block(bytes: Uint8Array): void {
        const padding = -bytes.length & 3
        const at = this.#claim(bytes.length + padding)
        this.#buffer.set(bytes, at)
        this.#buffer.fill(0, at + bytes.length, at + bytes.length + padding)
    }
    bytes(): Buffer {
        return this.#buffer.subarray(0, this.#length)
    }
}

/** A place in bytes that came in; what reads past the end is a Fault. */
export class Reader {
    #at: number
    constructor(
        readonly buffer: Buffer,
        at = 0,
    ) {
        this.#at = at
    }
    #advance(sizeBytes: number): number {
        const at = this.#at
        if (at + sizeBytes > this.buffer.length) throw unreadable('it ends too early')
        this.#at += sizeBytes
        return at
    }
    int(): number {
        return this.buffer.readInt32BE(this.#advance(4))
    }
    uint(): number {
        return this.buffer.readUInt32BE(this.#advance(4))
    }
    hyper(): bigint {
        return this.buffer.readBigInt64BE(this.#advance(8))
    }
    uhyper(): bigint {
        return this.buffer.readBigUInt64BE(this.#advance(8))
    }
    double(): number {
        return this.buffer.readDoubleBE(this.#advance(8))
    }
    /** A view of the bytes, not a copy. */
    block(lengthBytes: number): Buffer {
        const at = this.#advance(lengthBytes + (-lengthBytes & 3))
        return this.buffer.subarray(at, at + lengthBytes)
    }
    get leftBytes(): number {
        return this.buffer.length - this.#at
    }
}
