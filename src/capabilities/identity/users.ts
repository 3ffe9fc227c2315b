// Users: made, changed, deleted; and why the last administrator stays one.

import { asFault, Fault } from '../../base/fault.ts'
import { checkText } from '../../base/ids.ts'
import type { Check, Entry, Snapshot, Write } from '../../drivers/etcd/store.ts'
import type { Caller } from '../caller.ts'
import type { Access } from './access.ts'
import { keyOf, PREFIX, readDoc, type UserDoc } from './documents.ts'
import { noSuchUser, type Parts } from './parts.ts'
import { checkPassword } from './password.ts'
import { ROLES, roleNamed, within } from './permissions.ts'
import { needsStore } from './replica.ts'
import { newId } from './secrets.ts'
import { checkUserName } from './user-name.ts'

export const taken = (name: string): Fault =>
    new Fault('exists', {
        summary: 'There is a user of that name',
        detail: name,
        fix: 'Choose another name.',
        at: 'name',
    })

export interface NewUser {
    name: string
    role: string
    fullName: string
    password: string
}

export interface UserChange {
    role?: string
    fullName?: string
    locked?: boolean
    password?: string
}

export interface Users {
    list(): UserDoc[]
    create(caller: Caller, asked: NewUser): Promise<UserDoc>
    update(caller: Caller, name: string, change: UserChange): Promise<UserDoc>
    remove(caller: Caller, name: string): Promise<void>
    /** The caller's own, and every other session of theirs ends. */
    changePassword(caller: Caller, asked: { old: string; next: string }): Promise<void>
    /** Changes one user as they are in the store now. */
    edit(name: string, edit: (user: UserDoc) => UserDoc): Promise<void>
    /** Ends every session of the user on every node by one write. */
    endSessions(name: string): Promise<void>
    /** All as they are in the store now, not as the copy has them: what is decided by them must be true. */
    fresh(): Promise<{ users: { doc: UserDoc; entry: Entry }[]; snapshot: Snapshot }>
    /** Checked already, stored by the caller. */
    make(asked: NewUser, from: string): Promise<UserDoc>
}

export const isAdmin = (user: UserDoc): boolean => user.role === 'admin'
const canAdminister = (user: UserDoc): boolean => isAdmin(user) && !user.locked

/** What a change of a user takes along, in one go with it; asked anew for each try. */
type Also = (tries: number) => Promise<{ checks: Check[]; writes: Write[] }>

