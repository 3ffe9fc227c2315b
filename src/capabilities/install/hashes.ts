// Hashes of passwords for /etc/shadow, by crypt's SHA-512: what every Debian checks, and what needs no program.
import { createHash, randomBytes } from 'node:crypto'
import { cryptSha512 } from '../../base/sha512crypt.ts'

/** More than crypt's 5000: a login takes as long once, and a guess each time. */
const ROUNDS = 50_000

/** By account; without a password there is none. */
export async function passwordHashes(passwords: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const digest = async (bytes: Uint8Array) => createHash('sha512').update(bytes).digest()
    const hashes: Record<string, string> = {}
    for (const [account, password] of Object.entries(passwords))
        if (password) hashes[account] = await cryptSha512(password, new Uint8Array(randomBytes(16)), digest, ROUNDS)
    return hashes
}
