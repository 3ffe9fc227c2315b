// Logging in and out: sessions, their end, and the limits on tries.
import { asFault, Fault } from '../../base/fault.ts'
import type { Write } from '../../drivers/etcd/store.ts'
import type { Caller } from '../caller.ts'
import type { Access } from './access.ts'
import { addressGroup } from './attempts.ts'
import { keyOf, type LoginDoc, type SessionDoc, type UserDoc } from './documents.ts'
import { type Factors, needsCode, type Proof, wrongCode } from './factors.ts'
import { type Origin, type Parts, whose } from './parts.ts'
import { hashSecret, newId, newSecret, type Presented } from './secrets.ts'

/** Of one user; the one used longest ago makes room. */
const MOST_SESSIONS = 50
const KNOWN_ADDRESSES = 8

export interface LoggedIn {
    user: UserDoc
    session: SessionDoc
    /** For the cookie; kept nowhere. */
    presented: Presented
}

export interface Sessions {
    /**
     * @throws Fault `unauthenticated` (the same for every reason but a lock; at `one_time_password` where the password
     * is right and the second factor is not), `exhausted`, `denied`
     */
    login(asked: { user: string; password: string; code: string }, origin: Origin): Promise<LoggedIn>
    /** A session for a user who was proved otherwise; with what makes it so in one change. */
    make(user: UserDoc, origin: Origin, proof?: Proof): { presented: Presented; session: SessionDoc; writes: Write[] }
    logout(caller: Caller): Promise<void>
    list(caller: Caller, user: string): SessionDoc[]
    /** One by id, or all of a user. */
    revoke(caller: Caller, asked: { id: string; user: string }): Promise<{ ended: number; pending: boolean }>
    /** Those of one user that stand. */
    of(user: string): SessionDoc[]
}

