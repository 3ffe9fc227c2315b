// One piece of an upload over HTTP: its range, its silence, and what is answered.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Fault } from '../../base/fault.ts'
import type { Clock } from '../../ports/ports.ts'

const SILENCE_MS = 60_000

/** The piece does not begin where the last one ended. */
export class WrongPlace extends Error {}

/** From which byte up to which (exclusive) a request sends. @throws Fault `invalid` */
export function rangeOf(request: IncomingMessage, sizeBytes: number): { from: number; end: number } {
    const header = request.headers['content-range']
    const length = request.headers['content-length']
    const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header ?? '')
    // A plain PUT is the whole of it.
    const [from, last, total] = match ? match.slice(1).map(Number) : header ? [] : [0, sizeBytes - 1, sizeBytes]
    if (from === undefined || last === undefined || last < from) {
        throw new Fault('invalid', {
            summary: 'The range of the piece is not understood',
            detail: JSON.stringify(String(header).slice(0, 80)),
            fix: 'Send Content-Range: bytes FIRST-LAST/SIZE.',
            at: 'content-range',
        })
    }
    if (total !== sizeBytes || last >= sizeBytes) throw tooMuch(Math.max(total ?? 0, last + 1), sizeBytes)
    if (length !== undefined && Number(length) !== last + 1 - from) {
        throw new Fault('invalid', {
            summary: 'The piece is not as long as its range says',
            detail: `${length} bytes for ${header ?? `${sizeBytes} bytes`}`,
            fix: 'Send just the bytes of the range.',
            at: 'content-length',
        })
    }
    return { from, end: last + 1 }
}

/** Ends a request that says nothing for a minute: what has arrived is kept. */
export function watchSilence(request: IncomingMessage, clock: Clock): () => void {
    return clock.after(SILENCE_MS, () => request.destroy(new Error('nothing came for a minute')))
}

export interface Progress {
    receivedBytes: number
    sizeBytes: number
    task: string
}

/** Says how far the upload is, in whatever way the request ends. */
export function answer(response: ServerResponse, status: number, upload: Progress, problem: object = {}): void {
    const { receivedBytes, sizeBytes, task } = upload
    response.writeHead(status, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
    })
    response.end(`${JSON.stringify({ ...problem, receivedBytes, sizeBytes, task })}\n`)
}

export const gone = () =>
    new Fault('cancelled', {
        summary: 'The upload was ended',
        detail: 'while a piece was arriving',
        fix: 'Look at its task.',
    })

export const tooMuch = (bytes: number, most: number) =>
    new Fault('invalid', {
        summary: 'More bytes come than were announced',
        detail: `${bytes} where ${most} is the end`,
        fix: 'Begin the upload again with the right size.',
        at: 'content-range',
    })

export const cutShort = (bytes: number, end: number) =>
    new Fault('unavailable', {
        summary: 'The piece ended before its end',
        detail: `${bytes} of ${end} bytes are here`,
        fix: 'Ask how many bytes have arrived, and go on from there.',
    })
