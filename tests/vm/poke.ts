// Keeps an emulated machine awake.
import { connect, type Socket } from 'node:net'

const POKE_MS = 2000

/** The words for QEMU's command line that make the monitor at `path`. */
export const monitorAt = (path: string): string[] => ['-monitor', `unix:${path},server=on,wait=off`]

/**
 * Asks QEMU's monitor something again and again: the main loop of QEMU 7.2 can sleep over what a guest waits for, minutes
 * long with nothing to run, until anything wakes it.
 */
export function pokeNowAndThen(path: string): { end(): void } {
    let socket: Socket | undefined
    const timer = setInterval(() => {
        if (!socket) {
            socket = connect(path)
            socket.resume()
            socket.on('error', () => {
                socket = undefined
            })
        }
        socket.write('info status\n')
    }, POKE_MS)
    return {
        end() {
            clearInterval(timer)
            socket?.destroy()
        },
    }
}
