// The link while there is no daemon: it says why, waits longer each time, and ends when told.
import { expect, it } from 'vitest'
import type { Clock } from '../../ports/ports.ts'
import { stayConnected } from './link.ts'
import { silentLog, testClock } from './testing.ts'

/** A clock whose long waits end as soon as they are asked for, and are written down. */
function hurriedClock(): { clock: Clock; waitsMs: number[]; ask(): void } {
    const waitsMs: number[] = []
    const calls: (() => void)[] = []
    const clock: Clock = {
        ...testClock,
        after: (delayMs, call) => {
            // The deadline of opening is a timer too: it is not the one that is looked at.
            if (delayMs === 10_000) return () => undefined
            waitsMs.push(delayMs)
            calls.push(call)
            return () => calls.splice(calls.indexOf(call), 1)
        },
    }
    return { clock, waitsMs, ask: () => calls.shift()?.() }
}

it('waits longer each time, up to the longest, and says what to do', async () => {
    const { clock, waitsMs, ask } = hurriedClock()
    const link = stayConnected({
        ...{ socketPath: '/nonexistent/libvirt-sock', clock, log: silentLog },
        backoffMs: { first: 100, longest: 500 },
    })
    expect(link.up).toBe(false)
    for (let i = 1; i <= 5; i++) {
        await expect.poll(() => waitsMs.length, { timeout: 2_000 }).toBe(i)
        ask()
    }
    await expect.poll(() => waitsMs.length, { timeout: 2_000 }).toBe(6)
    expect(waitsMs).toEqual([100, 200, 400, 500, 500, 500])
    expect(() => link.connection()).toThrow(
        expect.objectContaining({
            code: 'unavailable',
            summary: 'libvirtd is away',
            fix: expect.stringContaining('systemctl start libvirtd'),
        }),
    )
    await link.close()
    ask()
    expect(() => link.connection()).toThrow(expect.objectContaining({ summary: 'DebVisor is shutting down' }))
})
