// What applies left behind stays in the order in which they were made, whatever the clock does.
import { expect, it } from 'vitest'
import { fakeClock, fakeSystem } from '../ports/fake.ts'
import { listApplies, openRecord } from './history.ts'

it('lists the newest first, also when the clock jumps ahead and is set back', async () => {
    const system = fakeSystem({ writable: ['/var/lib'] })
    const clock = fakeClock(Date.UTC(2026, 10, 1))
    const made: string[] = []
    const jumps = [0, 3 * 365 * 86_400_000, -3 * 365 * 86_400_000, -86_400_000, 0, 1]
    for (const jumpMs of jumps) {
        if (jumpMs > 0) await clock.advance(jumpMs)
        const now = clock.now()
        const record = await openRecord(
            system,
            { ...clock, now: () => now + Math.min(0, jumpMs) },
            { by: 'test', document: '' },
        )
        await record.end('done', { steps: 0, failed: 0 })
        made.push(record.id)
    }
    expect((await listApplies(system)).map(({ id }) => id)).toEqual(made.toReversed())
    expect(new Set(made).size).toBe(jumps.length)
})

it('is not misled by a folder that somebody else made', async () => {
    const system = fakeSystem({ writable: ['/var/lib'], files: { '/var/lib/debvisor/applies/zzz/note': '' } })
    const clock = fakeClock(Date.UTC(2026, 10, 1))
    const { id } = await openRecord(system, clock, { by: 'test', document: '' })
    expect(id).toMatch(/^20261101000000000-/)
})
