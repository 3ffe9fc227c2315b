// Ceph's diff format: what is written is read again, holes stay holes, and a stream that is cut off is said to be.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Piece } from '../../base/pieces.ts'
import { decodeDiff, encodeDiff } from './diff.ts'

async function* each<T>(items: readonly T[]) {
    yield* items
}
const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
    const found: T[] = []
    for await (const item of items) found.push(item)
    return found
}
const content = (pieces: readonly Piece[]) =>
    Buffer.concat(pieces.map(piece => ('holeBytes' in piece ? Buffer.alloc(piece.holeBytes) : piece)))
const le = (...numbers: number[]) => Buffer.concat(numbers.map(n => Buffer.from(BigUint64Array.of(BigInt(n)).buffer)))
const START = Buffer.from('rbd diff v1\n')

it('is what the format says', async () => {
    const pieces: Piece[] = [Buffer.from('abc'), { holeBytes: 5 }, Buffer.from('d')]
    expect(Buffer.concat(await all(encodeDiff(each(pieces))))).toEqual(
        Buffer.concat([
            ...[START, Buffer.from('w'), le(0, 3), Buffer.from('abc'), Buffer.from('z'), le(3, 5)],
            ...[Buffer.from('w'), le(8, 1), Buffer.from('d'), Buffer.from('e')],
        ]),
    )
})

it('reads what it wrote, however the bytes are cut', async () => {
    const piece = fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 500 }).map(holeBytes => ({ holeBytes })),
    )
    await fc.assert(
        fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 60 }), async (pieces, cut) => {
            const bytes = Buffer.concat(await all(encodeDiff(each(pieces))))
            const chunks = Array.from({ length: Math.ceil(bytes.length / cut) }, (_, i) =>
                bytes.subarray(i * cut, (i + 1) * cut),
            )
            const read = await all(decodeDiff(each(chunks)))
            expect(content(read)).toEqual(content(pieces))
            const holes = (of: readonly Piece[]) => of.filter(one => 'holeBytes' in one).length
            expect(holes(read)).toBe(holes(pieces))
        }),
    )
})

it('fills up to the size of the image, and passes over names of snapshots', async () => {
    const name = Buffer.concat([Buffer.from('t'), Buffer.from(Uint32Array.of(2).buffer), Buffer.from('s1')])
    const said = Buffer.concat([START, name, Buffer.from('s'), le(20), Buffer.from('w'), le(4, 2), Buffer.from('xye')])
    expect(await all(decodeDiff(each([said])))).toEqual([{ holeBytes: 4 }, Buffer.from('xy'), { holeBytes: 14 }])
})

it('says when it is cut off, or nothing of the kind', async () => {
    const whole = Buffer.concat(await all(encodeDiff(each([Buffer.from('abc')]))))
    for (let length = 0; length < whole.length; length++)
        await expect(all(decodeDiff(each([whole.subarray(0, length)])))).rejects.toMatchObject({ code: 'unavailable' })
    await expect(all(decodeDiff(each([Buffer.from('rbd diff v2\nxxxxxxx')])))).rejects.toThrow('other words')
    await expect(all(decodeDiff(each([START, Buffer.from('q')])))).rejects.toThrow('"q"')
})
