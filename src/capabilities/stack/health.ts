// Waits until what was brought up is healthy, where a health check says so: Docker decides, and not for ever.
import { Fault } from '../../base/fault.ts'
import type { Clock } from '../../ports/ports.ts'
import { type Containers, containersOf, type KnownContainer } from './seen.ts'

/** A check may have a long time to begin with; after this one is told, and the check goes on. */
const HEALTHY_MS = 5 * 60_000

const waiting = (one: KnownContainer) => one.running && one.line.health === 'starting'
const ill = (one: KnownContainer) => one.running && one.line.health === 'unhealthy'

/**
 * Resolves when no container of the stack is on its way any more, and none is ill.
 * @throws Fault `precondition` for one that is unhealthy, or not healthy in time; what was brought up stays
 */
export async function untilHealthy(
    { containers, clock }: { containers: Containers; clock: Pick<Clock, 'after'> },
    stack: string,
    { signal, say }: { signal: AbortSignal; say(names: string): void },
): Promise<void> {
    const own = () => containersOf(containers, stack)
    const stop = new AbortController()
    const end = () => stop.abort()
    let late = false
    const off = clock.after(HEALTHY_MS, () => {
        late = true
        end()
    })
    signal.addEventListener('abort', end)
    let told = ''
    try {
        for await (const _change of containers.watch(stop.signal)) {
            const names = own()
                .filter(waiting)
                .map(({ name }) => name)
                .sort()
                .join(', ')
            if (names === '' || own().some(ill)) break
            if (names !== told) say(names)
            told = names
        }
    } finally {
        off()
        signal.removeEventListener('abort', end)
        stop.abort()
    }
    const bad = [
        ...own()
            .filter(ill)
            .map(({ name }) => `${name} is unhealthy`),
        ...(late
            ? own()
                  .filter(waiting)
                  .map(({ name }) => `${name} is not healthy after ${HEALTHY_MS / 60_000} minutes`)
            : []),
    ]
    if (bad.length === 0) return
    throw new Fault('precondition', {
        summary: 'The stack runs, but not all of it is healthy',
        detail: bad.sort().join('; '),
        fix: `Nothing was taken back. Read its log: debvisor stack logs ${stack}`,
    })
}
