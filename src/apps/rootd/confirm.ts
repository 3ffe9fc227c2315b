// A fresh confirmation by the person: the password is checked here, by root, and what it proves is good for five minutes.
import { createHash, randomBytes } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import type { Attempts } from '../../capabilities/identity/attempts.ts'
import type { UserDoc } from '../../capabilities/identity/documents.ts'
import type { Passwords } from '../../capabilities/identity/password.ts'
import type { Clock } from '../../ports/ports.ts'

export const CONFIRMED_MS = 5 * 60_000
/** Of all people together; the oldest makes room. */
const KEPT = 100

export interface Person {
    user: string
    from: string
    /** Id of the session or token: a confirmation is good for that one alone. */
    viaId: string
}

export interface Confirmations {
    /** @throws Fault `denied` (the same for every reason but a lock and a role), `exhausted` after too many tries */
    confirm(person: Person, password: string): Promise<{ token: string; expiresMs: number }>
    /** @throws Fault `denied` unless this person has confirmed lately and is still the administrator that they were */
    need(person: Person, token: string): Promise<void>
}

interface Confirmed extends Person {
    uid: string
    generation: string
    untilTicks: number
}

/** All in memory: a restart of the service asks everybody again. */
export function createConfirmations(deps: {
    personOf(name: string): Promise<UserDoc | undefined>
    passwords: Passwords
    attempts: Attempts
    clock: Clock
}): Confirmations {
    const { personOf, passwords, attempts, clock } = deps
    const kept = new Map<string, Confirmed>()
    // As with sessions: whoever reads memory or a core has no token.
    const keyOf = (token: string) => createHash('sha256').update(token).digest('hex')

    return {
        async confirm(person, password) {
            if (person.user === 'root') throw rootHasNone()
            const attempt = attempts.begin(person.user, person.from)
            try {
                const user = await personOf(person.user)
                if (!(await passwords.fits(password, user?.password, person.from)) || !user) {
                    attempt.failed()
                    throw new Fault('denied', {
                        summary: 'The password is wrong',
                        fix: 'Type the password that you log in with.',
                        at: 'password',
                    })
                }
                attempt.succeeded()
                needAdmin(user)
                const token = randomBytes(32).toString('base64url')
                if (kept.size >= KEPT) kept.delete(kept.keys().next().value!)
                kept.set(keyOf(token), {
                    ...person,
                    ...{ uid: user.uid, generation: user.generation, untilTicks: clock.ticks() + CONFIRMED_MS },
                })
                return { token, expiresMs: clock.now() + CONFIRMED_MS }
            } finally {
                attempt.dropped()
            }
        },
        async need(person, token) {
            const found = token === '' ? undefined : kept.get(keyOf(token))
            if (found && clock.ticks() > found.untilTicks) kept.delete(keyOf(token))
            const fresh = found && clock.ticks() <= found.untilTicks
            if (!fresh || found.user !== person.user || found.viaId !== person.viaId) throw unconfirmed()
            const user = await personOf(person.user)
            // A new password or a lock takes back what was confirmed before it.
            if (!user || user.uid !== found.uid || user.generation !== found.generation) throw unconfirmed()
            needAdmin(user)
        },
    }
}

/** `at` of the Fault that asks for a confirmation. */
export const CONFIRM_AT = 'confirmation'

const unconfirmed = () =>
    new Fault('denied', {
        summary: 'A change of the node is to be confirmed with your password',
        detail: 'nobody has confirmed it in the last five minutes',
        fix: 'Type your password, then do it again.',
        at: CONFIRM_AT,
    })

function needAdmin(user: UserDoc): void {
    if (user.role === 'admin' && !user.locked) return
    throw new Fault('denied', {
        summary: 'Only administrators change the node',
        detail: user.locked ? `${user.name} is locked` : `${user.name} is none`,
        fix: 'Ask an administrator.',
    })
}

const rootHasNone = () =>
    new Fault('denied', {
        summary: 'Root has no password here that could be checked',
        fix: 'On the node itself root needs no service: debvisor node apply',
    })
