// How often one may try to log in: per user and address together, per address, and per user from addresses that are new.
import { Fault } from '../../base/fault.ts'
import type { Clock } from '../../ports/ports.ts'

interface Count {
    fails: number
    pending: number
    lockedUntil: number
    last: number
    /** The lock was told already, so that a flood does not fill the audit log. */
    told: boolean
}

interface Limit {
    free: number
    longestMs: number
}

/** Five wrong guesses for a user from one address; then 1 s, doubling to 15 min. */
const PAIR: Limit = { free: 5, longestMs: 15 * 60_000 }
/** Twenty wrong guesses from one address, whoever for. */
const ADDRESS: Limit = { free: 20, longestMs: 15 * 60_000 }
/** Fifty for one user from everywhere: slows all addresses but those the user has logged in from. Short, so that nobody can lock another out. */
const USER: Limit = { free: 50, longestMs: 60_000 }

const FORGET_MS = 60 * 60_000
const KEEP = 10_000

export interface Attempt {
    failed(): void
    succeeded(): void
    /** Neither: the machine was at fault. */
    dropped(): void
}

export interface Attempts {
    /** Says that a try begins; the answer must be told how it went. @throws Fault `exhausted` while locked. */
    begin(user: string, from: string): Attempt
    /** Whether the Fault that `begin` just threw is the first of this lock. */
    firstOfLock(user: string, from: string): boolean
}

/** What counts as one address: an IPv4 address, or the /64 network of an IPv6 one, which one person has whole. */
export function addressGroup(from: string): string {
    const address = from
        .replace(/^::ffff:(?=\d+\.)/i, '')
        .replace(/%.*$/, '')
        .toLowerCase()
    if (!address.includes(':')) return address
    const [head = '', tail] = address.split('::')
    const left = head === '' ? [] : head.split(':')
    const right = tail === undefined || tail === '' ? [] : tail.split(':')
    const zeros = tail === undefined ? [] : Array(Math.max(0, 8 - left.length - right.length)).fill('0')
    return `${[...left, ...zeros, ...right]
        .slice(0, 4)
        .map(group => group.replace(/^0+(?=.)/, ''))
        .join(':')}::/64`
}

/** `known`: whether the user has logged in from that address group lately. All in memory, of bounded size. */
export function createAttempts(clock: Clock, known: (user: string, group: string) => boolean): Attempts {
    const counts = new Map<string, Count>()

    function count(key: string): Count {
        const now = clock.ticks()
        let found = counts.get(key)
        if (found && found.pending === 0 && now - found.last > FORGET_MS && now >= found.lockedUntil) found = undefined
        const one = found ?? { fails: 0, pending: 0, lockedUntil: 0, last: now, told: false }
        counts.delete(key)
        counts.set(key, one)
        if (counts.size > KEEP) forgetOne(now)
        return one
    }
    /** The one that was longest not asked for, of those that hold no lock; else just the oldest. */
    function forgetOne(now: number): void {
        let looked = 0
        for (const [key, one] of counts) {
            if ((one.pending === 0 && one.lockedUntil <= now) || ++looked > 100) {
                counts.delete(key)
                return
            }
        }
    }
    const limitsOf = (user: string, from: string): [string, Limit][] => {
        const group = addressGroup(from)
        // Names are kept short, as they come from strangers.
        const name = user.slice(0, 64)
        const limits: [string, Limit][] = [
            [`pair ${group} ${name}`, PAIR],
            [`address ${group}`, ADDRESS],
        ]
        if (!known(user, group)) limits.push([`user ${name}`, USER])
        return limits
    }
    /** Past the free tries, one at a time: what is under way counts as if it had failed. */
    const waitMs = (one: Count, limit: Limit): number => {
        const left = one.lockedUntil - clock.ticks()
        if (left > 0) return left
        return one.pending > 0 && one.fails + one.pending >= limit.free ? 1_000 : 0
    }

    return {
        begin(user, from) {
            const all = limitsOf(user, from).map(([key, limit]) => ({ key, limit, one: count(key) }))
            const wait = Math.max(...all.map(({ one, limit }) => waitMs(one, limit)))
            if (wait > 0) {
                throw new Fault('exhausted', {
                    summary: 'Too many failed logins',
                    detail: `the next try is possible in ${Math.ceil(wait / 1000)} s`,
                    fix: 'Wait, then try again. Tries from other addresses are not held up by yours.',
                })
            }
            for (const { one } of all) one.pending++
            let open = true
            const end = (then: (one: Count, limit: Limit) => void) => {
                if (!open) return
                open = false
                for (const { one, limit } of all) {
                    one.pending--
                    one.last = clock.ticks()
                    then(one, limit)
                }
            }
            return {
                failed: () =>
                    end((one, limit) => {
                        one.fails++
                        one.told = false
                        const over = one.fails - limit.free
                        if (over >= 0) {
                            one.lockedUntil = clock.ticks() + Math.min(1000 * 2 ** Math.min(over, 20), limit.longestMs)
                        }
                    }),
                // The address's count stays, or an own account would wash away guesses at others'.
                succeeded: () => {
                    end(() => {})
                    counts.delete(all[0]!.key)
                },
                dropped: () => end(() => {}),
            }
        },
        firstOfLock(user, from) {
            const held = limitsOf(user, from)
                .map(([key, limit]) => ({ one: counts.get(key), limit }))
                .filter(({ one, limit }) => one && waitMs(one, limit) > 0)
            const first = held.some(({ one }) => !one!.told)
            for (const { one } of held) one!.told = true
            return first
        },
    }
}
