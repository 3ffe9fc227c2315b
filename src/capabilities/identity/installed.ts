// The first administrator whom the installer left: taken over once, while there is none, and the file is gone afterwards.
import { z } from 'zod'
import { asFault } from '../../base/fault.ts'
import type { System } from '../../ports/ports.ts'
import { keyOf, PREFIX, type UserDoc } from './documents.ts'
import type { Parts } from './parts.ts'
import { createPasswords, type PasswordHash } from './password.ts'
import { newId } from './secrets.ts'
import { checkUserName } from './user-name.ts'
import { isAdmin, type Users } from './users.ts'

const left = z.strictObject({ name: z.string(), hash: z.string() })
const AGAIN_MS = 5_000

/** As the installer writes it: `scrypt$N$r$p$salt$hash`. Undefined for anything else. */
export function parsePanelHash(text: string): PasswordHash | undefined {
    const [kind, n, r, p, salt, hash, ...rest] = text.split('$')
    const cost = [n, r, p].map(Number)
    // What would take a gigabyte or a minute to check is no password of ours.
    const fits = cost.every(one => Number.isInteger(one) && one > 0) && cost[0]! * cost[1]! * cost[2]! <= 2 ** 23
    if (kind !== 'scrypt' || !fits || !salt || !hash || rest.length > 0) return undefined
    return { kind, n: cost[0]!, r: cost[1]!, p: cost[2]!, salt, hash }
}

export const panelHashText = ({ n, r, p, salt, hash }: PasswordHash): string =>
    ['scrypt', n, r, p, salt, hash].join('$')

/** Of a password, as the installer leaves it. */
export const panelHash = async (password: string): Promise<string> =>
    panelHashText(await createPasswords().hash(password, 'installer'))

/** Tries again while the state store is away; the returned function ends that. */
export function takeInstalled(parts: Parts, users: Users, at: { system: System; path: string }): () => void {
    const { clock, log } = parts
    let stop = () => {}
    const attempt = async () => {
        try {
            await takeOnce(parts, users, at)
        } catch (thrown) {
            const { code, summary, detail } = asFault(thrown)
            const waits = ['unavailable', 'unknown', 'conflict', 'deadline'].includes(code)
            if (!waits) return log.error('The administrator of the installer was not taken over', { summary, detail })
            stop = clock.after(AGAIN_MS, () => void attempt())
        }
    }
    void attempt()
    return () => stop()
}

async function takeOnce({ replica, clock, log, tell }: Parts, users: Users, at: { system: System; path: string }) {
    const text = await at.system.readText(at.path)
    if (text === undefined) return
    const { users: all, snapshot } = await users.fresh()
    const found = readLeft(text)
    if (found && !all.some(({ doc }) => isAdmin(doc))) {
        const user: UserDoc = {
            ...{ name: found.name, uid: newId(), role: 'admin', fullName: '', locked: false },
            ...{ password: { ...found.password }, generation: newId(), createdMs: clock.now() },
        }
        await replica.commit({
            // No user may have been made since they were read.
            checks: [{ prefix: `${PREFIX}users/`, since: snapshot.revision }],
            writes: [{ put: keyOf('users', user.name), value: JSON.stringify(user) }],
        })
        tell({ what: 'first-admin', result: 'done', user: user.name, detail: 'from the installer' })
    } else
        log.warn('What the installer left is not used', { why: found ? 'there is an administrator' : 'it is broken' })
    // It is a hash of a password: it stays nowhere but in the store.
    await at.system.remove(at.path)
}

function readLeft(text: string): { name: string; password: PasswordHash } | undefined {
    try {
        const { name, hash } = left.parse(JSON.parse(text))
        const password = parsePanelHash(hash)
        return password && { name: checkUserName(name), password }
    } catch {
        return undefined
    }
}
