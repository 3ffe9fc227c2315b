// The bytes of an upload as they come: written in order, counted, and kept whatever becomes of the connection.
import type { Hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Fault } from '../../base/fault.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { Clock, System } from '../../ports/ports.ts'
import { cutShort, gone, rangeOf, tooMuch, WrongPlace, watchSilence } from './upload-piece.ts'
import type { Session, Sessions } from './upload-sessions.ts'

export interface Open {
    session: Session
    /** Of all bytes so far; undefined after a restart: then it is read from the file. */
    hash?: Hash
    busy: boolean
    arrived: { promise: Promise<void>; resolve: () => void; reject: (why: unknown) => void }
    running?: RunningTask
}

/** What a crash costs at most: so many bytes are sent again. */
const SAVE_BYTES = 32 * 1024 * 1024

/**
 * Answers what takes one piece, from the place where the last one ended. @throws WrongPlace when it begins elsewhere;
 * Fault `invalid`, `unavailable` when it ends too early, `cancelled`
 */
export function createReceiving(deps: {
    system: System
    clock: Clock
    sessions: Sessions
    isOpen(id: string): boolean
    tell(opened: Open): void
}): (opened: Open, request: IncomingMessage) => Promise<void> {
    const { system, clock, sessions, isOpen, tell } = deps
    return async (opened, request) => {
        const { session } = opened
        const { from, end } = rangeOf(request, session.sizeBytes)
        if (from !== session.receivedBytes || opened.busy) throw new WrongPlace()
        opened.busy = true
        const file = await system.openWritable(`${sessions.dataOf(session.id)}/part`, 0o600).catch(thrown => {
            opened.busy = false
            throw thrown
        })
        let savedBytes = from
        const settle = async () => {
            await file.sync()
            // Gone meanwhile: cancelled, or the task failed.
            if (isOpen(session.id)) await sessions.save(session)
            savedBytes = session.receivedBytes
        }
        let silent = watchSilence(request, clock)
        try {
            for await (const chunk of request as AsyncIterable<Uint8Array>) {
                silent()
                if (!isOpen(session.id)) throw gone()
                if (session.receivedBytes + chunk.length > end) throw tooMuch(session.receivedBytes + chunk.length, end)
                await file.write(chunk, session.receivedBytes)
                opened.hash?.update(chunk)
                session.receivedBytes += chunk.length
                tell(opened)
                if (session.receivedBytes - savedBytes >= SAVE_BYTES) await settle()
                silent = watchSilence(request, clock)
            }
            if (session.receivedBytes < end) throw cutShort(session.receivedBytes, end)
        } catch (thrown) {
            // A connection that broke is no failure of ours.
            throw thrown instanceof Fault ? thrown : cutShort(session.receivedBytes, end)
        } finally {
            silent()
            opened.busy = false
            try {
                if (session.receivedBytes > savedBytes || session.receivedBytes === session.sizeBytes) await settle()
            } finally {
                await file.close()
            }
        }
        if (session.receivedBytes === session.sizeBytes) opened.arrived.resolve()
    }
}
