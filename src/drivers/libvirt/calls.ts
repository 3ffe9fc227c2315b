// The calls of one connection: encoded, queued, at most four in flight, each with its deadline, matched by serial.
import type { Fault } from '../../base/fault.ts'
import { type Calls, type NetMessageError, PROCEDURES, type Procedure } from '../../gen/libvirt/protocol.ts'
import type { Clock } from '../../ports/ports.ts'
import { faultOf, lateFault, lostFault } from './errors.ts'
import { type Frame, type Header, KIND, STATUS } from './framing.ts'
import { decode, encode } from './xdr.ts'

/** libvirtd reads 5 requests of a client; with all 5 busy it reads no pings, and keepalive ends the connection. */
export const MAX_IN_FLIGHT = 4
const READ_DEADLINE_MS = 30_000
const CHANGE_DEADLINE_MS = 300_000

export interface CallOptions {
    /** From the call to the answer, waiting for its turn included; Infinity for none. 30 s, 5 min for what changes. */
    deadlineMs?: number
}

export type CallArguments<N extends keyof Calls> = Calls[N][0] extends void
    ? [args?: undefined, options?: CallOptions]
    : Partial<Calls[N][0]> extends Calls[N][0]
      ? [args?: Calls[N][0], options?: CallOptions]
      : [args: Calls[N][0], options?: CallOptions]

export type Call = <N extends keyof Calls>(name: N, ...rest: CallArguments<N>) => Promise<Calls[N][1]>

/** What the layers above a call need to hear before the next frame is looked at. */
export interface CallHooks {
    onSent?: (serial: number) => void
    onReply?: (reply: unknown) => void
    deadlineMs?: number
}

interface Pending {
    name: keyof Calls
    procedure: Procedure
    payload: Buffer
    hooks: CallHooks
    deadlineMs: number
    resolve: (reply: unknown) => void
    reject: (fault: unknown) => void
    stopTimer: () => void
    sent: boolean
    settled: boolean
}

export class CallTable {
    readonly #clock: Clock
    readonly #send: (header: Header, payload: Buffer) => void
    readonly #onStuck: () => void
    readonly #waiting: Pending[] = []
    readonly #inFlight = new Map<number, Pending>()
    #serial = 1

    /** `onStuck` is called when the last place, too, is held by a call whose deadline has passed. */
    constructor(clock: Clock, send: (header: Header, payload: Buffer) => void, onStuck = (): void => undefined) {
        this.#clock = clock
        this.#send = send
        this.#onStuck = onStuck
    }

    /** @throws Fault `invalid` (as a rejection) when the arguments do not fit: then nothing is sent */
    submit<N extends keyof Calls>(name: N, args: Calls[N][0] | undefined, hooks: CallHooks): Promise<Calls[N][1]> {
        return new Promise((resolve, reject) => {
            const procedure = PROCEDURES[name]
            const payload = procedure.args ? encode(procedure.args, args ?? {}) : Buffer.alloc(0)
            const deadlineMs = hooks.deadlineMs ?? (procedure.reads ? READ_DEADLINE_MS : CHANGE_DEADLINE_MS)
            const pending: Pending = {
                ...{ name, procedure, payload, hooks, deadlineMs, reject },
                resolve: resolve as (reply: unknown) => void,
                stopTimer: () => undefined,
                sent: false,
                settled: false,
            }
            if (deadlineMs < Number.POSITIVE_INFINITY) {
                pending.stopTimer = this.#clock.after(deadlineMs, () => this.#late(pending))
            }
            this.#waiting.push(pending)
            this.#sendNext()
        })
    }

    /** Takes the answer to a call. One that cannot be read costs this call, not the connection. */
    answer(frame: Frame): void {
        const pending = this.#inFlight.get(frame.serial)
        if (!pending) return
        this.#inFlight.delete(frame.serial)
        const { name, procedure } = pending
        try {
            if (frame.status === STATUS.error) {
                throw faultOf(decode('NetMessageError', frame.payload) as NetMessageError, name)
            }
            const reply = procedure.ret ? decode(procedure.ret, frame.payload) : undefined
            pending.hooks.onReply?.(reply)
            if (!pending.settled) {
                pending.settled = true
                pending.stopTimer()
                pending.resolve(reply)
            }
        } catch (thrown) {
            this.#reject(pending, thrown)
        }
        this.#sendNext()
    }

    /** Rejects everything: what was sent and changes something with `unknown`, the rest with `unavailable`. */
    end(why: Fault): void {
        for (const pending of this.#inFlight.values()) {
            this.#reject(pending, lostFault(pending.name, !!pending.procedure.reads, why))
        }
        this.#inFlight.clear()
        // What was never sent has not happened, whatever it would have changed.
        for (const pending of this.#waiting.splice(0)) this.#reject(pending, lostFault(pending.name, true, why))
    }

    #sendNext(): void {
        while (this.#inFlight.size < MAX_IN_FLIGHT) {
            const pending = this.#waiting.shift()
            if (!pending) return
            const serial = this.#serial++
            pending.sent = true
            this.#inFlight.set(serial, pending)
            pending.hooks.onSent?.(serial)
            const { program, number } = pending.procedure
            this.#send({ program, procedure: number, kind: KIND.call, serial, status: STATUS.ok }, pending.payload)
        }
    }

    #late(pending: Pending): void {
        if (pending.settled) return
        if (!pending.sent) this.#waiting.splice(this.#waiting.indexOf(pending), 1)
        const { sent, deadlineMs } = pending
        this.#reject(pending, lateFault(pending.name, { reads: !!pending.procedure.reads, sent, deadlineMs }))
        const held = [...this.#inFlight.values()]
        if (held.length >= MAX_IN_FLIGHT && held.every(other => other.settled)) this.#onStuck()
    }

    #reject(pending: Pending, fault: unknown): void {
        if (pending.settled) return
        pending.settled = true
        pending.stopTimer()
        pending.reject(fault)
    }
}
