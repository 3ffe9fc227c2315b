// Waiting for a condition with a deadline, and whether a Unix socket answers.
import { createConnection } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** Resolves when the condition holds; rejects with what was waited for after the deadline, or when it is called off. */
export async function waitFor(
    what: string,
    { deadlineMs, signal }: { deadlineMs: number; signal?: AbortSignal },
    holds: () => Promise<boolean>,
): Promise<void> {
    const end = Date.now() + deadlineMs
    while (!(await holds())) {
        signal?.throwIfAborted()
        if (Date.now() > end) throw new Error(`waited ${deadlineMs / 1000} s for ${what}`)
        await pause(100)
    }
}

/** `refused` (nothing listens or nothing is there), `denied` (not for this user) or `open`. */
export function knock(socketPath: string): Promise<'open' | 'denied' | 'refused'> {
    return new Promise(resolve => {
        const socket = createConnection(socketPath)
        socket.once('connect', () => {
            socket.destroy()
            resolve('open')
        })
        socket.once('error', (trouble: NodeJS.ErrnoException) =>
            resolve(trouble.code === 'EACCES' ? 'denied' : 'refused'),
        )
    })
}
