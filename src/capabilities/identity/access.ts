// From a cookie or token to a caller, and what that caller may do: looked up anew at each question, so that a change of
// role, a lock or a revocation acts at once.
import { Fault } from '../../base/fault.ts'
import type { Caller, Guarded } from '../caller.ts'
import type { SessionDoc, TokenDoc, UserDoc } from './documents.ts'
import { lacksFactor } from './factors.ts'
import type { Parts } from './parts.ts'
import { allows, ROLES } from './permissions.ts'
import type { Kept } from './replica.ts'
import { readCookie, readToken, secretFits } from './secrets.ts'

const TOUCH_MS = 60_000
const WATCH_ENDS_MS = 15_000

/** What the handlers of identity need to know beyond the caller; apart from it, so that no log shows it. */
interface Behind {
    session?: SessionDoc
    token?: TokenDoc
}

/** What a caller may do, until the copy changes or the session or token runs out. */
interface Rights {
    version: number
    untilMs: number
    /** Undefined where session, token or user no longer stand. */
    user: string | undefined
    /** Their role needs a second factor, and they have none: until then they may nothing. */
    lacking: boolean
    role: readonly string[]
    scope: readonly string[]
    onVm: Map<string, (readonly string[])[]>
    onTag: Map<string, (readonly string[])[]>
}

export interface Presence {
    /** The Cookie header, as it came. */
    cookie?: string
    /** The token, or the Authorization header as it came. With it, a cookie does not count. */
    bearer?: string
    from: string
    agent: string
}

export interface Access {
    authenticate(presence: Presence): Caller | undefined
    /** Root of this node, over its own socket. */
    root(from?: string): Caller
    /** Nobody, from an address: for open methods. */
    nobody(from: string): Caller
    /** Whether the caller's session or token still stands. */
    stands(caller: Caller): boolean
    /** Calls once when the session or token ends (revoked, expired, user locked), to cut streams. */
    onEnd(caller: Caller, listener: () => void): () => void
    sessionOf(caller: Caller): SessionDoc | undefined
    tokenOf(caller: Caller): TokenDoc | undefined
    sessionStands(session: SessionDoc): boolean
    lastUsedMs(session: SessionDoc | TokenDoc): number
    close(): void
}

