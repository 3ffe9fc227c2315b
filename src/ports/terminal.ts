// A program at a terminal of its own (pty): by script(1) and stty(1), which every Debian has, as Node makes none by itself.
import type { ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { System, Terminal } from './ports.ts'

export interface Doors extends Pick<System, 'run' | 'readText' | 'readLink'> {
    /** Starts a program whose output is read and whose input is written; it is not waited for. */
    start(
        argv: readonly [string, ...string[]],
        env: Record<string, string>,
    ): ChildProcessByStdio<Writable, Readable, null>
}

const TRIES = 50
const TRY_EVERY_MS = 20
const KILL_AFTER_MS = 2_000
const STTY_MS = 5_000

/** A word for the shell that script(1) runs its command with. */
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

export function openTerminal(
    doors: Doors,
    argv: readonly [string, ...string[]],
    env: Record<string, string>,
): Terminal {
    // -f: each byte at once; -e: the code of the program; echo, although what script itself reads is no terminal.
    const command = `exec ${argv.map(quoted).join(' ')}`
    const child = doors.start(['script', '-qfe', '--echo', 'always', '-c', command, '/dev/null'], env)
    let over = false
    const ended = new Promise<number>(resolve => {
        child.on('error', () => resolve(127))
        child.on('close', code => resolve(code ?? 129))
    }).finally(() => {
        over = true
    })
    child.stdin.on('error', () => {})
    let device: string | undefined
    return {
        output: child.stdout,
        // What comes after its end is typed for nobody.
        write: typed => new Promise(resolve => child.stdin.write(typed, () => resolve())),
        finish: () => void child.stdin.end(),
        ended,
        async resize({ columns, rows }) {
            for (let tries = 0; !device && !over && tries < TRIES; tries++) {
                device = await deviceOf(doors, child.pid)
                if (!device) await pause(TRY_EVERY_MS)
            }
            if (!device || over) return
            // The kernel tells the program in front (SIGWINCH), as it is set at the program's own end.
            const size = ['rows', String(rows), 'cols', String(columns)]
            // A terminal that is gone by now has no size, and nobody misses it.
            await doors.run({ argv: ['stty', '-F', device, ...size], deadlineMs: STTY_MS }).catch(() => undefined)
        },
        end() {
            if (over) return
            // Without script nobody holds the other end of the terminal: the kernel hangs up.
            child.kill('SIGTERM')
            const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
            void ended.then(() => clearTimeout(timer))
        },
    }
}

/** Such as /dev/pts/3: what the one child of script has as its standard input. */
async function deviceOf(doors: Doors, pid: number | undefined): Promise<string | undefined> {
    const children = await doors.readText(`/proc/${pid}/task/${pid}/children`).catch(() => undefined)
    const first = children?.trim().split(' ')[0]
    const device = first ? await doors.readLink(`/proc/${first}/fd/0`).catch(() => undefined) : undefined
    return device && /^\/dev\/pts\/\d+$/.test(device) ? device : undefined
}