export function createSessions(parts: Parts, access: Access, prove: Factors['prove']): Sessions {
    const { replica, passwords, attempts, clock, tell } = parts

    const wrong = () =>
        new Fault('unauthenticated', {
            summary: 'User name or password is wrong',
            fix: 'Try again; an administrator can set a new password.',
        })

    const of = (user: string): SessionDoc[] =>
        replica
            .all('sessions')
            .map(kept => kept.doc)
            .filter(doc => doc.user === user && access.sessionStands(doc))
            .sort((a, b) => access.lastUsedMs(b) - access.lastUsedMs(a))

    function make(user: UserDoc, { from, agent }: Origin, proof?: Proof) {
        const presented = { id: newId(), secret: newSecret() }
        const now = clock.now()
        const session: SessionDoc = {
            id: presented.id,
            user: user.name,
            uid: user.uid,
            generation: user.generation,
            hash: hashSecret(presented.secret),
            from,
            // Comes from strangers; shown in lists.
            agent: agent.replace(/[^\x20-\x7e]/g, '').slice(0, 200),
            createdMs: now,
            expiresMs: now + parts.sessionMs,
            usedMs: now,
        }
        const before = replica.get('logins', user.name)?.doc
        const mine = before?.uid === user.uid ? before : undefined
        const groups = [addressGroup(from), ...(mine?.groups ?? [])]
        const step = proof?.step ?? mine?.step
        const login: LoginDoc = {
            user: user.name,
            uid: user.uid,
            atMs: now,
            groups: [...new Set(groups)].slice(0, KNOWN_ADDRESSES),
            ...(step === undefined ? {} : { step }),
        }
        const { factor } = user
        const spent = proof?.recovery
        const left =
            factor && spent ? { ...factor, recovery: factor.recovery.filter(hash => hash !== spent) } : undefined
        const writes: Write[] = [
            { put: keyOf('sessions', session.id), value: JSON.stringify(session) },
            { put: keyOf('logins', user.name), value: JSON.stringify(login) },
            ...(left ? [{ put: keyOf('users', user.name), value: JSON.stringify({ ...user, factor: left }) }] : []),
            ...of(user.name)
                .slice(MOST_SESSIONS - 1)
                .map(old => ({ remove: keyOf('sessions', old.id) })),
        ]
        return { presented, session, writes }
    }

    /** Only while the user is as what was shown was checked against; anew where something else about them changed. */
    async function keep(user: UserDoc, origin: Origin, proof: Proof | undefined): Promise<LoggedIn> {
        const loginKey = keyOf('logins', user.name)
        for (let tries = 0; tries < 4; tries++) {
            const kept = replica.get('users', user.name)
            const same = kept && kept.doc.uid === user.uid && kept.doc.password.hash === user.password.hash
            if (!same || kept.doc.locked || kept.doc.factor?.secret !== user.factor?.secret) throw wrong()
            const before = replica.get('logins', user.name)
            // Another node may have taken the same one meanwhile.
            if (proof?.recovery && !kept.doc.factor?.recovery.includes(proof.recovery)) throw wrongCode()
            if (proof?.step && before?.doc.uid === user.uid && (before.doc.step ?? 0) >= proof.step) throw wrongCode()
            const { presented, session, writes } = make(kept.doc, origin, proof)
            try {
                const checks = [{ key: keyOf('users', user.name), revision: kept.revision }]
                if (proof?.step) checks.push({ key: loginKey, revision: before?.revision ?? 0 })
                await replica.commit({ checks, writes })
            } catch (thrown) {
                const { code } = asFault(thrown)
                if (code === 'conflict') {
                    await replica.refresh('users', user.name)
                    if (proof) await replica.refresh('logins', user.name)
                    continue
                }
                // A recovery code that cannot be crossed out is not taken.
                if ((code !== 'unavailable' && code !== 'unknown') || proof?.recovery) throw thrown
                await replica.keepLocal(session)
            }
            return { user: kept.doc, session, presented }
        }
        throw new Fault('conflict', { summary: 'The user changed while they logged in', fix: 'Log in again.' })
    }

    /** Undefined for who has no second factor. Told as a failed login where it is wrong. */
    function second(user: UserDoc, code: string, failed: () => void): Proof | undefined {
        if (!user.factor) return undefined
        if (code.trim() === '') throw needsCode()
        try {
            return prove(user, code)
        } catch (thrown) {
            failed()
            throw thrown
        }
    }

    async function login(asked: { user: string; password: string; code: string }, origin: Origin): Promise<LoggedIn> {
        const name = asked.user.trim().toLowerCase()
        const kept = replica.get('users', name)
        const about = { ...origin, user: kept ? name : '' }
        let attempt: ReturnType<typeof attempts.begin>
        try {
            attempt = attempts.begin(name, origin.from)
        } catch (thrown) {
            if (attempts.firstOfLock(name, origin.from)) tell({ what: 'login-held-up', result: 'denied', ...about })
            throw thrown
        }
        try {
            const fits = await passwords.fits(asked.password, kept?.doc.password, origin.from)
            if (!kept || !fits) {
                attempt.failed()
                tell({ what: 'login-failed', result: 'failed', ...about })
                throw wrong()
            }
            if (kept.doc.locked) {
                attempt.succeeded()
                tell({ what: 'login-failed', result: 'denied', ...about, detail: 'locked' })
                throw new Fault('denied', { summary: 'This user is locked', fix: 'Ask an administrator to unlock it.' })
            }
            const proof = second(kept.doc, asked.code, () => {
                attempt.failed()
                tell({ what: 'login-failed', result: 'failed', ...about, detail: 'second factor' })
            })
            const done = await keep(kept.doc, origin, proof)
            if (proof?.recovery) parts.log.info('A recovery code was used', { user: name })
            attempt.succeeded()
            tell({ what: 'login', result: 'done', ...about, via: 'session', viaId: done.session.id })
            return done
        } finally {
            attempt.dropped()
        }
    }

    async function revoke(caller: Caller, { id, user }: { id: string; user: string }) {
        const token = access.tokenOf(caller)
        if (token && token.scope.length > 0) caller.need('identity.manage')
        let chosen: SessionDoc[]
        if (id !== '') {
            const one = replica.get('sessions', id)?.doc
            // Another's session is as good as none to those who may not touch it.
            if (!one || (one.user !== caller.user && !caller.may('identity.manage'))) {
                throw new Fault('not-found', {
                    summary: 'There is no such session',
                    fix: 'Look at the list of sessions.',
                    at: 'id',
                })
            }
            chosen = [one]
        } else {
            const name = whose(caller, user, 'identity.manage')
            chosen = replica
                .all('sessions')
                .map(kept => kept.doc)
                .filter(doc => doc.user === name)
        }
        const ended = chosen.filter(access.sessionStands).length
        const there = await replica.end(chosen.map(doc => keyOf('sessions', doc.id)))
        return { ended, pending: !there }
    }

    return {
        login,
        make,
        of,
        revoke,
        async logout(caller) {
            const session = access.sessionOf(caller)
            if (!session) {
                throw new Fault('precondition', {
                    summary: 'There is no session to end',
                    fix: 'Revoke a token with RevokeToken.',
                })
            }
            await replica.end([keyOf('sessions', session.id)])
            const { user, from, via, viaId } = caller
            tell({ what: 'logout', result: 'done', user, from, via, viaId, agent: session.agent })
        },
        list: (caller, user) => of(whose(caller, user, 'identity.view')),
    }
}
