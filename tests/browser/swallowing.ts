// A TCP proxy for the tests that can stop handing on what comes, without closing anything: a network that swallows packets.
import { connect, createServer, type Socket } from 'node:net'

export interface Swallowing {
    port: number
    /** From now on nothing is handed on, in either direction, on connections of before and of after. */
    swallow(): void
    /** All that waited goes on, as after packets that were sent again. */
    pass(): void
    /** New connections are handed on; those of before stay silent for ever, as behind a router that has forgotten them. */
    forget(): void
    close(): Promise<void>
}

export async function swallowing(target: number): Promise<Swallowing> {
    const sockets = new Set<Socket>()
    const silent = new Set<Socket>()
    const unheard = new Set<Socket>()
    let isSilent = false
    const hush = (one: Socket): void => {
        silent.add(one)
        one.pause()
    }
    const server = createServer(near => {
        const far = connect(target, '127.0.0.1')
        for (const [one, other] of [
            [near, far],
            [far, near],
        ] as const) {
            sockets.add(one)
            one.on('error', () => other.destroy())
            one.on('close', () => {
                sockets.delete(one)
                // What closes while nothing gets through is not heard of on the other side.
                if (silent.delete(one)) unheard.add(other)
                else other.destroy()
            })
            one.on('data', chunk => void other.write(chunk))
            if (isSilent) hush(one)
        }
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return {
        port: (server.address() as { port: number }).port,
        swallow() {
            isSilent = true
            for (const one of sockets) hush(one)
        },
        pass() {
            isSilent = false
            silent.clear()
            for (const one of unheard) one.destroy()
            for (const one of sockets) one.resume()
        },
        forget() {
            isSilent = false
        },
        close: () =>
            new Promise(resolve => {
                server.close(() => resolve())
                for (const one of sockets) one.destroy()
            }),
    }
}
