// Takes away what no longer counts: sessions that are over, tokens long expired, and what deleted users left.
import { asFault } from '../../base/fault.ts'
import type { Check, Write } from '../../drivers/etcd/store.ts'
import { keyOf } from './documents.ts'
import type { Parts } from './parts.ts'

const SHOWN_EXPIRED_MS = 7 * 24 * 3_600_000
const AT_ONCE = 50

/** One round; every node does it, and it does not matter who is first. Never throws. */
export async function sweep({ replica, store, clock, idleMs, log }: Parts): Promise<void> {
    if (!store.up()) return
    const now = clock.now()
    // A user whose document cannot be read (of a newer version, or damaged) is there all the same.
    const orphan = (doc: { user: string; uid: string }) => {
        const user = replica.get('users', doc.user)?.doc
        return user ? user.uid !== doc.uid : !replica.has(keyOf('users', doc.user))
    }
    const old: { key: string; revision: number }[] = []
    for (const { doc, revision } of replica.all('sessions')) {
        // Twice the time, as another node may know of a later use.
        const over = now >= doc.expiresMs || now - doc.usedMs > 2 * idleMs
        if (over || orphan(doc)) old.push({ key: keyOf('sessions', doc.id), revision })
    }
    for (const { doc, revision } of replica.all('tokens')) {
        // An expired one is shown for a week, so that people see why a program fails.
        if (now - doc.expiresMs > SHOWN_EXPIRED_MS || orphan(doc)) {
            old.push({ key: keyOf('tokens', doc.id), revision })
        }
    }
    for (const { doc, revision } of replica.all('grants')) {
        if (orphan(doc)) old.push({ key: keyOf('grants', doc.id), revision })
    }
    const stored = old.filter(({ revision }) => revision > 0)
    try {
        for (let i = 0; i < stored.length; i += AT_ONCE) {
            const part = stored.slice(i, i + AT_ONCE)
            const checks: Check[] = part
            const writes: Write[] = part.map(({ key }) => ({ remove: key }))
            await replica.commit({ checks, writes })
        }
    } catch (thrown) {
        log.debug('A sweep of identity was given up', { code: asFault(thrown).code })
    }
}
