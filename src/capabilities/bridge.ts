// Bytes between a WebSocket and a stream, at the pace of the slower one.
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

/** Above this the stream is not read until the browser has caught up. */
const BUFFER_MAX_BYTES = 1024 * 1024
const PING_MS = 20_000

export interface BridgeOptions {
    /** Takes what comes as text instead of bytes: words about the stream, not for it. */
    onText?(text: string): void
    /** What the other side is told when the stream has ended by itself. */
    farewell?(): Promise<string>
}

/** Joins both until one ends; resolves when both are closed. Never throws: the end of one is the end of the other. */
export function bridge(socket: WebSocket, stream: Duplex, options: BridgeOptions = {}): Promise<void> {
    return new Promise(resolve => {
        let answered = true
        const ping = setInterval(() => {
            if (!answered) return socket.terminate()
            answered = false
            socket.ping()
        }, PING_MS)
        ping.unref()
        socket.on('pong', () => {
            answered = true
        })
        stream.on('data', (data: Buffer) => {
            if (socket.readyState !== socket.OPEN) return
            socket.send(data, { binary: true }, () => {
                if (stream.isPaused() && socket.bufferedAmount < BUFFER_MAX_BYTES / 2) stream.resume()
            })
            if (socket.bufferedAmount > BUFFER_MAX_BYTES) stream.pause()
        })
        socket.on('message', (data: Buffer, isBinary: boolean) => {
            if (!isBinary && options.onText) return options.onText(data.toString('utf8'))
            if (stream.writable && !stream.write(data)) {
                socket.pause()
                stream.once('drain', () => socket.resume())
            }
        })
        let ended = false
        const end = (code: number, reason: string) => {
            if (ended) return
            ended = true
            clearInterval(ping)
            stream.destroy()
            if (socket.readyState === socket.OPEN) socket.close(code, reason)
            else socket.terminate()
            resolve()
        }
        const over = () => {
            const said = options.farewell?.() ?? Promise.resolve('the console has ended')
            said.catch(() => 'the console has ended').then(words => end(1000, words))
        }
        stream.on('end', over)
        stream.on('close', over)
        stream.on('error', () => end(1011, 'the console was lost'))
        socket.on('close', () => end(1000, ''))
        socket.on('error', () => end(1011, ''))
    })
}
