// Tokens for programs: made once, shown once, never with more than their owner may do at the time of use.

import { Fault } from '../../base/fault.ts'
import { checkText } from '../../base/ids.ts'
import type { Caller } from '../caller.ts'
import type { Access } from './access.ts'
import { keyOf, type TokenDoc } from './documents.ts'
import { noSuchUser, type Parts, whose } from './parts.ts'
import { checkPattern } from './permissions.ts'
import { needsStore } from './replica.ts'
import { hashSecret, newId, newSecret, writeToken } from './secrets.ts'

const DAY_MS = 24 * 60 * 60_000
const MOST_TOKENS = 100
const MOST_PATTERNS = 50

export interface Tokens {
    create(
        caller: Caller,
        asked: { user: string; name: string; scope: string[]; days: number },
    ): Promise<{ token: TokenDoc; secret: string }>
    list(caller: Caller, user: string): TokenDoc[]
    /** Answers whether other nodes learn of it later only. */
    revoke(caller: Caller, id: string): Promise<{ pending: boolean }>
}

export function createTokens(parts: Parts, access: Access): Tokens {
    const { replica, clock } = parts

    const of = (user: string): TokenDoc[] =>
        replica
            .all('tokens')
            .map(kept => kept.doc)
            .filter(doc => doc.user === user && replica.get('users', user)?.doc.uid === doc.uid)
            .sort((a, b) => a.createdMs - b.createdMs)

    function lifeMs(days: number): number {
        if (!Number.isInteger(days) || days < 0 || days > 366) {
            throw new Fault('invalid', {
                summary: 'A token lives 1 to 366 days',
                detail: String(days),
                fix: 'Give a number of days from 1 to 366, or none for 90.',
                at: 'days',
            })
        }
        return (days === 0 ? 90 : days) * DAY_MS
    }

    return {
        async create(caller, asked) {
            // It would live on when this one is revoked.
            if (caller.via === 'token') {
                throw new Fault('denied', {
                    summary: 'A token cannot make tokens',
                    fix: 'Log in with your password and make it in the panel, or as root of the node: debvisor token create NAME --user USER',
                })
            }
            const name = checkText(asked.name.trim(), 'name', 100)
            if (name === '' || /[\n\t]/.test(name)) {
                throw new Fault('invalid', {
                    summary: 'A token needs a name',
                    fix: 'Name what it is for, in one line.',
                    at: 'name',
                })
            }
            if (asked.scope.length > MOST_PATTERNS) {
                throw new Fault('invalid', {
                    summary: 'The scope is too long',
                    fix: `Use at most ${MOST_PATTERNS} permissions.`,
                    at: 'scope',
                })
            }
            const scope = [...new Set(asked.scope.map((pattern, i) => checkPattern(pattern, `scope[${i}]`)))]
            const user = replica.get('users', whose(caller, asked.user, 'identity.manage'))
            if (!user) {
                if (caller.via !== 'root' || asked.user !== '') throw noSuchUser(asked.user)
                throw new Fault('invalid', {
                    summary: 'Root has no tokens',
                    fix: 'Say whose token it is to be (user).',
                    at: 'user',
                })
            }
            const expiresMs = clock.now() + lifeMs(asked.days)
            if (of(user.doc.name).length >= MOST_TOKENS) {
                throw new Fault('exhausted', {
                    summary: 'The user has too many tokens',
                    detail: `${MOST_TOKENS}`,
                    fix: 'Revoke those that are not used.',
                })
            }
            const id = newId()
            const secret = newSecret()
            const token: TokenDoc = {
                id,
                user: user.doc.name,
                uid: user.doc.uid,
                name,
                scope,
                hash: hashSecret(secret),
                createdMs: clock.now(),
                expiresMs,
                usedMs: 0,
            }
            const key = keyOf('tokens', id)
            try {
                await replica.commit({
                    checks: [{ key, revision: 0 }],
                    writes: [{ put: key, value: JSON.stringify(token) }],
                })
            } catch (thrown) {
                throw needsStore(thrown)
            }
            return { token, secret: writeToken({ id, secret }) }
        },
        list: (caller, user) => of(whose(caller, user, 'identity.view')),
        async revoke(caller, id) {
            const made = access.tokenOf(caller)
            if (made && made.scope.length > 0 && made.id !== id) caller.need('identity.manage')
            const one = replica.get('tokens', id)?.doc
            if (!one || (one.user !== caller.user && !caller.may('identity.manage'))) {
                throw new Fault('not-found', {
                    summary: 'There is no such token',
                    fix: 'Look at the list of tokens.',
                    at: 'id',
                })
            }
            return { pending: !(await replica.end([keyOf('tokens', id)])) }
        },
    }
}
