// Takes back a volume that a task had made, or begun to make, and nothing else that has its name.
import { Fault } from '../../base/fault.ts'
import type { Tasks, UndoStep } from '../../engine/task.ts'
import type { Clock, Log } from '../../ports/ports.ts'
import type { Declarations, Declared } from './declared.ts'
import type { Users, VolumeEntry } from './entries.ts'
import type { Inventory } from './inventory.ts'
import type { Volumes } from './volumes.ts'

interface UndoDeps {
    tasks: Tasks
    volumes: Volumes
    declared: Declarations
    users: Users
    inventory: Inventory
    clock: Clock
    log: Log
}

/** How long a VM that was taken back just before may still be seen with its disks. */
const PATIENCE_MS = 5_000
/** Clocks of the file system and ours are not read at one moment. */
const SLACK_MS = 2_000

/**
 * The undoer of `{ kind: 'volume.remove', pool, name, by }`; `by` is what the volume was created with, and may be left out. It removes only what this daemon's durable record says that it
 * made after the task began: a volume of that name that was there before is left alone. @throws Fault `conflict` when
 * a VM uses it.
 */
export function undoRemove(deps: UndoDeps): (step: UndoStep) => Promise<void> {
    const { tasks, volumes, declared, users, inventory, clock, log } = deps

    const beganMs = (step: UndoStep): number | undefined =>
        tasks
            .list()
            .filter(task => task.undo.some(s => s.kind === step.kind && s.pool === step.pool && s.name === step.name))
            .map(task => task.startedMs)
            .sort((a, b) => b - a)[0]

    function isOfTask(step: UndoStep, record: Declared): boolean {
        if (step.by) return record.by === step.by
        if (volumes.wasRefused(`${record.pool}/${record.name}`)) return false
        const startedMs = beganMs(step)
        return startedMs === undefined ? !record.made : record.atMs >= startedMs
    }

    return async step => {
        const [pool, name] = [String(step.pool), String(step.name)]
        await inventory.ready()
        const record = declared.get(pool, name)
        const entry = inventory.pools().some(p => p.name === pool && p.active)
            ? await inventory.refreshVolume(pool, name)
            : undefined
        if (!record || !entry) {
            if (entry) log.warn('a volume was not taken back, because DebVisor did not make it', { pool, name })
            return
        }
        const isOlder = !record.made && entry.createdMs > 0 && entry.createdMs < record.atMs - SLACK_MS
        if (isOlder || !isOfTask(step, record)) {
            log.warn('a volume was not taken back, because it was there before', { pool, name })
            return
        }
        await unused(entry)
        await volumes.remove(`${pool}/${name}`)
    }

    async function unused(entry: VolumeEntry): Promise<void> {
        const endMs = clock.ticks() + PATIENCE_MS
        for (;;) {
            const by = users.ofVolume(entry)
            if (by.length === 0) return
            if (clock.ticks() > endMs) {
                throw new Fault('conflict', {
                    summary: 'A volume that was to be taken back is in use',
                    detail: `${entry.pool}/${entry.name}, by ${by.map(vm => vm.name).join(', ')}`,
                    fix: 'Detach it from the VM; then it is taken back by itself.',
                })
            }
            await new Promise<void>(resolve => void clock.after(100, resolve))
        }
    }
}
