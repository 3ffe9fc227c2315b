// Ctrl-C, Ctrl-D, --no-wait and broken transfers: what is said is what is so, and nothing half made stays.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectError } from '../rpcd/errors.ts'
import { pieceOf } from './bytes.ts'
import { confirm, readFile as readText, secret } from './io.ts'
import { type FakeNode, fakeNode } from './testing/fake-node.ts'

let node: FakeNode
let source: string
beforeAll(async () => {
    node = await fakeNode(connectError)
    source = join(node.folder, 'disk.img')
    await writeFile(source, Buffer.alloc(1000, 7))
    await writeFile(join(node.folder, 'slow.img'), Buffer.alloc(1000, 7))
})
afterAll(() => node.close())
beforeEach(() => {
    node.calls.length = 0
})
const bytes: FakeNode['bytes'] = (request, response) => {
    request.resume()
    request.on('end', () => response.end('{}'))
}
afterEach(() => {
    node.bytes = bytes
})
const called = () => node.calls.map(([method]) => method)
/** Ctrl-C as soon as these words are on standard error. */
const interruptAt = (words: string) => {
    let done = false
    return (text: string) => {
        if (done || !text.includes(words)) return
        done = true
        process.emit('SIGINT')
    }
}

describe('a task that is left', () => {
    it('goes on, and the command says so and ends with 1', async () => {
        const { code, out, err } = await node.run('task follow t-long', {
            terminal: '',
            onErr: interruptAt('50%'),
        })
        expect([code, out]).toEqual([1, ''])
        expect(err).toContain('goes on')
        expect(err).toContain('debvisor task follow t-long')
    })

    it('is not called done by an upload', async () => {
        node.bytes = bytes
        const line = ['image', 'upload', join(node.folder, 'slow.img'), 'default/slow.img']
        const { code, out } = await node.run(line, { terminal: '', onErr: interruptAt('Start web1 50%') })
        expect([code, out]).toEqual([1, ''])
    })

    it('with --no-wait goes on as asked', async () => {
        node.bytes = bytes
        const { code, out, err } = await node.run(['image', 'upload', source, 'default/disk.img', '--no-wait'])
        expect([code, out]).toEqual([0, ''])
        expect(err).toContain('debvisor task follow t-1')
    })

    it('that was lost sight of is not called done', async () => {
        const { code, err } = await node.run('task follow t-lost')
        expect(code).toBe(1)
        expect(err).toContain('cannot be reached')
        expect(err).toContain('debvisor task follow t-lost')
    })

    it('that has ended is called so', async () => {
        node.bytes = bytes
        expect(await node.run('task follow t-1')).toMatchObject({ code: 0, out: 'Done.\n' })
        expect(await node.run(['image', 'upload', source])).toMatchObject({
            code: 0,
            out: 'default/disk.img is there.\n',
        })
    })
})

describe('an upload that ends before its end', () => {
    const failing = async (bytesOf: FakeNode['bytes'], terminal?: { onErr(text: string): void }) => {
        node.bytes = bytesOf
        const line = ['image', 'upload', source, 'default/disk.img', '--no-checksum']
        return node.run(line, terminal ? { terminal: '', ...terminal } : {})
    }

    it('by Ctrl-C is cancelled on the node, and says so', async () => {
        const { code, err } = await failing(request => {
            request.resume()
            process.emit('SIGINT')
        })
        expect(code).toBe(1)
        expect(err).toContain('The upload was cancelled')
        expect(err).toContain('Nothing of it is kept')
        expect(called()).toEqual(['beginUpload', 'cancelUpload'])
    })

    it('by a broken connection is cancelled on the node, and says so', async () => {
        const { code, err } = await failing(request => request.socket.destroy())
        expect(code).toBe(1)
        expect(err).toContain('The transfer broke off')
        expect(called()).toEqual(['beginUpload', 'cancelUpload'])
    })

    it('by a refusal says what the node said', async () => {
        const { err } = await failing((_request, response) =>
            response
                .writeHead(409)
                .end(JSON.stringify({ code: 'conflict', summary: 'The piece is wrong', fix: 'Ask.' })),
        )
        expect(err).toContain('The piece is wrong')
    })

    it('is sent whole however few bytes the system gives at a time', async () => {
        const given = Buffer.from('0123456789')
        const file = {
            async read(buffer: Buffer, offset: number, length: number, at: number) {
                const bytesRead = given.copy(buffer, offset, at, at + Math.min(3, length))
                return { bytesRead, buffer }
            },
        } as unknown as Parameters<typeof pieceOf>[0]
        expect((await pieceOf(file, 1, 8)).toString()).toBe('12345678')
        await expect(pieceOf(file, 5, 8)).rejects.toMatchObject({ code: 'conflict' })
    })
})

