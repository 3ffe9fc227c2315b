// A fresh confirmation for what is dangerous and is done by this daemon: password and second factor, checked like a login.
import { Fault } from '../../base/fault.ts'
import type { Caller } from '../caller.ts'
import { type Confirmed, createConfirmed, needsCodeHere, wrongCodeHere, wrongPassword } from './confirmed.ts'
import type { UserDoc } from './documents.ts'
import type { Factors, Shown } from './factors.ts'
import type { Parts } from './parts.ts'

export interface Confirm {
    /**
     * @throws Fault `denied` at `password` or `one_time_password` (the session stands, whatever was typed), `exhausted`
     * after too many tries
     */
    confirm(caller: Caller, shown: Shown): Promise<Confirmed>
    /** By the login itself. */
    byLogin(user: UserDoc, session: { id: string; from: string }): Confirmed
    /** By root's service on this node, which has checked the same. */
    byRoot(caller: Caller, token: string): void
    /**
     * For what needs that permission. Root of the node is never asked, nor a program whose token was made for just this:
     * its scope names the permission itself. Users and rights are always a person's.
     * @throws Fault `denied` at `confirmation`
     */
    need(caller: Caller, token: string, permission?: string): void
}

export function createConfirm({ replica, passwords, attempts, clock }: Parts, factors: Factors): Confirm {
    const confirmed = createConfirmed(clock)
    const userOf = (caller: Caller) => replica.get('users', caller.user)?.doc

    /** Whoever made the token has confirmed it, and that permission by its name. */
    const isMeant = ({ via, viaId }: Caller, permission: string) =>
        via === 'token' &&
        permission !== '' &&
        !permission.startsWith('identity.') &&
        replica.get('tokens', viaId)?.doc.scope.includes(permission) === true

    /** A recovery code is for logins alone: it would be spent by a click. */
    function prove(user: UserDoc, code: string, failed: () => void): void {
        if (!user.factor) return
        if (code.trim() === '') throw needsCodeHere()
        if (!factors.take(user, code)) {
            failed()
            throw wrongCodeHere()
        }
    }

    return {
        async confirm(caller, { password, code }) {
            if (caller.via === 'root') throw rootHasNone()
            const attempt = attempts.begin(caller.user, caller.from)
            try {
                const user = userOf(caller)
                if (!(await passwords.fits(password, user?.password, caller.from)) || !user) {
                    attempt.failed()
                    throw wrongPassword()
                }
                prove(user, code, () => attempt.failed())
                attempt.succeeded()
                return confirmed.issue(caller, user)
            } finally {
                attempt.dropped()
            }
        },
        byLogin: (user, { id, from }) => confirmed.issue({ user: user.name, viaId: id, from }, user),
        byRoot(caller, token) {
            const user = userOf(caller)
            if (user) confirmed.adopt(token, caller, user)
        },
        need(caller, token, permission = '') {
            if (caller.via === 'root' || isMeant(caller, permission)) return
            confirmed.need(caller, token, userOf(caller))
        },
    }
}

const rootHasNone = () =>
    new Fault('denied', {
        summary: 'Root has no password here that could be checked',
        fix: 'Leave it out: root of the node is not asked to confirm anything.',
    })