export function createUsers(parts: Parts, access: Access): Users {
    const { store, replica, passwords, attempts, clock } = parts

    async function fresh() {
        const snapshot = await store.list(`${PREFIX}users/`)
        const users = snapshot.entries.flatMap(entry => {
            const doc = readDoc('users', entry.value)
            return doc ? [{ doc, entry }] : []
        })
        return { users, snapshot }
    }

    /**
     * Changes or deletes one user. Where that takes away an administrator, another one is named as witness and the
     * change holds only while the witness is as they were: of two who lower one another, one fails.
     */
    async function alter(name: string, edit: (user: UserDoc) => UserDoc | undefined, also?: Also) {
        for (let tries = 0; ; tries++) {
            try {
                const more = await also?.(tries)
                const { users } = await fresh()
                const found = users.find(({ doc }) => doc.name === name)
                if (!found) throw noSuchUser(name)
                const next = edit(found.doc)
                const { key, revision } = found.entry
                const checks: Check[] = [{ key, revision }, ...(more?.checks ?? [])]
                if (canAdminister(found.doc) && !(next && canAdminister(next))) {
                    const witness = users.find(({ doc }) => doc.name !== name && canAdminister(doc))
                    if (!witness) throw lastAdmin()
                    checks.push({ key: witness.entry.key, revision: witness.entry.revision })
                }
                const write: Write = next ? { put: key, value: JSON.stringify(next) } : { remove: key }
                await replica.commit({ checks, writes: [write, ...(more?.writes ?? [])] })
                return { before: found.doc, after: next }
            } catch (thrown) {
                if (asFault(thrown).code !== 'conflict' || tries >= 4) throw needsStore(thrown)
            }
        }
    }
    const lastAdmin = () =>
        new Fault('precondition', {
            summary: 'The last administrator must stay one',
            detail: 'no other user with the role admin could log in',
            fix: 'Make another administrator first.',
        })

    /** A token with a scope cannot hand out what it does not hold, or it could make itself an administrator. */
    function mayGive(caller: Caller, role: string): void {
        const scope = access.tokenOf(caller)?.scope ?? []
        const patterns = ROLES.find(r => r.name === role)?.permissions ?? []
        if (role === '' || within(scope, patterns)) return
        throw new Fault('denied', {
            summary: 'The token may not give that role',
            detail: `its scope holds less than the role ${role}`,
            fix: 'Log in, or use a token without a scope.',
        })
    }
    function mayTouch(caller: Caller, user: UserDoc): void {
        mayGive(caller, user.role)
    }
    function maySetPassword(caller: Caller): void {
        if (caller.via !== 'token') return
        throw new Fault('denied', {
            summary: 'A token may not set passwords',
            fix: 'Log in with a password, or use the CLI as root on the node.',
        })
    }

    async function newUser(asked: NewUser, from: string): Promise<UserDoc> {
        return {
            name: asked.name,
            uid: newId(),
            role: asked.role,
            fullName: asked.fullName,
            locked: false,
            password: { ...(await passwords.hash(asked.password, from)) },
            generation: newId(),
            createdMs: clock.now(),
        }
    }
    async function create(caller: Caller, asked: NewUser): Promise<UserDoc> {
        const name = checkUserName(asked.name, 'name')
        if (asked.role !== '') roleNamed(asked.role)
        checkFullName(asked.fullName)
        checkPassword(asked.password, name)
        mayGive(caller, asked.role)
        if (replica.get('users', name)) throw taken(name)
        const user = await newUser(asked, caller.from)
        const key = keyOf('users', name)
        try {
            await replica.commit({
                checks: [{ key, revision: 0 }],
                writes: [{ put: key, value: JSON.stringify(user) }],
            })
        } catch (thrown) {
            throw asFault(thrown).code === 'conflict' ? taken(name) : needsStore(thrown)
        }
        return user
    }

    async function update(caller: Caller, name: string, change: UserChange): Promise<UserDoc> {
        if (change.role) roleNamed(change.role)
        if (change.fullName !== undefined) checkFullName(change.fullName)
        if (change.role !== undefined) mayGive(caller, change.role)
        let fields: Partial<UserDoc> = {}
        if (change.password !== undefined) {
            maySetPassword(caller)
            checkPassword(change.password, name)
            if (!replica.get('users', name)) throw noSuchUser(name)
            fields = { password: { ...(await passwords.hash(change.password, caller.from)) }, generation: newId() }
        }
        if (change.role !== undefined) fields.role = change.role
        if (change.fullName !== undefined) fields.fullName = change.fullName
        if (change.locked !== undefined) {
            fields.locked = change.locked
            // What was open before the lock stays ended when it is lifted.
            if (change.locked) fields.generation = newId()
        }
        const { after } = await alter(name, user => {
            mayTouch(caller, user)
            return { ...user, ...fields }
        })
        return after!
    }

    /** What is left of a user that is gone. It gives no access any more, as the user's uid is in it. */
    async function clear(user: UserDoc): Promise<void> {
        const left = (['sessions', 'tokens', 'grants'] as const).flatMap(kind =>
            replica
                .all(kind)
                .filter(({ doc }) => doc.uid === user.uid)
                .map(({ doc }): Write => ({ remove: keyOf(kind, doc.id) })),
        )
        for (let i = 0; i < left.length; i += 50) {
            await replica.commit({ checks: [], writes: left.slice(i, i + 50) })
        }
    }

    async function changePassword(caller: Caller, asked: { old: string; next: string }): Promise<void> {
        const session = access.sessionOf(caller)
        if (!session) {
            throw new Fault('denied', {
                summary: 'A password is changed by its owner, logged in with it',
                fix: 'Log in with the password; an administrator can set a new one with UpdateUser.',
            })
        }
        checkPassword(asked.next, caller.user, 'new_password')
        const attempt = attempts.begin(caller.user, caller.from)
        try {
            const user = replica.get('users', caller.user)?.doc
            if (!(await passwords.fits(asked.old, user?.password, caller.from))) {
                attempt.failed()
                throw new Fault('invalid', {
                    summary: 'The old password is wrong',
                    fix: 'Try again, or ask an administrator to set a new one.',
                    at: 'old_password',
                })
            }
            attempt.succeeded()
            const password = { ...(await passwords.hash(asked.next, caller.from)) }
            const generation = newId()
            /** Moved on with the password, but only if it was not ended meanwhile. */
            const keepMine: Also = async tries => {
                if (tries > 0) await replica.refresh('sessions', session.id)
                const mine = replica.get('sessions', session.id)
                if (!mine) throw new Fault('unauthenticated', { summary: 'You are not logged in', fix: 'Log in.' })
                const key = keyOf('sessions', session.id)
                const value = JSON.stringify({ ...mine.doc, generation })
                return { checks: [{ key, revision: mine.revision }], writes: [{ put: key, value }] }
            }
            await alter(
                caller.user,
                now => {
                    // What was checked is the password that the copy had.
                    if (now.password.hash !== user?.password.hash) {
                        throw new Fault('precondition', {
                            summary: 'The password was changed by someone else at the same time',
                            fix: 'Log in again with the new one.',
                        })
                    }
                    return { ...now, password, generation }
                },
                keepMine,
            )
        } finally {
            attempt.dropped()
        }
    }

    return {
        list: () =>
            replica
                .all('users')
                .map(kept => kept.doc)
                .sort((a, b) => (a.name < b.name ? -1 : 1)),
        create,
        update,
        async remove(caller, name) {
            const login: Write = { remove: keyOf('logins', name) }
            const { before } = await alter(
                name,
                user => {
                    mayTouch(caller, user)
                    return undefined
                },
                async () => ({ checks: [], writes: [login] }),
            )
            await clear(before).catch(thrown =>
                parts.log.warn('Something of a deleted user is left; it is cleared later', { message: String(thrown) }),
            )
        },
        changePassword,
        async edit(name, edit) {
            await alter(name, edit)
        },
        async endSessions(name) {
            await alter(name, user => ({ ...user, generation: newId() }))
        },
        fresh,
        make: newUser,
    }
}

function checkFullName(text: string): void {
    checkText(text, 'full_name', 200)
    if (/[\n\t]/.test(text)) {
        throw new Fault('invalid', {
            summary: 'A name has one line',
            fix: 'Leave out line breaks and tabs.',
            at: 'full_name',
        })
    }
}
