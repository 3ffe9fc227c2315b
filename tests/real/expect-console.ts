// Talks to a serial console as a person does: waits for words, types lines.
import type { Duplex, Readable, Writable } from 'node:stream'

export interface Talk {
    /** Resolves when the words have come since the last wait; the error shows what came instead. */
    wait(words: RegExp, deadlineMs?: number): Promise<string>
    type(text: string): void
    /** Everything that came so far. */
    text(): string
}

export function talkTo(port: Duplex | { input: Writable; output: Readable }): Talk {
    const [input, output] = 'input' in port ? [port.input, port.output] : [port, port]
    let all = ''
    let from = 0
    const waiting = new Set<() => void>()
    // What is typed at a console that has just ended is lost, and no error outside every test: `wait` tells.
    for (const one of new Set([input, output])) one.on('error', () => {})
    output.on('data', (chunk: Buffer) => {
        all += chunk.toString('utf8')
        for (const look of waiting) look()
    })
    return {
        text: () => all,
        type: text => void input.write(text),
        wait: (words, deadlineMs = 60_000) =>
            new Promise((resolve, reject) => {
                const look = () => {
                    const match = words.exec(all.slice(from))
                    if (!match) return
                    from += match.index + match[0].length
                    clearTimeout(timer)
                    waiting.delete(look)
                    resolve(match[0])
                }
                const timer = setTimeout(() => {
                    waiting.delete(look)
                    reject(
                        new Error(
                            `${words} did not come within ${deadlineMs} ms; the console says:\n${all.slice(-3000)}`,
                        ),
                    )
                }, deadlineMs)
                waiting.add(look)
                look()
            }),
    }
}
