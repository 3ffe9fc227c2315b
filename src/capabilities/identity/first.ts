// The link of the first login: makes the first administrator, once, within fifteen minutes.
import { asFault, Fault } from '../../base/fault.ts'
import { FIRST_KEY, keyOf, PREFIX, readFirst } from './documents.ts'
import type { Origin, Parts } from './parts.ts'
import { checkPassword } from './password.ts'
import { hashSecret, newSecret, secretFits } from './secrets.ts'
import type { LoggedIn, Sessions } from './sessions.ts'
import { checkUserName } from './user-name.ts'
import { isAdmin, taken, type Users } from './users.ts'

const LIFE_MS = 15 * 60_000

export interface FirstLogin {
    /** A new link; those made before no longer work. Undefined once there is an administrator. */
    link(): Promise<{ path: string; expiresMs: number } | undefined>
    /** @throws Fault `unauthenticated` (the same for a wrong, old or used secret), `invalid`, `exists` */
    redeem(asked: { secret: string; user: string; password: string }, origin: Origin): Promise<LoggedIn>
}

export function createFirstLogin(parts: Parts, users: Users, sessions: Sessions): FirstLogin {
    const { store, replica, attempts, clock, tell } = parts
    const stale = () =>
        new Fault('unauthenticated', {
            summary: 'This link does not work, or no longer',
            fix: 'Make a new one as root on the node: debvisor user first-login.',
        })
    const hasAdmin = (all: Awaited<ReturnType<Users['fresh']>>['users']) => all.some(({ doc }) => isAdmin(doc))

    /** Counts the wrong link, and says so at most as often as the count lets it. @throws Fault `exhausted` */
    function refused(origin: Origin): Fault {
        attempts.begin('', origin.from).failed()
        tell({ what: 'first-login-failed', result: 'failed', ...origin })
        return stale()
    }

    return {
        async link() {
            if (hasAdmin((await users.fresh()).users)) return undefined
            const secret = newSecret()
            const expiresMs = clock.now() + LIFE_MS
            await store.put(FIRST_KEY, JSON.stringify({ hash: hashSecret(secret), expiresMs }))
            return { path: `/#/first/${secret}`, expiresMs }
        },
        async redeem(asked, origin) {
            try {
                const entry = await store.get(FIRST_KEY)
                const first = entry && readFirst(entry.value)
                // Looked at before anything is counted: nobody guesses 256 bits, and who tries must not hold up the owner.
                const fits = first && secretFits(asked.secret, first.hash) && first.expiresMs > clock.now()
                if (!entry || !fits) throw refused(origin)
                const { users: all, snapshot } = await users.fresh()
                if (hasAdmin(all)) throw refused(origin)
                const name = checkUserName(asked.user)
                checkPassword(asked.password, name)
                if (all.some(({ doc }) => doc.name === name)) throw taken(name)
                const { password } = asked
                const user = await users.make({ name, password, role: 'admin', fullName: '' }, origin.from)
                const { presented, session, writes } = sessions.make(user, origin)
                // Of two who hold the link one deletes it; and no user may have been made since they were read.
                await replica.commit({
                    checks: [
                        { key: FIRST_KEY, revision: entry.revision },
                        { prefix: `${PREFIX}users/`, since: snapshot.revision },
                    ],
                    writes: [
                        { remove: FIRST_KEY },
                        { put: keyOf('users', name), value: JSON.stringify(user) },
                        ...writes,
                    ],
                })
                const { id: viaId } = session
                tell({ what: 'first-login', result: 'done', ...origin, user: name, via: 'session', viaId })
                return { user, session, presented }
            } catch (thrown) {
                throw asFault(thrown).code === 'conflict' ? stale() : thrown
            }
        },
    }
}
