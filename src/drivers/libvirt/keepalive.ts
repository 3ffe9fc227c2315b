// libvirt's keepalive: pings of ours that must be answered, and answers to those of the daemon.
import type { Clock } from '../../ports/ports.ts'
import { type Frame, type Header, KIND, STATUS } from './framing.ts'

const KEEPALIVE = { program: 0x6b656570, ping: 1, pong: 2 } as const

export interface KeepaliveOptions {
    clock: Clock
    /** Pings of ours: how often, and how many may go unanswered. */
    intervalMs: number
    count: number
    /** False leaves the daemon's pings unanswered: for tests of a silent client. */
    answers: boolean
    send(header: Header): void
    /** Called when so many pings went unanswered. */
    onSilence(detail: string): void
}

export interface Keepalive {
    readonly seen: { pings: number; pongs: number }
    start(): void
    stop(): void
    /** While we do not read, the daemon's answers wait in the socket. */
    setPaused(paused: boolean): void
    receive(frame: Frame): void
}

export const isKeepalive = (frame: Frame): boolean => frame.program === KEEPALIVE.program

export function createKeepalive(options: KeepaliveOptions): Keepalive {
    const { clock, intervalMs, count, answers } = options
    const seen = { pings: 0, pongs: 0 }
    let unanswered = 0
    let isPaused = false
    let stop = (): void => undefined
    const send = (procedure: number): void => {
        const { program } = KEEPALIVE
        options.send({ program, procedure, kind: KIND.message, serial: 0, status: STATUS.ok })
    }
    return {
        seen,
        start() {
            stop = clock.every(intervalMs, () => {
                if (isPaused) return
                if (unanswered++ >= count) options.onSilence(`${count} pings unanswered, ${intervalMs} ms apart`)
                else send(KEEPALIVE.ping)
            })
        },
        stop: () => stop(),
        setPaused(paused) {
            isPaused = paused
            unanswered = 0
        },
        receive(frame) {
            unanswered = 0
            if (frame.procedure === KEEPALIVE.pong) {
                seen.pongs++
                return
            }
            seen.pings++
            if (answers) send(KEEPALIVE.pong)
        },
    }
}
