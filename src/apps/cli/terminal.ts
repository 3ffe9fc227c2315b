// A terminal at the other end of a WebSocket, in this one: what is typed goes there, and what it writes comes here.
import type WebSocket from 'ws'
import type { Io } from './io.ts'

const CTRL_D = '\u0004'

export interface Far {
    /** Nobody has a terminal here: what is written there comes in two kinds, and the end of the input is told. */
    plain?: boolean
    /** Typed there instead of what comes from here; at its end Ctrl-D. */
    typed?: string
}

/** Until the other end closes; answers why it did. Rejects when the connection breaks. */
export async function joinTerminal(
    { stdin, stdout, stderr }: Io,
    socket: WebSocket,
    { plain, typed }: Far = {},
): Promise<string> {
    const size = () => {
        const { columns = 80, rows = 24 } = stdout as Io['stdout'] & { rows?: number }
        socket.send(JSON.stringify({ columns, rows }))
    }
    const onData = (data: Buffer) => socket.send(data)
    const onEnd = () => socket.send(JSON.stringify({ end: true }))
    const closed = new Promise<string>((resolve, reject) => {
        socket.once('close', (_code, reason) => resolve(reason.toString()))
        socket.once('error', reject)
    })
    socket.on('message', (data: Buffer) => {
        if (!plain) stdout.write(data)
        else (data[0] === 2 ? stderr : stdout).write(data.subarray(1))
    })
    if (!plain) {
        size()
        process.on('SIGWINCH', size)
    }
    if (typed !== undefined) socket.send(Buffer.from(`${typed}${CTRL_D}`))
    else {
        if (!plain) stdin.setRawMode?.(true)
        stdin.on('data', onData)
        stdin.once('end', onEnd)
        stdin.resume()
    }
    try {
        return await closed
    } finally {
        process.off('SIGWINCH', size)
        stdin.off('data', onData)
        stdin.off('end', onEnd)
        stdin.setRawMode?.(false)
        stdin.pause()
    }
}
