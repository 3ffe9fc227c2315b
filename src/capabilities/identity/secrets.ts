// Random secrets, how they are written, and how they are kept: hashed, compared in constant time.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** 256 random bits as 43 characters that may stand in URLs and cookies. */
export const newSecret = (): string => randomBytes(32).toString('base64url')

/** 64 random bits in hex, for ids that are no secret. */
export const newId = (): string => randomBytes(8).toString('hex')

/** SHA-256 in hex. Enough for secrets that are random; passwords go through scrypt. */
export const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex')

export function secretFits(secret: string, hash: string): boolean {
    const [a, b] = [Buffer.from(hashSecret(secret), 'hex'), Buffer.from(hash, 'hex')]
    return a.length === b.length && timingSafeEqual(a, b)
}

export const COOKIE = '__Host-debvisor'

export interface Presented {
    id: string
    secret: string
}

export const writeToken = ({ id, secret }: Presented): string => `dvt_${id}_${secret}`

export function readToken(text: string): Presented | undefined {
    const match = /^(?:Bearer )?dvt_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/i.exec(text)
    return match ? { id: match[1]!.toLowerCase(), secret: match[2]! } : undefined
}

/** The session in a Cookie header; undefined when there is none, more than one, or it is no session. */
export function readCookie(header: string): Presented | undefined {
    const values = header
        .split(';')
        .map(part => part.trim())
        .filter(part => part.startsWith(`${COOKIE}=`))
    const match = values.length === 1 ? /=([0-9a-f]{16})\.([A-Za-z0-9_-]{43})$/.exec(values[0]!) : null
    return match ? { id: match[1]!, secret: match[2]! } : undefined
}

/** The value of Set-Cookie; without a session, the one that removes it. */
export const setCookie = (session: Presented | undefined, maxAgeMs = 0): string =>
    `${COOKIE}=${session ? `${session.id}.${session.secret}` : ''}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=${Math.floor(maxAgeMs / 1000)}`
