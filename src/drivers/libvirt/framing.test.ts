// Frames come out whole and in order, however the bytes are cut.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Frame, HEADER_BYTES, KIND, packHeader, STATUS, splitFrames } from './framing.ts'

const frame = (serial: number, payload: Uint8Array): Buffer => {
    const header = { program: 0x20008086, procedure: 14, kind: KIND.reply, serial, status: STATUS.ok }
    return Buffer.concat([packHeader(header, payload.length), payload])
}

it('gives the same frames for every way to cut the bytes', () => {
    fc.assert(
        fc.property(
            fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: 6 }),
            fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 30 }),
            (payloads, cuts) => {
                const bytes = Buffer.concat(payloads.map((payload, serial) => frame(serial, payload)))
                const got: Frame[] = []
                const take = splitFrames(found => got.push(found))
                for (let at = 0, i = 0; at < bytes.length; i++) {
                    const size = cuts[i % cuts.length]!
                    expect(take(bytes.subarray(at, at + size))).toBe(true)
                    at += size
                }
                expect(got.map(found => found.serial)).toEqual(payloads.map((_, serial) => serial))
                expect(got.map(found => [...found.payload])).toEqual(payloads.map(payload => [...payload]))
            },
        ),
    )
})

it('reads back what the header says', () => {
    const header = { program: 0x6b656570, procedure: 2, kind: KIND.message, serial: 4_000_000_000, status: 2 }
    const got: Frame[] = []
    splitFrames(found => got.push(found))(packHeader(header, 0))
    expect(got).toEqual([{ ...header, payload: Buffer.alloc(0) }])
})

it.each([0, HEADER_BYTES - 1, 33_554_432 + 5, 0x47455420])('refuses a frame of %d bytes', sizeBytes => {
    const bytes = Buffer.alloc(HEADER_BYTES)
    bytes.writeUInt32BE(sizeBytes, 0)
    const take = splitFrames(() => {
        throw new Error('no frame was expected')
    })
    expect(take(bytes)).toBe(false)
})
