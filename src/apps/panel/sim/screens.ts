// The simulated consoles: a display that speaks RFB 3.8 and paints a picture, and a serial port that echoes.
import type { WebSocket } from 'ws'

const WIDTH = 640
const HEIGHT = 400

/** One client of the display: handshake without password, then raw rectangles on request. */
export function display(socket: WebSocket, name: string): void {
    let stage: 'version' | 'security' | 'init' | 'normal' = 'version'
    let waiting = Buffer.alloc(0)
    let painted = 0
    socket.send(Buffer.from('RFB 003.008\n'))
    socket.on('message', data => {
        waiting = Buffer.concat([waiting, data as Buffer])
        for (let used = step(); used > 0; used = step()) waiting = waiting.subarray(used)
    })

    /** Answers the first whole message that waits, and says how long it was. */
    function step(): number {
        if (stage === 'version' && waiting.length >= 12) {
            stage = 'security'
            socket.send(Buffer.from([1, 1]))
            return 12
        }
        if (stage === 'security' && waiting.length >= 1) {
            stage = 'init'
            socket.send(Buffer.from([0, 0, 0, 0]))
            return 1
        }
        if (stage === 'init' && waiting.length >= 1) {
            stage = 'normal'
            const title = Buffer.from(name)
            const head = Buffer.alloc(24)
            head.writeUInt16BE(WIDTH, 0)
            head.writeUInt16BE(HEIGHT, 2)
            head.set([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0], 4)
            head.writeUInt32BE(title.length, 20)
            socket.send(Buffer.concat([head, title]))
            return 1
        }
        if (stage !== 'normal' || waiting.length === 0) return 0
        switch (waiting[0]) {
            case 0:
                return waiting.length >= 20 ? 20 : 0
            case 2: {
                const size = waiting.length >= 4 ? 4 + 4 * waiting.readUInt16BE(2) : 4
                return waiting.length >= size ? size : 0
            }
            case 3:
                if (waiting.length < 10) return 0
                if (painted++ === 0 || waiting[1] === 0) paint()
                return 10
            case 4:
                return waiting.length >= 8 ? 8 : 0
            case 5:
                return waiting.length >= 6 ? 6 : 0
            case 6: {
                const size = waiting.length >= 8 ? 8 + Math.abs(waiting.readInt32BE(4)) : 8
                return waiting.length >= size ? size : 0
            }
            default:
                return waiting.length
        }
    }

    function paint(): void {
        const head = Buffer.alloc(16)
        head.writeUInt16BE(1, 2)
        head.writeUInt16BE(WIDTH, 8)
        head.writeUInt16BE(HEIGHT, 10)
        const pixels = Buffer.alloc(WIDTH * HEIGHT * 4)
        for (let y = 0; y < HEIGHT; y++)
            for (let x = 0; x < WIDTH; x++) {
                const bar = y > 40 && y < 60 && x > 40 && x < 40 + name.length * 30
                const at = (y * WIDTH + x) * 4
                pixels[at] = bar ? 240 : 60 + (x * 90) / WIDTH
                pixels[at + 1] = bar ? 240 : 30 + (y * 60) / HEIGHT
                pixels[at + 2] = bar ? 240 : 40
            }
        socket.send(Buffer.concat([head, pixels]))
    }
}

/** A login prompt that echoes what is typed. */
export function serial(socket: WebSocket, name: string): void {
    socket.send(Buffer.from(`\r\nDebian GNU/Linux 13 ${name} ttyS0\r\n\r\n${name} login: `))
    socket.on('message', (data, isBinary) => {
        // As text come words about the terminal, such as its size.
        if (!isBinary) return
        const text = (data as Buffer).toString('utf8')
        socket.send(Buffer.from(text.replace(/\r/g, `\r\n${name} login: `)))
    })
}
