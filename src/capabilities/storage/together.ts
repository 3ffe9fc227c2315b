// One look for all parts of a node that want to see the same thing at the same time.
import type { Probe } from '../../ports/ports.ts'

/** Those that ask while it looks get the same answer; who asks later has it look again. */
export function together<T>(look: (machine: Probe) => Promise<T>): (machine: Probe) => Promise<T> {
    const looking = new WeakMap<Probe, Promise<T>>()
    return machine => {
        const running = looking.get(machine)
        if (running) return running
        const fresh = look(machine).finally(() => looking.delete(machine))
        looking.set(machine, fresh)
        return fresh
    }
}
