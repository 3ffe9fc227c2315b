// A terminal of a given size that a program runs in, with keys pressed and its screen read as a person would: tmux.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { root } from '../../scripts/stages.ts'
import { tool } from './world-cache.ts'

export interface TestScreen {
    /** By tmux's names, such as Enter, Down, C-c; anything else is typed. */
    keys(...keys: string[]): Promise<void>
    type(text: string): Promise<void>
    /** Until the screen shows it; answers the screen. */
    see(what: string | RegExp, deadlineMs?: number): Promise<string>
    read(): Promise<string>
    resize(columns: number, rows: number): Promise<void>
    /** Keeps what is shown now in test-output/installer, to be looked at. */
    keep(name: string): Promise<void>
    /** What follows the program. */
    stop(): Promise<void>
}

let count = 0

export async function openScreen(
    argv: readonly string[],
    { columns = 80, rows = 24, term = 'screen' }: { columns?: number; rows?: number; term?: string } = {},
): Promise<TestScreen> {
    const name = `dv-${process.pid}-${count++}`
    const tmux = (...words: string[]) => tool(['tmux', '-L', name, '-f', '/dev/null', ...words], { cwd: root })
    const command = `env TERM=${term} ${argv.join(' ')}; echo ended $?; sleep 600`
    await tmux('new-session', '-d', '-s', 'it', '-x', String(columns), '-y', String(rows), command)
    const read = () => tmux('capture-pane', '-p', '-t', 'it')
    return {
        read,
        async keys(...keys) {
            for (const key of keys) await tmux('send-keys', '-t', 'it', key)
        },
        async type(text) {
            await tmux('send-keys', '-t', 'it', '-l', text)
        },
        async see(what, deadlineMs = 20_000) {
            const end = Date.now() + deadlineMs
            for (;;) {
                const shown = await read()
                if (typeof what === 'string' ? shown.includes(what) : what.test(shown)) return shown
                if (Date.now() > end) throw new Error(`the screen never showed ${what}:\n${shown}`)
                await pause(100)
            }
        },
        async resize(columns, rows) {
            await tmux('resize-window', '-t', 'it', '-x', String(columns), '-y', String(rows))
        },
        async keep(file) {
            const folder = join(root, 'test-output/installer')
            mkdirSync(folder, { recursive: true })
            writeFileSync(join(folder, `${file}.txt`), await read())
        },
        async stop() {
            await tmux('kill-server').catch(() => undefined)
        },
    }
}
