// Streams of a real libvirtd: volumes up and down, sparse, too long, given up; a guest's console and its screen.
import { createHash, randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isHole, type Piece } from '../../src/base/pieces.ts'
import { type Libvirt, openLibvirt, type StorageVolRef, volumeRef } from '../../src/drivers/libvirt/libvirt.ts'
import { openStream } from '../../src/drivers/libvirt/stream.ts'
import { guestXml, report, to } from './libvirt-fixtures.ts'
import { type LibvirtWorld, startLibvirt, until } from './world.ts'

const MIB = 1 << 20
const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex')

async function* chunks(data: Uint8Array, sizeBytes: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < data.length; at += sizeBytes) yield data.subarray(at, at + sizeBytes)
}

async function gather(pieces: AsyncIterable<Piece>): Promise<Buffer> {
    const parts: Uint8Array[] = []
    for await (const piece of pieces) parts.push(isHole(piece) ? new Uint8Array(piece.holeBytes) : piece)
    return Buffer.concat(parts)
}

describe('streams', () => {
    let world: LibvirtWorld
    let lv: Libvirt

    beforeAll(async () => {
        world = await startLibvirt({ name: 'streams' })
        lv = await openLibvirt(to(world.socketPath))
        const xml = `<pool type='dir'><name>images</name><target><path>${world.imagesDir}</path></target></pool>`
        await lv.call('storagePoolCreateXML', { xml })
    })
    afterAll(() => world?.stop())

    const makeVolume = async (name: string, sizeBytes: number): Promise<StorageVolRef> => {
        const { pool } = await lv.call('storagePoolLookupByName', { name: 'images' })
        const xml = `<volume><name>${name}</name><capacity>${sizeBytes}</capacity><allocation>0</allocation>
            <target><format type='raw'/></target></volume>`
        return (await lv.call('storageVolCreateXML', { pool, xml })).vol
    }

    it('takes and gives 16 MB, the same to the last bit', async () => {
        const data = randomBytes(16 * MIB)
        const volume = await makeVolume('plain.raw', data.length)
        const progress: number[] = []
        const written = await lv.uploadVolume(volume, chunks(data, 1_000_003), {
            lengthBytes: data.length,
            onProgress: doneBytes => progress.push(doneBytes),
        })
        expect(written).toBe(data.length)
        expect(progress.at(-1)).toBe(data.length)
        expect(sha256(await readFile(join(world.imagesDir, 'plain.raw')))).toBe(sha256(data))
        expect(sha256(await gather(lv.downloadVolume(volume)))).toBe(sha256(data))
        const part = await gather(lv.downloadVolume(volume, { offsetBytes: MIB + 1, lengthBytes: 3 * MIB }))
        expect(sha256(part)).toBe(sha256(data.subarray(MIB + 1, 4 * MIB + 1)))
    })

    it('keeps holes holes, up and down', async () => {
        const [head, tail] = [randomBytes(MIB), randomBytes(MIB)]
        const volume = await makeVolume('sparse.raw', 16 * MIB)
        async function* source(): AsyncGenerator<Piece> {
            yield head
            yield { holeBytes: 14 * MIB }
            yield tail
        }
        await lv.uploadVolume(volume, source(), { lengthBytes: 16 * MIB, sparse: true })
        const whole = Buffer.concat([head, Buffer.alloc(14 * MIB), tail])
        const path = join(world.imagesDir, 'sparse.raw')
        expect(sha256(await readFile(path))).toBe(sha256(whole))
        expect((await stat(path)).blocks * 512).toBeLessThan(3 * MIB)
        let holeBytes = 0
        async function* counted(): AsyncGenerator<Piece> {
            for await (const piece of lv.downloadSparse(volume)) {
                if (isHole(piece)) holeBytes += piece.holeBytes
                yield piece
            }
        }
        expect(sha256(await gather(counted()))).toBe(sha256(whole))
        expect(holeBytes).toBe(14 * MIB)
    })

    it('never gets more bytes than were announced, and lives', async () => {
        const volume = await makeVolume('long.raw', 4 * MIB)
        for (const sizeBytes of [MIB + 1, 3 * MIB]) {
            const source = chunks(randomBytes(sizeBytes), 300_000)
            await expect(lv.uploadVolume(volume, source, { lengthBytes: MIB })).rejects.toMatchObject({
                code: 'invalid',
                at: 'lengthBytes',
            })
        }
        const short = lv.uploadVolume(volume, chunks(randomBytes(MIB - 1), 300_000), { lengthBytes: MIB })
        await expect(short).rejects.toMatchObject({ code: 'invalid', detail: expect.stringContaining('ended after') })
        expect((await stat(join(world.imagesDir, 'long.raw'))).size).toBe(4 * MIB)
        await expect(lv.call('connectGetLibVersion')).resolves.toBeDefined()
    })

    it('loses nothing by streams that are given up', async () => {
        const volume = await makeVolume('given-up.raw', 32 * MIB)
        await lv.uploadVolume(volume, chunks(Buffer.alloc(32 * MIB, 1), MIB), { lengthBytes: 32 * MIB })
        for await (const piece of lv.downloadVolume(volume)) {
            expect(piece.length).toBeGreaterThan(0)
            break
        }
        const controller = new AbortController()
        async function* endless(): AsyncGenerator<Uint8Array> {
            yield Buffer.alloc(MIB)
            controller.abort()
            await new Promise(() => undefined)
        }
        await expect(lv.uploadVolume(volume, endless(), { signal: controller.signal })).rejects.toMatchObject({
            code: 'cancelled',
        })
        const broken = async function* (): AsyncGenerator<Uint8Array> {
            yield Buffer.alloc(MIB)
            throw new Error('the source broke')
        }
        await expect(lv.uploadVolume(volume, broken())).rejects.toThrow('the source broke')
        const late = new AbortController()
        const reading = (async () => {
            for await (const _ of lv.downloadVolume(volume, { signal: late.signal })) late.abort()
        })()
        await expect(reading).rejects.toMatchObject({ code: 'cancelled' })
        await expect(
            lv.uploadVolume(volumeRef({ pool: 'images', name: 'none' }), chunks(Buffer.alloc(1), 1)),
        ).rejects.toMatchObject({ code: 'not-found' })
        expect((await gather(lv.downloadVolume(volume))).length).toBe(32 * MIB)
    })

    it('holds back a stream that nobody reads, and only that one', async () => {
        const volume = volumeRef({ pool: 'images', name: 'given-up.raw' })
        const options = to(world.socketPath)
        const slow = await openStream(options, 'storageVolDownload', { vol: volume, offset: 0n, length: 0n })
        expect((await gather(lv.downloadVolume(volume))).length).toBe(32 * MIB)
        await expect(lv.call('connectGetLibVersion')).resolves.toBeDefined()
        let bytes = 0
        for (let piece = await slow.read(); piece; piece = await slow.read()) bytes += isHole(piece) ? 0 : piece.length
        await slow.finish()
        expect(bytes).toBe(32 * MIB)
    })

    it('connects a guest’s console both ways, shows its screen, and lets go of both', async () => {
        const { dom } = await lv.call('domainCreateXML', { xml_desc: await guestXml('talker'), flags: 0 })
        const console = await lv.openConsole(dom)
        let said = ''
        const listening = (async () => {
            for await (const bytes of console.output) said += Buffer.from(bytes).toString('latin1')
        })()
        listening.catch(() => {})
        // A prompt comes again for every Enter, so it does not matter how far the guest has come.
        await until('the shell of the guest', 120_000, async () => {
            if (said.includes('tiny#')) return true
            await console.write(Buffer.from('\r'))
            return false
        })
        const began = performance.now()
        await console.write(Buffer.from('echo $((6 * 7))-answer\r'))
        await until('the echo', 20_000, () => said.includes('42-answer'))
        report(`console echo: ${Math.round(performance.now() - began)} ms`)
        await expect(lv.openConsole(dom)).rejects.toMatchObject({
            code: 'conflict',
            detail: expect.stringMatching(/console|busy|active/i),
            fix: expect.stringContaining('--force'),
        })
        const picture = await lv.takeScreenshot(dom)
        expect(picture.mime).toMatch(/^image\//)
        expect(picture.data.length).toBeGreaterThan(1000)
        await console.close()
        await listening
        const again = await lv.openConsole(dom)
        await lv.call('domainDestroy', { dom })
        // The guest is gone, so the console's output ends by itself, one way or the other.
        await (async () => {
            for await (const _ of again.output) {
                // Whatever was still in the pipe.
            }
        })().catch(fault => expect(fault.code).toBeDefined())
        await again.close()
    })
})
