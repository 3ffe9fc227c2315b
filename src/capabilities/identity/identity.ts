// Who is calling and what they may do: users, sessions, tokens, roles and grants, made into one capability.

import type { Store } from '../../drivers/etcd/store.ts'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import type { Clock, Log, System } from '../../ports/ports.ts'
import type { Caller } from '../caller.ts'
import type { Capability } from '../capability.ts'
import { type Access, createAccess } from './access.ts'
import { createAttempts } from './attempts.ts'
import { type Confirm, createConfirm } from './confirm.ts'
import { createFactors } from './factors.ts'
import { createFirstLogin } from './first.ts'
import { createGrants } from './grants.ts'
import { takeInstalled } from './installed.ts'
import type { IdentityEvent, Parts } from './parts.ts'
import { createPasswords } from './password.ts'
import { createReplica } from './replica.ts'
import { identityService } from './rpc.ts'
import { createSessions } from './sessions.ts'
import { sweep } from './sweep.ts'
import { createTokens } from './tokens.ts'
import { createUsers } from './users.ts'

export type { Presence } from './access.ts'
export type { IdentityEvent } from './parts.ts'
export { ROLES } from './permissions.ts'

const SWEEP_MS = 10 * 60_000

export interface IdentityDeps {
    store: Store
    system: System
    clock: Clock
    log: Log
    /** The copy on disk is kept here, 0600 in a folder 0700. */
    stateFolder: string
    /** Of a session, whatever happens; 12. */
    sessionHours?: number
    /** Of a session that is not used; 60. */
    idleMinutes?: number
    /** Cost of scrypt, for tests. */
    passwordCost?: { n: number; r: number; p: number }
}

export interface Identity extends Capability, Pick<Access, 'authenticate' | 'root' | 'nobody' | 'onEnd'> {
    start(): Promise<void>
    close(): Promise<void>
    /**
     * A fresh link for the first login, which makes older ones useless; undefined when there is an administrator.
     * @throws Fault `unavailable`, `unknown`
     */
    firstLogin(): Promise<{ path: string; expiresMs: number } | undefined>
    /** A one-time password that was taken elsewhere on this node is no good for a login any more. */
    spend(user: string, code: string): void
    /** A confirmation that root's service on this node has given counts here too. */
    adoptConfirmation: Confirm['byRoot']
    /** @throws Fault `denied` at `confirmation` unless the caller has confirmed lately who they are */
    needConfirmation: Confirm['need']
    /** Tags that carry grants: only those who may `identity.manage` may put them on a VM or take them off. */
    tagsWithGrants(): Set<string>
    /** For the audit log; until the returned function is called. A listener must not throw. */
    events(listener: (event: IdentityEvent) => void): () => void
}

/** Begins to follow the store with `start`; before that nobody is known. */
export function createIdentity(deps: IdentityDeps): Identity {
    const { store, clock, log } = deps
    const replica = createReplica(deps)
    const listeners = new Set<(event: IdentityEvent) => void>()
    const known = (user: string, group: string): boolean => {
        const login = replica.get('logins', user)?.doc
        return login?.uid === replica.get('users', user)?.doc.uid && login?.groups.includes(group) === true
    }
    const parts: Parts = {
        store,
        replica,
        clock,
        log,
        passwords: createPasswords(deps.passwordCost),
        attempts: createAttempts(clock, known),
        sessionMs: (deps.sessionHours ?? 12) * 3_600_000,
        idleMs: (deps.idleMinutes ?? 60) * 60_000,
        node: deps.system.hostname(),
        tell(event) {
            const whole: IdentityEvent = {
                user: '',
                from: '',
                agent: '',
                via: 'nobody' satisfies Caller['via'],
                viaId: '',
                detail: '',
                on: '',
                ...event,
            }
            for (const listener of [...listeners]) listener(whole)
        },
    }
    const access = createAccess(parts)
    const users = createUsers(parts, access)
    const factors = createFactors(parts, access, users)
    const sessions = createSessions(parts, access, factors.prove)
    const first = createFirstLogin(parts, users, sessions)
    const tokens = createTokens(parts, access)
    const grants = createGrants(parts, access)
    const confirm = createConfirm(parts, factors)
    const service = identityService(parts, { access, sessions, users, first, tokens, grants, factors, confirm })
    let stopSweep = () => {}
    let stopTaking = () => {}

    return {
        name: 'identity',
        services: router => void router.service(IdentityService, service),
        async start() {
            await replica.start()
            stopSweep = clock.every(SWEEP_MS, () => void sweep(parts))
            const path = `${deps.stateFolder}/first-admin.json`
            stopTaking = takeInstalled(parts, users, { system: deps.system, path })
        },
        async close() {
            stopSweep()
            stopTaking()
            access.close()
            await replica.close()
        },
        authenticate: access.authenticate,
        root: access.root,
        nobody: access.nobody,
        onEnd: access.onEnd,
        firstLogin: first.link,
        spend: factors.spend,
        adoptConfirmation: confirm.byRoot,
        needConfirmation: confirm.need,
        tagsWithGrants: grants.tags,
        events(listener) {
            listeners.add(listener)
            return () => void listeners.delete(listener)
        },
    }
}
