// Bytes through a real program: as fast as both ends are, and no program is left when one of them goes away.
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { realSystem } from './real.ts'

const { pipe } = realSystem()
const all = async (bytes: AsyncIterable<Uint8Array>) => {
    const parts: Uint8Array[] = []
    for await (const part of bytes) parts.push(part)
    return Buffer.concat(parts)
}
const mark = () => `0.${Math.random().toString().slice(2)}`
const runs = (words: string) => {
    try {
        return execFileSync('pgrep', ['-f', words]).length > 0
    } catch {
        return false
    }
}
const gone = async (words: string) => {
    for (const end = Date.now() + 10_000; runs(words) && Date.now() < end; ) await new Promise(r => setTimeout(r, 50))
    expect(runs(words)).toBe(false)
}

test('more bytes than any pipe holds come out as they went in', async () => {
    const chunk = Buffer.alloc(1 << 20, 'x')
    async function* input() {
        for (let i = 0; i < 20; i++) yield chunk
    }
    const said = await all(pipe({ argv: ['cat'], deadlineMs: 60_000 }, input()))
    expect(said.length).toBe(20 << 20)
    expect(said.equals(Buffer.concat(Array.from({ length: 20 }, () => chunk)))).toBe(true)
})

test('a program that fails says why, also when it does not read what it is given', async () => {
    async function* input() {
        for (let i = 0; i < 100; i++) yield Buffer.alloc(1 << 20)
    }
    const argv = ['sh', '-c', 'echo no such image >&2; exit 2'] as const
    await expect(all(pipe({ argv, deadlineMs: 60_000 }, input()))).rejects.toMatchObject({
        code: 'unavailable',
        detail: 'sh ended with 2: no such image',
    })
    const absent = pipe({ argv: ['no-such-program-here'], deadlineMs: 60_000 })
    await expect(all(absent)).rejects.toMatchObject({ code: 'precondition' })
})

test('it ends with the loop, with its input, by the signal, and when nothing moves', async () => {
    const leaving = mark()
    for await (const _ of pipe({ argv: ['sh', '-c', `yes; : ${leaving}`], deadlineMs: 60_000 })) break
    await gone(leaving)

    const broken = mark()
    async function* input() {
        yield Buffer.from('a')
        throw new Error('the source broke')
    }
    const argv = ['sh', '-c', `cat; sleep 100; : ${broken}`] as const
    await expect(all(pipe({ argv, deadlineMs: 60_000 }, input()))).rejects.toThrow('the source broke')
    await gone(broken)

    const aborted = mark()
    const ending = new AbortController()
    const reading = all(
        pipe({ argv: ['sh', '-c', `sleep 100; : ${aborted}`], deadlineMs: 60_000, signal: ending.signal }),
    )
    ending.abort()
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' })
    await gone(aborted)

    const silent = pipe({ argv: ['sleep', '100'], deadlineMs: 200 })
    await expect(all(silent)).rejects.toMatchObject({ code: 'deadline' })
})
