// QEMU's monitor: keeps an emulated machine awake, presses keys, and takes pictures of its screen.
import { stat } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

const POKE_MS = 2000

/** The words for QEMU's command line that make the monitor at `path`. */
export const monitorAt = (path: string): string[] => ['-monitor', `unix:${path},server=on,wait=off`]

export interface Poke {
    /** Lets the monitor carry out these, each a line. */
    say(...commands: string[]): void
    end(): void
}

/**
 * Asks QEMU's monitor something again and again: the main loop of QEMU 7.2 can sleep over what a guest waits for, minutes
 * long with nothing to run, until anything wakes it.
 */
export function pokeNowAndThen(path: string): Poke {
    let socket: Socket | undefined
    const say = (...commands: string[]) => {
        if (!socket) {
            socket = connect(path)
            socket.resume()
            socket.on('error', () => {
                socket = undefined
            })
        }
        for (const command of commands) socket.write(`${command}\n`)
    }
    const timer = setInterval(() => say('info status'), POKE_MS)
    return {
        say,
        end() {
            clearInterval(timer)
            socket?.destroy()
        },
    }
}

/** What is on the screen, as a PNG. */
export async function picture(poke: Poke, path: string): Promise<void> {
    poke.say(`screendump ${path} -f png`)
    const end = Date.now() + 30_000
    for (let bytes = -1; ; ) {
        await pause(500)
        const now = await stat(path).then(
            ({ size }) => size,
            () => 0,
        )
        if (now > 0 && now === bytes) return
        bytes = now
        if (Date.now() > end) throw new Error(`QEMU took no picture: ${path}`)
    }
}