export function createAccess(parts: Parts): Access {
    const { replica, clock, tell } = parts
    /** Last use, to the moment, of what was used on this node. */
    const used = new Map<string, number>()
    const behind = new WeakMap<Caller, Behind>()
    const rights = new WeakMap<Caller, Rights>()
    const endings = new Set<{ caller: Caller; listener: () => void }>()

    const lastUsedMs = (one: SessionDoc | TokenDoc): number => Math.max(one.usedMs, used.get(one.id) ?? 0)

    function owner(of: { user: string; uid: string }): UserDoc | undefined {
        const user = replica.get('users', of.user)?.doc
        return user && user.uid === of.uid && !user.locked ? user : undefined
    }
    function sessionStands(session: SessionDoc): boolean {
        const user = owner(session)
        const now = clock.now()
        return (
            user?.generation === session.generation &&
            now < session.expiresMs &&
            now - lastUsedMs(session) < parts.idleMs
        )
    }
    const tokenStands = (token: TokenDoc): boolean => owner(token) !== undefined && clock.now() < token.expiresMs

    function stands(caller: Caller): boolean {
        if (caller.via === 'root') return true
        if (caller.via === 'session') {
            const session = replica.get('sessions', caller.viaId)?.doc
            return session !== undefined && sessionStands(session)
        }
        const token = caller.via === 'token' ? replica.get('tokens', caller.viaId)?.doc : undefined
        return token !== undefined && tokenStands(token)
    }

    function touch(kind: 'sessions' | 'tokens', { doc }: Kept<SessionDoc | TokenDoc>): void {
        const now = clock.now()
        const written = doc.usedMs
        used.set(doc.id, now)
        if (now - written >= TOUCH_MS) replica.touch(kind, doc.id, now)
    }

    /** The rights as they are at this version of the copy; a list of thousands asks for each of its VMs. */
    function rightsOf(caller: Caller): Rights {
        const before = rights.get(caller)
        const now = clock.now()
        if (before && before.version === replica.version() && now < before.untilMs) return before
        const { session, token } = behind.get(caller) ?? {}
        const user = stands(caller) ? replica.get('users', caller.user)?.doc : undefined
        const latest = (session && replica.get('sessions', session.id)?.doc) ?? session
        const made: Rights = {
            version: replica.version(),
            untilMs: latest ? Math.min(latest.expiresMs, lastUsedMs(latest) + parts.idleMs) : (token?.expiresMs ?? now),
            role: ROLES.find(role => role.name === user?.role)?.permissions ?? [],
            scope: token?.scope ?? [],
            onVm: new Map(),
            onTag: new Map(),
            user: user?.name,
            lacking: user !== undefined && lacksFactor(replica, user),
        }
        for (const grant of user ? replica.grantsOf(user.name) : []) {
            const role = ROLES.find(one => one.name === grant.role && one.grantable)
            if (!role || grant.uid !== user?.uid) continue
            const [map, name] = grant.vm ? [made.onVm, grant.vm] : [made.onTag, grant.tag]
            map.set(name, [...(map.get(name) ?? []), role.permissions])
        }
        rights.set(caller, made)
        return made
    }

    /** What the user's own rights say, apart from a token's scope. */
    function holds(
        { user, lacking, role, onVm, onTag }: Rights,
        permission: string,
        object: Guarded | undefined,
    ): boolean {
        if (user === undefined || lacking) return false
        if (allows(role, permission)) return true
        if (!object) return false
        if (object.owner === user && permission.startsWith('task.')) return true
        const gives = (grants: (readonly string[])[] | undefined) =>
            grants?.some(one => allows(one, permission)) === true
        return (
            (onVm.size > 0 && gives(onVm.get(object.id.toLowerCase()))) ||
            (onTag.size > 0 && object.tags?.some(tag => gives(onTag.get(tag))) === true)
        )
    }

    /** Says the same whether an object exists or not: neither text nor timing may tell what is hidden. */
    function refuse(caller: Caller, permission: string, object: Guarded | undefined): never {
        const { user, from, via, viaId } = caller
        if (!stands(caller)) {
            throw new Fault('unauthenticated', {
                summary: 'You are not logged in',
                fix: 'Log in, or use a token that has not expired.',
            })
        }
        tell({ what: 'denied', result: 'denied', user, from, via, viaId, detail: permission, on: object?.id ?? '' })
        if (rightsOf(caller).lacking) {
            throw new Fault('denied', {
                summary: 'Your role needs a second factor',
                detail: 'you have none yet',
                fix: 'Set one up: the panel asks for it when you log in; on the command line, debvisor factor enrol',
            })
        }
        if (behind.get(caller)?.token && holds(rightsOf(caller), permission, object)) {
            throw new Fault('denied', {
                summary: 'The token may not do that',
                detail: `its scope does not hold ${permission}`,
                fix: `Make a token whose scope holds ${permission}.`,
            })
        }
        const roles = ROLES.filter(role => allows(role.permissions, permission)).map(role => role.name)
        throw new Fault('denied', {
            summary: 'You may not do that',
            detail: `it needs the permission ${permission}`,
            fix: `Ask an administrator for a role that holds it (${roles.join(', ')}), or for a grant on the VM.`,
        })
    }

    function known(of: Pick<Caller, 'user' | 'via' | 'viaId' | 'from'>, { session, token }: Behind = {}): Caller {
        const caller: Caller = {
            ...of,
            may(permission, object) {
                if (of.via === 'root') return true
                const mine = rightsOf(caller)
                if (mine.scope.length > 0 && !allows(mine.scope, permission)) return false
                return holds(mine, permission, object)
            },
            need(permission, object) {
                if (!caller.may(permission, object)) refuse(caller, permission, object)
            },
        }
        behind.set(caller, { session, token })
        return caller
    }

    const checkEndings = () => {
        for (const one of [...endings]) {
            if (stands(one.caller)) continue
            endings.delete(one)
            one.listener()
        }
    }
    const unlisten = replica.onChange(checkEndings)
    const stopTimer = clock.every(WATCH_ENDS_MS, () => {
        checkEndings()
        for (const id of used.keys()) if (!replica.get('sessions', id) && !replica.get('tokens', id)) used.delete(id)
    })

    return {
        authenticate({ cookie, bearer, from }) {
            if (bearer !== undefined) {
                const shown = readToken(bearer)
                const kept = shown && replica.get('tokens', shown.id)
                if (!kept || !secretFits(shown.secret, kept.doc.hash) || !tokenStands(kept.doc)) return undefined
                touch('tokens', kept)
                return known({ user: kept.doc.user, via: 'token', viaId: kept.doc.id, from }, { token: kept.doc })
            }
            const shown = cookie === undefined ? undefined : readCookie(cookie)
            const kept = shown && replica.get('sessions', shown.id)
            if (!kept || !secretFits(shown.secret, kept.doc.hash) || !sessionStands(kept.doc)) return undefined
            touch('sessions', kept)
            return known({ user: kept.doc.user, via: 'session', viaId: kept.doc.id, from }, { session: kept.doc })
        },
        root: (from = 'local') => known({ user: 'root', via: 'root', viaId: '', from }),
        nobody: from => known({ user: '', via: 'nobody', viaId: '', from }),
        stands,
        onEnd(caller, listener) {
            const one = { caller, listener }
            if (caller.via === 'session' || caller.via === 'token') endings.add(one)
            return () => void endings.delete(one)
        },
        sessionOf: caller => behind.get(caller)?.session,
        tokenOf: caller => behind.get(caller)?.token,
        sessionStands,
        lastUsedMs,
        close() {
            unlisten()
            stopTimer()
            endings.clear()
        },
    }
}
