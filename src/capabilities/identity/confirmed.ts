// Who has confirmed lately who they are: kept in memory by the daemon that asks for it, and good for five minutes.
import { createHash, randomBytes } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import type { Clock } from '../../ports/ports.ts'
import type { UserDoc } from './documents.ts'
import { needsCode, OTP_AT, wrongCode } from './factors.ts'

export const CONFIRMED_MS = 5 * 60_000
/** Of all people together; the oldest makes room. */
const KEPT = 1000

/** `at` of the Fault that asks for a confirmation. */
export const CONFIRM_AT = 'confirmation'

export interface Person {
    user: string
    from: string
    /** Id of the session or token: a confirmation is good for that one alone. */
    viaId: string
}

export interface Confirmed {
    token: string
    expiresMs: number
}

export interface Confirmations {
    /** For who was proved to be this user just now. */
    issue(person: Person, user: UserDoc): Confirmed
    /** One that another service of this node has issued. */
    adopt(token: string, person: Person, user: UserDoc): void
    /** @throws Fault `denied` at `confirmation` unless this person, who is this user now, has confirmed lately */
    need(person: Person, token: string, user: UserDoc | undefined): void
}

/** All in memory: a restart of the service asks everybody again. */
export function createConfirmed(clock: Clock): Confirmations {
    const kept = new Map<string, Person & { uid: string; generation: string; untilTicks: number }>()
    // As with sessions: whoever reads memory or a core has no token.
    const keyOf = (token: string) => createHash('sha256').update(token).digest('hex')

    function adopt(token: string, { user, from, viaId }: Person, { uid, generation }: UserDoc): void {
        if (kept.size >= KEPT) kept.delete(kept.keys().next().value!)
        kept.set(keyOf(token), { user, from, viaId, uid, generation, untilTicks: clock.ticks() + CONFIRMED_MS })
    }
    return {
        adopt,
        issue(person, user) {
            const token = randomBytes(32).toString('base64url')
            adopt(token, person, user)
            return { token, expiresMs: clock.now() + CONFIRMED_MS }
        },
        need(person, token, user) {
            const found = token === '' ? undefined : kept.get(keyOf(token))
            if (found && clock.ticks() > found.untilTicks) kept.delete(keyOf(token))
            const fresh = found && clock.ticks() <= found.untilTicks
            if (!fresh || found.user !== person.user || found.viaId !== person.viaId) throw unconfirmed()
            // A new password or a lock takes back what was confirmed before it.
            if (!user || user.uid !== found.uid || user.generation !== found.generation) throw unconfirmed()
        },
    }
}

const unconfirmed = () =>
    new Fault('denied', {
        summary: 'This is to be confirmed with your password',
        detail: 'nobody has confirmed it in the last five minutes',
        fix: 'Type your password, then do it again.',
        at: CONFIRM_AT,
    })

export const wrongPassword = () =>
    new Fault('denied', {
        summary: 'The password is wrong',
        fix: 'Type the password that you log in with.',
        at: 'password',
    })

/** The session stands: what was typed is wrong, not who they are. */
const asDenied = ({ summary, detail }: Fault) =>
    new Fault('denied', { summary, detail, fix: 'Type the next one that your app shows.', at: OTP_AT })
export const needsCodeHere = () => asDenied(needsCode())
export const wrongCodeHere = () => asDenied(wrongCode())
