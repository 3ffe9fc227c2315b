// What the parts of identity share.
import { Fault } from '../../base/fault.ts'
import type { Store } from '../../drivers/etcd/store.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import type { Caller } from '../caller.ts'
import type { Attempts } from './attempts.ts'
import type { Passwords } from './password.ts'
import type { Replica } from './replica.ts'

/** For the audit log: what is no call of its own, or has no caller yet. */
export interface IdentityEvent {
    what:
        | 'login'
        | 'login-failed'
        | 'login-held-up'
        | 'logout'
        | 'first-login'
        | 'first-login-failed'
        | 'first-admin'
        | 'denied'
    result: 'done' | 'failed' | 'denied'
    /** Empty where there is none of that name: what was typed may be a password. */
    user: string
    from: string
    agent: string
    via: Caller['via']
    /** Of the session or token. */
    viaId: string
    /** Such as the permission that lacked. */
    detail: string
    /** Id of the object that a denial was about. */
    on: string
}

export interface Parts {
    store: Store
    replica: Replica
    passwords: Passwords
    attempts: Attempts
    clock: Clock
    log: Log
    sessionMs: number
    idleMs: number
    /** Name of this node, for the apps that show one-time passwords; may be empty. */
    node: string
    tell(event: Partial<IdentityEvent> & Pick<IdentityEvent, 'what' | 'result'>): void
}

/** Where a call comes from. */
export interface Origin {
    from: string
    agent: string
}

/** The caller's own, or with the permission another's. Answers the user's name. @throws Fault `denied` */
export function whose(caller: Caller, user: string, permission: string): string {
    if (user === '' || user === caller.user) return caller.user
    caller.need(permission)
    return user
}

export const noSuchUser = (name: string): Fault =>
    new Fault('not-found', {
        summary: 'There is no such user',
        detail: JSON.stringify(name.slice(0, 64)),
        fix: 'Look at the list of users.',
        at: 'user',
    })