describe('a download', () => {
    const to = () => join(node.folder, 'fetched.img')
    const fetch = (bytesOf: FakeNode['bytes'], ...more: string[]) => {
        node.bytes = bytesOf
        return node.run(['image', 'download', 'default/disk.img', to(), ...more])
    }

    it.each<[string, FakeNode['bytes']]>([
        [
            'breaks off',
            (_, response) => response.writeHead(200, { 'content-length': 10 }).write('0123', () => response.destroy()),
        ],
        ['ends too early', (_, response) => response.end('0123')],
        ['is refused', (_, response) => response.writeHead(404).end('{"code":"not-found","summary":"Gone"}')],
    ])('that %s leaves nothing', async (_, bytesOf) => {
        const { code } = await fetch(bytesOf)
        expect(code).toBe(1)
        expect((await readdir(node.folder)).filter(name => name.startsWith('fetched'))).toEqual([])
    })

    it('by Ctrl-C leaves nothing, and says so', async () => {
        const { code, err } = await fetch((_, response) => {
            response.writeHead(200, { 'content-length': 10 }).write('0123')
            process.emit('SIGINT')
        })
        expect(code).toBe(1)
        expect(err).toContain('The download was cancelled')
        expect((await readdir(node.folder)).filter(name => name.startsWith('fetched'))).toEqual([])
    })

    it('is whole under its name, and replaces nothing unasked', async () => {
        const whole: FakeNode['bytes'] = (_, response) => response.end('0123456789')
        expect((await fetch(whole)).code).toBe(0)
        expect(await readFile(to(), 'utf8')).toBe('0123456789')
        await writeFile(to(), 'mine')
        expect((await fetch(whole)).code).toBe(1)
        expect(await readFile(to(), 'utf8')).toBe('mine')
        expect((await fetch(whole, '--overwrite')).code).toBe(0)
        expect(await readFile(to(), 'utf8')).toBe('0123456789')
    })
})

it('long transfers say how far they are, on a terminal', async () => {
    node.bytes = bytes
    const { err } = await node.run(['image', 'upload', source, 'default/disk.img'], { terminal: '' })
    expect(err).toMatch(/Checksum of .* 100% of 1000 B[\s\S]+Sending disk\.img 100% of 1000 B/)
    node.bytes = (_, response) => response.end('0123456789')
    const fetched = await node.run(['image', 'download', 'default/a', join(node.folder, 'a')], { terminal: '' })
    expect(fetched.err).toContain('Fetching default/a 100% of 10 B')
})

describe('a question that is left', () => {
    it.each([
        ['Ctrl-C', '\u0003'],
        ['Ctrl-D', '\u0004'],
    ])('by %s ends with 3 and a clear word', async (_, key) => {
        const { code, err } = await node.run('vm delete web1 --disks', { terminal: key })
        expect(code).toBe(3)
        expect(err).toContain('You did not agree')
        expect(node.calls.filter(([, request]) => !(request as { dryRun?: boolean }).dryRun)).toEqual([])
    })

    it.each([
        ['Ctrl-C', '\u0003'],
        ['Ctrl-D', '\u0004'],
    ])('at a password by %s speaks of no consent', async (_, key) => {
        const { code, err } = await node.run('user create zoe', { terminal: key })
        expect(code).toBe(1)
        expect(err).toContain('You left the question')
        expect(err).not.toContain('consent')
        expect(called()).toEqual([])
    })
})

describe('a pipe', () => {
    const pipe = (...chunks: (string | Buffer)[]) => {
        const stdin = new PassThrough()
        for (const chunk of chunks) stdin.write(chunk)
        stdin.end()
        return { stdin, stdout: new PassThrough(), stderr: new PassThrough(), env: {} }
    }

    it('gives one secret a line, and the rest as a file', async () => {
        const io = pipe('one\r\ntw', 'o\nre', 'st\n')
        expect(await secret(io, 'a')).toBe('one')
        expect(await secret(io, 'b')).toBe('two')
        expect(await readText(io, '-')).toBe('rest\n')
    })

    it('keeps a character that comes in two pieces', async () => {
        const text = Buffer.from('pässword\n')
        expect(await secret(pipe(text.subarray(0, 2), text.subarray(2)), 'a')).toBe('pässword')
    })

    it('that ends too early is said', async () => {
        const io = pipe('one')
        expect(await secret(io, 'a')).toBe('one')
        await expect(secret(io, 'b')).rejects.toMatchObject({ code: 'invalid' })
    })

    it('is nobody who could agree', async () => {
        await expect(confirm(pipe('y\n'), 'Really?')).rejects.toMatchObject({ at: 'consent' })
    })
})
