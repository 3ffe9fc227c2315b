// The terminal of the installer: keys in, screens out, on the console of the machine as on a serial port.
import type { Readable, Writable } from 'node:stream'
import { type Canvas, changes, hasColours, type Size } from './canvas.ts'
import { type Key, keysIn } from './keys.ts'

export interface Terminal {
    size(): Size
    /** Shows it; only what is new is sent. */
    show(canvas: Canvas): void
    /** The next key; `resized` when the terminal has another size; `tick` where nothing came for that long. */
    next(withinMs?: number): Promise<Key | { kind: 'resized' } | { kind: 'tick' }>
    /** All is sent again with the next screen. */
    forget(): void
    /** Hands the terminal to another program meanwhile. */
    lend<T>(work: () => Promise<T>): Promise<T>
    close(): void
}

export interface Tty {
    stdin: Readable & { isTTY?: boolean; setRawMode?(on: boolean): unknown }
    stdout: Writable & { columns?: number; rows?: number }
    env: Record<string, string | undefined>
}

/** A lone escape is a key; one that begins a sequence is followed at once. */
const ESCAPE_MS = 150
const SIZE_MS = 1_000
/** What a terminal that does not say is: the least that the screens are made for. */
const USUAL: Size = { columns: 80, rows: 24 }

/** Takes the terminal over; `close` gives it back as it was. */
export async function openTerminal({ stdin, stdout, env }: Tty): Promise<Terminal> {
    const colours = hasColours(env.TERM) && !env.NO_COLOR
    const waiting: (Key | { kind: 'resized' })[] = []
    let wake = () => {}
    let rest = ''
    let late: NodeJS.Timeout | undefined
    let shown: Canvas | undefined
    let told: Size | undefined

    const take = (keys: Key[]) => {
        for (const key of keys) {
            if (key.kind === 'size') told = { columns: key.columns, rows: key.rows }
            waiting.push(key)
        }
        wake()
    }
    const onData = (data: Buffer | string) => {
        clearTimeout(late)
        const found = keysIn(rest + data.toString())
        rest = found.rest
        take(found.keys)
        if (rest === '') return
        late = setTimeout(() => {
            const alone = rest === '\u001b'
            rest = ''
            if (alone) take([{ kind: 'escape' }])
        }, ESCAPE_MS)
    }
    const onResize = () => {
        shown = undefined
        waiting.push({ kind: 'resized' })
        wake()
    }
    const begin = () => {
        stdin.setRawMode?.(true)
        stdin.on('data', onData)
        stdin.resume()
        stdout.on('resize', onResize)
        shown = undefined
    }
    const end = () => {
        clearTimeout(late)
        stdin.off('data', onData)
        stdin.pause()
        stdin.setRawMode?.(false)
        stdout.off('resize', onResize)
        stdout.write('\u001b[0m\u001b[2J\u001b[H\u001b[?25h')
    }
    const next = async (withinMs?: number): Promise<Key | { kind: 'resized' } | { kind: 'tick' }> => {
        if (waiting.length === 0) {
            let timer: NodeJS.Timeout | undefined
            await new Promise<void>(resolve => {
                wake = resolve
                if (withinMs !== undefined) timer = setTimeout(resolve, withinMs)
            })
            clearTimeout(timer)
            wake = () => {}
        }
        return waiting.shift() ?? { kind: 'tick' }
    }
    begin()
    // A serial port has no size of its own: the terminal at its other end says where its last corner is.
    if (!stdout.columns || !stdout.rows) {
        stdout.write('\u001b7\u001b[999;999H\u001b[6n\u001b8')
        const until = Date.now() + SIZE_MS
        while (!told && Date.now() < until) await next(Math.max(1, until - Date.now()))
        waiting.length = 0
    }
    return {
        size: () => (stdout.columns && stdout.rows ? { columns: stdout.columns, rows: stdout.rows } : (told ?? USUAL)),
        show(canvas) {
            const text = changes(shown, canvas, colours)
            shown = canvas
            stdout.write(text)
        },
        next,
        forget() {
            shown = undefined
        },
        async lend(work) {
            end()
            try {
                return await work()
            } finally {
                begin()
            }
        },
        close: end,
    }
}
