// The second factor of a person: set up, asked for, taken away; and which roles need one.
import { asFault, Fault } from '../../base/fault.ts'
import type { Caller } from '../caller.ts'
import type { Access } from './access.ts'
import { type FactorDoc, keyOf, type UserDoc } from './documents.ts'
import { factorUri, newFactorSecret, newRecoveryCodes, recoveryOf, stepOf } from './otp.ts'
import { noSuchUser, type Parts } from './parts.ts'
import { roleNamed } from './permissions.ts'
import { needsStore } from './replica.ts'
import type { Users } from './users.ts'

/** From the QR code to the first one-time password. */
const PENDING_MS = 10 * 60_000
const MOST_PENDING = 200
export const OTP_AT = 'one_time_password'
const POLICY = 'factor'

/** That somebody has the second factor: by a one-time password of a time step, or by a recovery code (its hash). */
export type Proof = { step: number; recovery?: undefined } | { recovery: string; step?: undefined }

export interface Factors {
    /** A secret for an app; nothing is asked for before it is confirmed. */
    begin(caller: Caller, password: string): Promise<{ secret: string; uri: string }>
    /** With the first one-time password it is set up. Answers the recovery codes, once. */
    confirm(caller: Caller, code: string): Promise<string[]>
    /** One's own; with the password and a code of it. */
    remove(caller: Caller, shown: Shown): Promise<void>
    /** Another's, who has lost theirs. */
    reset(caller: Caller, user: string): Promise<void>
    renewCodes(caller: Caller, shown: Shown): Promise<string[]>
    /** Takes a code, so that it is not taken again. @throws Fault `unauthenticated` at `one_time_password` */
    prove(user: UserDoc, code: string): Proof
    /** Takes a one-time password, never a recovery code; false where it is not the right one. */
    take(user: UserDoc, code: string): boolean
    /** A code that was taken elsewhere on this node is no good for a login any more. */
    spend(user: string, code: string): void
    requiredRoles(): string[]
    require(roles: string[]): Promise<string[]>
}

export interface Shown {
    password: string
    code: string
}

export const needsCode = () =>
    new Fault('unauthenticated', {
        summary: 'A one-time password is needed',
        fix: 'Type the one that your app shows, or a recovery code.',
        at: OTP_AT,
    })

export const wrongCode = () =>
    new Fault('unauthenticated', {
        summary: 'The one-time password is wrong',
        detail: 'it is not the one of this half minute, or it was used already',
        fix: 'Type the next one that your app shows; the clocks of device and node must be right. Or use a recovery code.',
        at: OTP_AT,
    })

/** The roles that need a second factor. */
export const requiredRoles = (replica: Parts['replica']): readonly string[] =>
    replica.get('policies', POLICY)?.doc.roles ?? []

/** Whether the user's role needs a second factor that they do not have. */
export const lacksFactor = (replica: Parts['replica'], user: UserDoc): boolean =>
    user.factor === undefined && user.role !== '' && requiredRoles(replica).includes(user.role)

