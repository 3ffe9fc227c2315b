// One-time passwords by time (RFC 6238) and recovery codes: the only file that knows otplib.
import { randomInt } from 'node:crypto'
import { generateSecret, generateURI, verifySync } from 'otplib'
import { hashSecret, secretFits } from './secrets.ts'

const PERIOD_S = 30
const CODES = 10
const GROUPS = 4
const LENGTH = 4
/** Without letters and digits that are taken for one another. 16 of them are 79 bits: SHA-256 is enough to keep them. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789'

/** 160 bits in base32. */
export const newFactorSecret = (): string => generateSecret()

/** What an app reads from a QR code. */
export const factorUri = (secret: string, { user, node }: { user: string; node: string }): string =>
    generateURI({ issuer: node === '' ? 'DebVisor' : `DebVisor ${node}`, label: user, secret })

/**
 * The time step of a one-time password that fits now, or within half a minute of now (clocks differ, typing takes
 * time); undefined for one that does not, or is not newer than `after`.
 */
export function stepOf(typed: string, at: { secret: string; nowMs: number; after: number }): number | undefined {
    const token = typed.replace(/\s/g, '')
    if (!/^\d{6}$/.test(token)) return undefined
    const epoch = Math.floor(at.nowMs / 1000)
    // A step before the first makes no sense to otplib.
    const afterTimeStep = Math.max(0, Math.min(at.after, Math.floor(epoch / PERIOD_S)))
    const result = verifySync({
        ...{ secret: at.secret, token, epoch, period: PERIOD_S, epochTolerance: PERIOD_S },
        ...(at.after > 0 ? { afterTimeStep } : {}),
    })
    return result.valid && 'timeStep' in result && result.timeStep > at.after ? result.timeStep : undefined
}

/** Shown once; kept are the hashes. */
export function newRecoveryCodes(): { codes: string[]; hashes: string[] } {
    const group = () => Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
    const codes = Array.from({ length: CODES }, () => Array.from({ length: GROUPS }, group).join('-'))
    return { codes, hashes: codes.map(code => hashSecret(plain(code))) }
}

/** Typed with or without dashes, in capitals or not. */
const plain = (code: string): string => code.toLowerCase().replace(/[\s-]/g, '')

/** The hash of the recovery code that was typed; undefined where it is none of them. */
export const recoveryOf = (typed: string, hashes: readonly string[]): string | undefined =>
    plain(typed).length === GROUPS * LENGTH ? hashes.find(hash => secretFits(plain(typed), hash)) : undefined
