// One apply at a time: a lock file that says who holds it, and is void when that process is gone.
import { Fault } from '../base/fault.ts'
import type { Clock, System } from '../ports/ports.ts'

export const LOCK_FILE = '/run/debvisor-apply.lock'

interface Holder {
    pid: number
    /** When the process began, in clock ticks since boot: tells a reused process id. */
    began: string
    what: string
    sinceMs: number
}

/** Takes the lock; the answer gives it back. @throws Fault `conflict` that names the holder */
export async function lockApply(deps: {
    machine: System
    clock: Clock
    pid: number
    what: string
}): Promise<() => Promise<void>> {
    const { machine, clock, pid, what } = deps
    const mine: Holder = { pid, began: (await beganOf(machine, pid)) ?? '', what, sinceMs: clock.now() }
    for (let attempt = 0; attempt < 3; attempt++) {
        if (await machine.claim(LOCK_FILE, JSON.stringify(mine))) return () => machine.remove(LOCK_FILE)
        const holder = await holderOf(machine)
        if (holder) {
            throw new Fault('conflict', {
                summary: 'The node is being changed already',
                detail: `${holder.what} (process ${holder.pid}), since ${new Date(holder.sinceMs).toISOString()}`,
                fix: 'Wait for it to end: debvisor node status',
            })
        }
        // Left by one that was killed.
        await machine.remove(LOCK_FILE)
    }
    throw new Fault('conflict', { summary: 'The node is being changed already', detail: LOCK_FILE, fix: 'Try again.' })
}

/** Who changes the node now, or undefined. */
export async function holderOf(machine: Pick<System, 'readText'>): Promise<Holder | undefined> {
    try {
        const holder = JSON.parse((await machine.readText(LOCK_FILE)) ?? 'null') as Holder | null
        return holder && (await beganOf(machine, holder.pid)) === holder.began ? holder : undefined
    } catch {
        return undefined
    }
}

async function beganOf(machine: Pick<System, 'readText'>, pid: number): Promise<string | undefined> {
    const stat = await machine.readText(`/proc/${pid}/stat`).catch(() => undefined)
    return stat?.replace(/^.*\) /s, '').split(' ')[19]
}