export function createFactors(parts: Parts, access: Access, users: Users): Factors {
    const { replica, passwords, attempts, clock } = parts
    const pending = new Map<string, { secret: string; untilTicks: number }>()
    /** By uid; the store knows it only a moment later. */
    const taken = new Map<string, number>()

    const lastStep = (user: UserDoc): number => {
        const login = replica.get('logins', user.name)?.doc
        return Math.max(login?.uid === user.uid ? (login.step ?? 0) : 0, taken.get(user.uid) ?? 0)
    }

    function takeStep(user: UserDoc, code: string): number | undefined {
        if (!user.factor) return undefined
        const { secret } = user.factor
        const step = stepOf(code, { secret, nowMs: clock.now(), after: lastStep(user) })
        if (step !== undefined) taken.set(user.uid, step)
        return step
    }

    function prove(user: UserDoc, code: string): Proof {
        const { factor } = user
        if (!factor) throw noFactor()
        const step = takeStep(user, code)
        if (step !== undefined) return { step }
        const recovery = recoveryOf(code, factor.recovery)
        if (recovery === undefined) throw wrongCode()
        return { recovery }
    }

    /** Their own user, logged in with a password: a token or root has no second factor. */
    function ownUser(caller: Caller): UserDoc {
        const user = access.sessionOf(caller) && replica.get('users', caller.user)?.doc
        if (user) return user
        throw new Fault('denied', {
            summary: 'A second factor is changed by its owner, logged in with their password',
            fix: 'Log in with the password. An administrator takes a lost one away: debvisor factor reset NAME',
        })
    }

    /** Checks what was shown, counted like a login; then does the work. */
    async function guarded<T>(caller: Caller, check: (user: UserDoc) => Promise<void> | void, work: () => Promise<T>) {
        const user = ownUser(caller)
        const attempt = attempts.begin(caller.user, caller.from)
        try {
            try {
                await check(user)
            } catch (thrown) {
                if (['invalid', 'unauthenticated'].includes(asFault(thrown).code)) attempt.failed()
                // The session stands: what was typed is wrong, not who they are.
                throw asInvalid(thrown)
            }
            attempt.succeeded()
            return await work()
        } finally {
            attempt.dropped()
        }
    }
    async function checkPassword(user: UserDoc, password: string, from: string): Promise<void> {
        if (await passwords.fits(password, user.password, from)) return
        throw new Fault('invalid', {
            summary: 'The password is wrong',
            fix: 'Type the password that you log in with.',
            at: 'password',
        })
    }

    async function put(name: string, edit: (factor: FactorDoc | undefined) => FactorDoc | undefined): Promise<void> {
        await users.edit(name, user => ({ ...user, factor: edit(user.factor) }))
    }

    /** Password and code, then the change. A recovery code that was shown is spent by it. */
    async function withBoth(caller: Caller, { password, code }: Shown, edit: Parameters<typeof put>[1]) {
        let proof: Proof | undefined
        await guarded(
            caller,
            async user => {
                if (!user.factor) throw noFactor()
                await checkPassword(user, password, caller.from)
                proof = prove(user, code)
            },
            () =>
                put(caller.user, factor => {
                    if (proof?.recovery && !factor?.recovery.includes(proof.recovery)) throw wrongCode()
                    return edit(factor)
                }),
        )
    }

    return {
        async begin(caller, password) {
            const user = ownUser(caller)
            if (user.factor) {
                throw new Fault('exists', {
                    summary: 'You have a second factor already',
                    fix: 'Take it away first, then set up the new one.',
                })
            }
            return guarded(
                caller,
                one => checkPassword(one, password, caller.from),
                async () => {
                    const secret = newFactorSecret()
                    if (pending.size >= MOST_PENDING) pending.delete(pending.keys().next().value!)
                    pending.set(user.uid, { secret, untilTicks: clock.ticks() + PENDING_MS })
                    return { secret, uri: factorUri(secret, { user: user.name, node: parts.node }) }
                },
            )
        },
        async confirm(caller, code) {
            const { uid } = ownUser(caller)
            const begun = pending.get(uid)
            if (!begun || clock.ticks() > begun.untilTicks) {
                throw new Fault('precondition', {
                    summary: 'No second factor is being set up',
                    detail: 'it was not begun in the last ten minutes',
                    fix: 'Begin again.',
                })
            }
            let step = 0
            return guarded(
                caller,
                () => {
                    step = stepOf(code, { secret: begun.secret, nowMs: clock.now(), after: 0 }) ?? 0
                    if (step === 0) throw wrongCode()
                },
                async () => {
                    const { codes, hashes } = newRecoveryCodes()
                    await put(caller.user, () => ({
                        secret: begun.secret,
                        recovery: hashes,
                        createdMs: clock.now(),
                    }))
                    pending.delete(uid)
                    taken.set(uid, step)
                    return codes
                },
            )
        },
        remove: (caller, shown) => withBoth(caller, shown, () => undefined),
        async renewCodes(caller, shown) {
            const { codes, hashes } = newRecoveryCodes()
            await withBoth(caller, shown, factor => factor && { ...factor, recovery: hashes })
            return codes
        },
        async reset(caller, name) {
            if (caller.via === 'token') {
                throw new Fault('denied', {
                    summary: 'A token may not take away a second factor',
                    fix: 'Log in with a password, or use the command as root of the node.',
                })
            }
            const user = replica.get('users', name)?.doc
            if (!user) throw noSuchUser(name)
            if (!user.factor) throw noFactor(name)
            await put(name, () => undefined)
        },
        prove,
        take: (user, code) => takeStep(user, code) !== undefined,
        spend(name, code) {
            const user = replica.get('users', name)?.doc
            if (user) takeStep(user, code)
        },
        requiredRoles: () => [...requiredRoles(replica)],
        async require(roles) {
            const wanted = [...new Set(roles)].map(name => roleNamed(name, 'roles').name)
            const key = keyOf('policies', POLICY)
            try {
                await replica.commit({ checks: [], writes: [{ put: key, value: JSON.stringify({ roles: wanted }) }] })
            } catch (thrown) {
                throw needsStore(thrown)
            }
            return wanted
        },
    }
}

const noFactor = (name = '') =>
    new Fault('precondition', {
        summary: 'There is no second factor',
        detail: name,
        fix: name === '' ? 'Set one up first.' : 'There is nothing to take away.',
    })

function asInvalid(thrown: unknown): unknown {
    const fault = asFault(thrown)
    if (fault.code !== 'unauthenticated') return thrown
    const { summary, detail, fix, at } = fault
    return new Fault('invalid', { summary, detail, fix, at })
}
