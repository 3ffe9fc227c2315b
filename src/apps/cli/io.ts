// The terminal: what the command line may write to, read from and ask; handed in, so that tests can stand in for it.
import { readFile as read } from 'node:fs/promises'
import { createInterface } from 'node:readline'
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

const wantOfConsent = (question: string, summary = 'This needs your consent') =>
    new Fault('precondition', {
        summary,
        detail: question,
        fix: 'Nothing was changed. Run it in a terminal and answer, or give --yes.',
        at: CONSENT,
    })

/** Asks for y/N, or for a name to be typed. @throws Fault at `consent` for any other answer, or where nobody can be asked */
export async function confirm(io: Io, question: string, typed?: string): Promise<void> {
    if (!io.stdin.isTTY || !io.stderr.isTTY) throw wantOfConsent(question)
    const lines = createInterface({ input: io.stdin, output: io.stderr })
    try {
        const answer = await new Promise<string>((resolve, reject) => {
            // Ctrl-C and Ctrl-D: readline would leave the question without an answer for ever.
            const left = () => {
                // The cursor stands behind the question.
                io.stderr.write('\n')
                reject(wantOfConsent(question, 'You did not agree'))
            }
            lines.once('SIGINT', left)
            lines.once('close', left)
            lines.question(typed ? `${question} Type ${typed} to go on: ` : `${question} Go on? [y/N] `, resolve)
        })
        const agreed = typed ? answer.trim() === typed : /^y(es)?$/i.test(answer.trim())
        if (!agreed) throw wantOfConsent(question, 'You did not agree')
    } finally {
        lines.removeAllListeners('close')
        lines.close()
    }
}

/** Asks for y/N and waits that long; false for any other answer, and for none. Only where there is a terminal. */
export async function answeredYes(io: Io, question: string, deadlineMs: number): Promise<boolean> {
    const lines = createInterface({ input: io.stdin, output: io.stderr })
    let late: NodeJS.Timeout | undefined
    try {
        const answer = await new Promise<string>(resolve => {
            const left = () => {
                io.stderr.write('\n')
                resolve('')
            }
            late = setTimeout(left, deadlineMs)
            lines.once('SIGINT', left)
            lines.once('close', left)
            lines.question(`${question} (${Math.floor(deadlineMs / 1000)} s) [y/N] `, resolve)
        })
        return /^y(es)?$/i.test(answer.trim())
    } finally {
        clearTimeout(late)
        lines.removeAllListeners('close')
        lines.close()
    }
}

/** A secret without echo; from a pipe, its next line. @throws Fault `cancelled` for Ctrl-C, `invalid` at the pipe's end */
export async function secret(io: Io, prompt: string): Promise<string> {
    if (!io.stdin.isTTY) {
        const line = await pipeOf(io.stdin).line()
        if (line !== undefined) return line
        throw new Fault('invalid', {
            summary: 'Standard input ended before this was read from it',
            detail: prompt,
            fix: 'Write each secret that is asked for as a line of its own, or run it in a terminal.',
        })
    }
    io.stderr.write(`${prompt}: `)
    io.stdin.setRawMode?.(true)
    io.stdin.resume()
    try {
        return await new Promise((resolve, reject) => {
            let text = ''
            const left = () =>
                finish(() =>
                    reject(
                        new Fault('cancelled', {
                            summary: 'You left the question',
                            detail: prompt,
                            fix: 'Nothing was changed.',
                        }),
                    ),
                )
            const onData = (data: Buffer) => {
                for (const char of data.toString('utf8')) {
                    if (char === '\r' || char === '\n') return finish(() => resolve(text))
                    if (char === '\u0003' || (char === '\u0004' && text === '')) return left()
                    if (char === '\u007f' || char === '\b') text = [...text].slice(0, -1).join('')
                    else if (char >= ' ') text += char
                }
            }
            const finish = (settle: () => void) => {
                io.stdin.off('data', onData)
                io.stdin.off('end', left)
                settle()
            }
            io.stdin.on('data', onData)
            io.stdin.once('end', left)
        })
    } finally {
        io.stdin.setRawMode?.(false)
        io.stdin.pause()
        io.stderr.write('\n')
    }
}

interface Pipe {
    /** The next line without its end; undefined behind the last. */
    line(): Promise<string | undefined>
    /** All that is left. */
    rest(): Promise<string>
}

/** One reader for each pipe: what comes behind a line is kept for who asks next. */
const pipes = new WeakMap<Readable, Pipe>()

function pipeOf(stdin: Readable): Pipe {
    const known = pipes.get(stdin)
    if (known) return known
    const chunks = stdin[Symbol.asyncIterator]()
    const decoder = new TextDecoder()
    let text = ''
    let ended = false
    const more = async () => {
        const { done, value } = await chunks.next()
        ended = done === true
        text += done ? decoder.decode() : decoder.decode(value, { stream: true })
    }
    const pipe: Pipe = {
        async line() {
            while (!ended && !text.includes('\n')) await more()
            if (text === '') return undefined
            const end = text.includes('\n') ? text.indexOf('\n') : text.length
            const line = text.slice(0, end).replace(/\r$/, '')
            text = text.slice(end + 1)
            return line
        },
        async rest() {
            while (!ended) await more()
            const all = text
            text = ''
            return all
        },
    }
    pipes.set(stdin, pipe)
    return pipe
}

/** The text of a file, or of standard input for '-'. @throws Fault `not-found` */
export async function readFile(io: Io, path: string): Promise<string> {
    if (path === '-') return pipeOf(io.stdin).rest()
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
