// Calls on a pool that libvirt is busy with are made again until it rests.
import { asFault } from '../../base/fault.ts'
import type { Clock } from '../../ports/ports.ts'

const JOBS = /asynchronous jobs? running|still being allocated|in use/i

/**
 * Runs a call on a pool again while libvirt says that the pool is busy: after every upload it looks through the pool
 * on its own, and refuses everything meanwhile (storage_driver.c: virStorageVolPoolRefreshThread).
 */
export async function patiently<T>(clock: Clock, work: () => Promise<T>, patienceMs = 15_000): Promise<T> {
    const endMs = clock.ticks() + patienceMs
    for (;;) {
        try {
            return await work()
        } catch (thrown) {
            const fault = asFault(thrown)
            if (!JOBS.test(`${fault.detail} ${(fault.cause as Error)?.message ?? ''}`) || clock.ticks() > endMs)
                throw thrown
            await new Promise<void>(resolve => void clock.after(50, resolve))
        }
    }
}
