// Tickets for WebSockets: random, bound to user and object, good once and for 30 s; only their hashes are kept.
import { createHash, randomBytes } from 'node:crypto'
import { Fault } from '../base/fault.ts'
import type { Clock } from '../ports/ports.ts'

export const TICKET_LIFE_MS = 30_000
/** Of one user, unused: nobody opens so many consoles in half a minute, and nobody uses up those of others. */
const TICKETS_PER_USER = 100

export interface Tickets<T extends { user: string }> {
    /** The secret, to be given to its user and nobody else. @throws Fault `exhausted` */
    issue(ticket: T): string
    /** What the ticket is for; it is spent by this. @throws Fault `denied` for one that is unknown, spent or too old */
    redeem(secret: string): T
}

export function createTickets<T extends { user: string }>(clock: Clock): Tickets<T> {
    const open = new Map<string, T & { untilMs: number }>()
    const hash = (secret: string) => createHash('sha256').update(secret).digest('base64url')
    const sweep = () => {
        for (const [key, { untilMs }] of open) if (untilMs <= clock.ticks()) open.delete(key)
    }
    return {
        issue(ticket) {
            sweep()
            if ([...open.values()].filter(one => one.user === ticket.user).length >= TICKETS_PER_USER) {
                throw new Fault('exhausted', {
                    summary: 'You are opening too many consoles at once',
                    fix: 'Wait half a minute and try again.',
                })
            }
            const secret = randomBytes(32).toString('base64url')
            open.set(hash(secret), { ...ticket, untilMs: clock.ticks() + TICKET_LIFE_MS })
            return secret
        },
        redeem(secret) {
            sweep()
            const key = hash(secret)
            const found = open.get(key)
            open.delete(key)
            if (found) return found
            throw new Fault('denied', {
                summary: 'The ticket of this console is not valid',
                detail: 'it was used already, or is older than 30 seconds',
                fix: 'Open the console again.',
            })
        },
    }
}
