// A fresh confirmation by the person: password and second factor are checked here, by root; it is good for five minutes.
import { createHash, randomBytes } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import type { Attempts } from '../../capabilities/identity/attempts.ts'
import type { UserDoc } from '../../capabilities/identity/documents.ts'
import { needsCode, OTP_AT, wrongCode } from '../../capabilities/identity/factors.ts'
import { stepOf } from '../../capabilities/identity/otp.ts'
import type { Passwords } from '../../capabilities/identity/password.ts'
import type { Known } from '../../capabilities/identity/person.ts'
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
    /**
     * @throws Fault `denied` (the same for every reason but a lock and a role; at `one_time_password` where the password
     * is right and the second factor is not), `exhausted` after too many tries
     */
    confirm(person: Person, shown: Shown): Promise<{ token: string; expiresMs: number }>
    /** @throws Fault `denied` unless this person has confirmed lately and is still the administrator that they were */
    need(person: Person, token: string): Promise<void>
}

export interface Shown {
    password: string
    /** Empty for who has no second factor. */
    code: string
}

interface Confirmed extends Person {
    uid: string
    generation: string
    untilTicks: number
}

/** All in memory: a restart of the service asks everybody again. */
export function createConfirmations(deps: {
    personOf(name: string): Promise<Known | undefined>
    passwords: Passwords
    attempts: Attempts
    clock: Clock
}): Confirmations {
    const { personOf, passwords, attempts, clock } = deps
    const kept = new Map<string, Confirmed>()
    /** By uid, the step of the last one-time password taken here: the copy of identity knows those of logins alone. */
    const taken = new Map<string, number>()
    // As with sessions: whoever reads memory or a core has no token.
    const keyOf = (token: string) => createHash('sha256').update(token).digest('hex')

    /** A recovery code is not taken: it is good for one login, and only rpcd could cross it out. */
    function prove({ user, step: before }: Known, code: string, failed: () => void): void {
        if (!user.factor) return
        if (code.trim() === '') throw asDenied(needsCode())
        const after = Math.max(before, taken.get(user.uid) ?? 0)
        const step = stepOf(code, { secret: user.factor.secret, nowMs: clock.now(), after })
        if (step === undefined) {
            failed()
            throw asDenied(wrongCode())
        }
        taken.set(user.uid, step)
    }

    return {
        async confirm(person, { password, code }) {
            if (person.user === 'root') throw rootHasNone()
            const attempt = attempts.begin(person.user, person.from)
            try {
                const known = await personOf(person.user)
                if (!(await passwords.fits(password, known?.user.password, person.from)) || !known) {
                    attempt.failed()
                    throw new Fault('denied', {
                        summary: 'The password is wrong',
                        fix: 'Type the password that you log in with.',
                        at: 'password',
                    })
                }
                const { user } = known
                prove(known, code, () => attempt.failed())
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
            const user = (await personOf(person.user))?.user
            // A new password or a lock takes back what was confirmed before it.
            if (!user || user.uid !== found.uid || user.generation !== found.generation) throw unconfirmed()
            needAdmin(user)
        },
    }
}

/** The session stands: what was typed is wrong, not who they are. */
const asDenied = ({ summary, detail }: Fault) =>
    new Fault('denied', { summary, detail, fix: 'Type the next one that your app shows.', at: OTP_AT })

/** `at` of the Fault that asks for a confirmation. */
export const CONFIRM_AT = 'confirmation'

const unconfirmed = () =>
    new Fault('denied', {
        summary: 'This is to be confirmed with your password',
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
