// The terminal: what the command line may write to, read from and ask; handed in, so that tests can stand in for it.
import { readFile as read } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import type { Readable, Writable } from 'node:stream'
import { Fault } from '../../base/fault.ts'

export interface Io {
    stdin: Readable & { isTTY?: boolean; setRawMode?(on: boolean): unknown }
    stdout: Writable & { isTTY?: boolean; columns?: number }
    stderr: Writable & { isTTY?: boolean }
    env: Record<string, string | undefined>
}

/** Marks a refusal for want of consent: it ends with exit code 3. */
export const CONSENT = 'consent'

const wantOfConsent = (question: string) =>
    new Fault('precondition', {
        summary: 'This needs your consent',
        detail: question,
        fix: 'Run it in a terminal and answer, or give --yes.',
        at: CONSENT,
    })

/** Asks for y/N, or for a name to be typed. @throws Fault at `consent` for any other answer, or where nobody can be asked */
export async function confirm(io: Io, question: string, typed?: string): Promise<void> {
    if (!io.stdin.isTTY || !io.stderr.isTTY) throw wantOfConsent(question)
    const lines = createInterface({ input: io.stdin, output: io.stderr })
    try {
        const answer = await lines.question(
            typed ? `${question} Type ${typed} to go on: ` : `${question} Go on? [y/N] `,
        )
        const agreed = typed ? answer.trim() === typed : /^y(es)?$/i.test(answer.trim())
        if (!agreed) throw wantOfConsent(question)
    } finally {
        lines.close()
    }
}

/** A secret without echo; from a pipe, its first line. */
export async function secret(io: Io, prompt: string): Promise<string> {
    if (!io.stdin.isTTY) {
        let text = ''
        for await (const chunk of io.stdin) {
            text += chunk
            if (text.includes('\n')) break
        }
        return text.split('\n')[0]!.replace(/\r$/, '')
    }
    io.stderr.write(`${prompt}: `)
    io.stdin.setRawMode?.(true)
    io.stdin.resume()
    try {
        return await new Promise((resolve, reject) => {
            let text = ''
            const onData = (data: Buffer) => {
                for (const char of data.toString('utf8')) {
                    if (char === '\r' || char === '\n') return finish(() => resolve(text))
                    if (char === '\u0003') return finish(() => reject(wantOfConsent(prompt)))
                    if (char === '\u007f' || char === '\b') text = [...text].slice(0, -1).join('')
                    else if (char >= ' ') text += char
                }
            }
            const finish = (settle: () => void) => {
                io.stdin.off('data', onData)
                settle()
            }
            io.stdin.on('data', onData)
        })
    } finally {
        io.stdin.setRawMode?.(false)
        io.stdin.pause()
        io.stderr.write('\n')
    }
}

/** The text of a file, or of standard input for '-'. @throws Fault `not-found` */
export async function readFile(io: Io, path: string): Promise<string> {
    if (path === '-') {
        let text = ''
        for await (const chunk of io.stdin) text += chunk
        return text
    }
    try {
        return await read(path, 'utf8')
    } catch (cause) {
        throw new Fault('not-found', {
            summary: 'The file cannot be read',
            detail: path,
            fix: 'Check the path.',
            cause,
        })
    }
}
