// A real program at a real terminal: what is typed and shown, its size, its end, and what is left of it (nothing).
import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Terminal } from './ports.ts'
import { realSystem } from './real.ts'

const system = realSystem()
const typed = (text: string) => new TextEncoder().encode(text)

/** All that is shown; `until` waits for some of it. */
function watched(terminal: Terminal) {
    let text = ''
    const over = (async () => {
        for await (const piece of terminal.output) text += Buffer.from(piece).toString()
    })()
    return { over, text: () => text, until: (what: RegExp) => expect.poll(() => text, { timeout: 8000 }).toMatch(what) }
}

it('is a terminal of the size that it is told, by day one and while a program runs', async () => {
    const terminal = system.openTerminal(
        ['sh', '-c', 'trap "stty size" WINCH; tty; while :; do read -r x; echo "got <$x>"; done'],
        {},
    )
    const shown = watched(terminal)
    await shown.until(/\/dev\/pts\/\d+/)
    await terminal.resize({ columns: 132, rows: 43 })
    await terminal.write(typed('hello\n'))
    await shown.until(/43 132/)
    await terminal.resize({ columns: 80, rows: 24 })
    await terminal.write(typed('again\n'))
    await shown.until(/got <again>/)
    await shown.until(/24 80/)
    // Typed characters are shown, as at any terminal.
    expect(shown.text()).toContain('hello\r\n')
    terminal.end()
    await terminal.ended
})

it('says with what the program ended, and takes its words as they are', async () => {
    const terminal = system.openTerminal(['sh', '-c', 'printf "%s|" "$@"; exit 7', 'sh', "it's", '$(id)', 'a b'], {
        X: '1',
    })
    const shown = watched(terminal)
    expect(await terminal.ended).toBe(7)
    await shown.over
    expect(shown.text()).toBe("it's|$(id)|a b|")
    // Nobody is there any more, and nothing is thrown.
    await terminal.write(typed('late\n'))
    await terminal.resize({ columns: 80, rows: 24 })
    terminal.end()
})

it('hangs up on all that was started there', async () => {
    const terminal = system.openTerminal(['sh', '-c', 'sleep 600 & echo "pid=$! $$"; wait'], {})
    const shown = watched(terminal)
    await shown.until(/pid=\d+ \d+/)
    const pids = /pid=(\d+) (\d+)/.exec(shown.text())!.slice(1)
    expect(pids.every(pid => existsSync(`/proc/${pid}`))).toBe(true)
    terminal.end()
    await terminal.ended
    await expect.poll(() => pids.filter(pid => existsSync(`/proc/${pid}`)), { timeout: 8000 }).toEqual([])
})

it('ends like a program that is not there, where there is none', async () => {
    expect(await system.openTerminal(['/no/such/program'], {}).ended).toBe(127)
})
