// A fresh confirmation by the person: password and second factor are checked here, by root; it is good for five minutes.
import { Fault } from '../../base/fault.ts'
import type { Attempts } from '../../capabilities/identity/attempts.ts'
import {
    type Confirmed,
    createConfirmed,
    needsCodeHere,
    type Person,
    wrongCodeHere,
    wrongPassword,
} from '../../capabilities/identity/confirmed.ts'
import type { UserDoc } from '../../capabilities/identity/documents.ts'
import { stepOf } from '../../capabilities/identity/otp.ts'
import type { Passwords } from '../../capabilities/identity/password.ts'
import type { Known } from '../../capabilities/identity/person.ts'
import type { Clock } from '../../ports/ports.ts'

export type { Person } from '../../capabilities/identity/confirmed.ts'

export interface Confirmations {
    /**
     * @throws Fault `denied` (the same for every reason but a lock and a role; at `one_time_password` where the password
     * is right and the second factor is not), `exhausted` after too many tries
     */
    confirm(person: Person, shown: Shown): Promise<Confirmed>
    /** @throws Fault `denied` unless this person has confirmed lately and is still the administrator that they were */
    need(person: Person, token: string): Promise<void>
}

export interface Shown {
    password: string
    /** Empty for who has no second factor. */
    code: string
}

/** All in memory: a restart of the service asks everybody again. */
export function createConfirmations(deps: {
    personOf(name: string): Promise<Known | undefined>
    passwords: Passwords
    attempts: Attempts
    clock: Clock
}): Confirmations {
    const { personOf, passwords, attempts, clock } = deps
    const confirmed = createConfirmed(clock)
    /** By uid, the step of the last one-time password taken here: the copy of identity knows those of logins alone. */
    const taken = new Map<string, number>()

    /** A recovery code is not taken: it is good for one login, and only rpcd could cross it out. */
    function prove({ user, step: before }: Known, code: string, failed: () => void): void {
        if (!user.factor) return
        if (code.trim() === '') throw needsCodeHere()
        const after = Math.max(before, taken.get(user.uid) ?? 0)
        const step = stepOf(code, { secret: user.factor.secret, nowMs: clock.now(), after })
        if (step === undefined) {
            failed()
            throw wrongCodeHere()
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
                    throw wrongPassword()
                }
                const { user } = known
                prove(known, code, () => attempt.failed())
                attempt.succeeded()
                needAdmin(user)
                return confirmed.issue(person, user)
            } finally {
                attempt.dropped()
            }
        },
        async need(person, token) {
            const user = (await personOf(person.user))?.user
            confirmed.need(person, token, user)
            if (user) needAdmin(user)
        },
    }
}

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
