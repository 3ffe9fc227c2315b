// Passwords: which are refused and why, and scrypt with a short queue, so that a flood of logins cannot starve the rest.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { Fault } from '../../base/fault.ts'

export const MIN_LENGTH = 12
export const MAX_LENGTH = 1024

export interface PasswordHash {
    kind: 'scrypt'
    n: number
    r: number
    p: number
    /** Base64. */
    salt: string
    hash: string
}

/** 32 MiB and about 80 ms on a small core. Kept with each hash, so that they can grow. */
const COST = { n: 2 ** 15, r: 8, p: 1 }
const AT_ONCE = 2
const WAITING = 100
const WAITING_PER_ADDRESS = 25

// Those of the worst lists that are long enough to pass the rest.
const WORST = new Set(
    (
        'passwordpassword password1234 password12345 password123456 passw0rd1234 p@ssw0rd1234 adminadmin12 ' +
        'administrator administrator1 adminadminadmin letmein12345 letmeinletmein iloveyou1234 welcome12345 ' +
        'welcomewelcome changeme1234 changemechangeme correcthorsebatterystaple debvisordebvisor debvisor1234 ' +
        'qwertyuiop12 qwertyuiop123 qwertyuiopasdf qwertyqwerty qwerty123456 qwerty1234567 1q2w3e4r5t6y 1qaz2wsx3edc ' +
        'zaq12wsxcde3 asdfghjkl123 asdfghjklzxc zxcvbnmasdfg monkeymonkey dragondragon footballfootball ' +
        'superman1234 trustno1trustno1 secretsecret defaultpassword hypervisor12 rootrootroot rootpassword ' +
        'mypassword12 mypassword123 thisisapassword nopasswordhere'
    ).split(' '),
)

/**
 * The form in which a password is hashed: Unicode NFKC, so that an é typed on two keyboards is the same. Nothing is cut
 * or trimmed.
 */
export const normalise = (password: string): string => password.normalize('NFKC')

/** Refuses what must not become a password. Never repeats it. @throws Fault `invalid` */
export function checkPassword(password: string, user: string, at = 'password'): void {
    const refuse = (detail: string): never => {
        throw new Fault('invalid', {
            summary: 'That password cannot be used',
            detail,
            fix: `Use ${MIN_LENGTH} to ${MAX_LENGTH} characters that nobody would guess, such as five random words.`,
            at,
        })
    }
    // Before it is normalised, as that can be made slow by length.
    if (password.length > 4 * MAX_LENGTH) refuse(`it is longer than ${MAX_LENGTH} characters`)
    if (/\p{Surrogate}/u.test(password)) refuse('it is not valid Unicode')
    if (password.includes('\0')) refuse('it holds a NUL character')
    const normal = normalise(password)
    const length = [...normal].length
    if (length < MIN_LENGTH) refuse(`it has ${length} of at least ${MIN_LENGTH} characters`)
    if (length > MAX_LENGTH) refuse(`it is longer than ${MAX_LENGTH} characters`)
    const plain = normal.toLowerCase()
    if (WORST.has(plain)) refuse('it is one of the first that anyone would try')
    if (
        plain
            .split(user)
            .join('')
            .replace(/[^\p{L}]/gu, '') === '' &&
        plain.includes(user)
    ) {
        refuse('it is little more than the user name')
    }
    if (new Set(plain).size < 4) refuse('it repeats a few characters')
    if (/^(.{1,4})\1+.{0,3}$/su.test(plain)) refuse('it repeats a few characters')
    if (isRun(plain)) refuse('it is a run of neighbouring characters')
}

/** Such as 123456789012, 098765432109, abcdefghijkl. */
function isRun(text: string): boolean {
    const codes = [...text].map(c => c.codePointAt(0)!)
    const steps = codes.slice(1).map((code, i) => code - codes[i]!)
    return steps.every(s => s === 1 || s === -9) || steps.every(s => s === -1 || s === 9)
}

export interface Passwords {
    /** @throws Fault `exhausted` when too many wait already. */
    hash(password: string, from: string): Promise<PasswordHash>
    /** Takes as long for no hash at all (an unknown user) as for a wrong password. @throws Fault `exhausted` */
    fits(password: string, hash: PasswordHash | undefined, from: string): Promise<boolean>
}

/** One for the daemon: a few hashes at once, a bounded queue, and a smaller one for each address. */
export function createPasswords(cost = COST): Passwords {
    const nobody: PasswordHash = { kind: 'scrypt', ...cost, salt: randomBytes(16).toString('base64'), hash: '' }
    const waiting: { from: string; go: () => void }[] = []
    const running: string[] = []

    const next = () => {
        if (running.length >= AT_ONCE) return
        // Those from an address that has one running already let others go first.
        const fair = waiting.findIndex(one => !running.includes(one.from))
        const [one] = waiting.splice(Math.max(0, fair), 1)
        if (!one) return
        running.push(one.from)
        one.go()
    }
    function derive(password: string, { n, r, p, salt }: PasswordHash, from: string): Promise<Buffer> {
        if (waiting.length >= WAITING || waiting.filter(w => w.from === from).length >= WAITING_PER_ADDRESS) {
            throw new Fault('exhausted', {
                summary: 'Too many logins at once',
                fix: 'Try again in a few seconds.',
            })
        }
        return new Promise((resolve, reject) => {
            const go = () => {
                const options = { N: n, r, p, maxmem: 256 * n * r }
                const data = Buffer.from(normalise(password))
                scrypt(data, Buffer.from(salt, 'base64'), 32, options, (error, key) => {
                    running.splice(running.indexOf(from), 1)
                    next()
                    if (error) reject(error)
                    else resolve(key)
                })
            }
            waiting.push({ from, go })
            next()
        })
    }

    return {
        async hash(password, from) {
            const hash: PasswordHash = { kind: 'scrypt', ...cost, salt: randomBytes(16).toString('base64'), hash: '' }
            hash.hash = (await derive(password, hash, from)).toString('base64')
            return hash
        },
        async fits(password, hash, from) {
            // Longer than any that was set: no need to hash a megabyte to know.
            const tried = password.length > 4 * MAX_LENGTH ? '' : password
            const key = await derive(tried, hash ?? nobody, from)
            const kept = Buffer.from(hash?.hash ?? '', 'base64')
            return tried !== '' && kept.length === key.length && timingSafeEqual(kept, key)
        },
    }
}
