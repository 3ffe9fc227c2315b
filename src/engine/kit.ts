// What steps may use by name: registered tools and guards. A shell is not a tool, and an unknown name runs nothing.
import { Fault } from '../base/fault.ts'
import type { System } from '../ports/ports.ts'

export interface Tool {
    name: string
    /** Absolute path. */
    program: string
    /** `root`: in the tree that is being made (chroot in the installer); `machine`: on the running one. */
    half: 'root' | 'machine'
    /** Never changes anything: conditions and observers may use it. */
    looks?: boolean
}

/** What holds a change open until it is committed, in something that outlives this process. */
export interface Guard {
    name: string
    /** A try that was cut off (killed, or the power gone) counts as one that came back: nobody saw it to be good. */
    remembersTries?: boolean
    /** Takes the checkpoint; the change comes back by itself after that time. Answers the token to commit it with. */
    open(machine: System, rollbackAfterMs: number): Promise<string>
    commit(machine: System, token: string): Promise<void>
    rollback(machine: System, token: string): Promise<void>
}

export interface Kit {
    tools: ReadonlyMap<string, Tool>
    guards: ReadonlyMap<string, Guard>
}

/** @throws Error when two tools or guards have one name: a mistake in the program */
export function kitOf(tools: readonly Tool[], guards: readonly Guard[] = []): Kit {
    return { tools: byName(tools), guards: byName(guards) }
}

function byName<T extends { name: string }>(things: readonly T[]): Map<string, T> {
    const found = new Map<string, T>()
    for (const thing of things) {
        const other = found.get(thing.name)
        if (other && other !== thing) throw new Error(`'${thing.name}' is registered twice`)
        found.set(thing.name, thing)
    }
    return found
}

/** @throws Fault `internal` for a name that is not registered */
export function toolOf(kit: Kit, name: string): Tool {
    const tool = kit.tools.get(name)
    if (!tool) throw new Fault('internal', { summary: 'A plan names a tool that is not registered', detail: name })
    return tool
}

/** @throws Fault `internal` for a name that is not registered */
export function guardOf(kit: Kit, name: string): Guard {
    const guard = kit.guards.get(name)
    if (!guard) throw new Fault('internal', { summary: 'A plan names a guard that is not registered', detail: name })
    return guard
}
