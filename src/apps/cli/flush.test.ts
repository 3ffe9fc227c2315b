// Everything that a verb prints reaches its reader, however slow that one is.
import { spawn } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { main } from './main.ts'

it('does not end before a slow reader has all of it', async () => {
    const stdout = new PassThrough()
    const whole = text(stdout)
    await main(['completion', 'fish'], { stdin: new PassThrough(), stdout, stderr: new PassThrough(), env: {} })
    stdout.end()
    const program = fileURLToPath(new URL('main.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', program, 'completion', 'fish'], {
        stdio: ['ignore', 'pipe', 'inherit'],
    })
    const over = new Promise<number | null>(resolve => child.once('exit', resolve))
    const pieces: Buffer[] = []
    // A piece at a time, as over a slow line.
    for await (const piece of child.stdout) {
        pieces.push(piece as Buffer)
        await new Promise(resolve => setTimeout(resolve, 50))
    }
    expect(Buffer.concat(pieces).toString()).toBe(await whole)
    expect(await over).toBe(0)
}, 60_000)
