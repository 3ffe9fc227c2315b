// A text that is kept in a file as it changes: at once where asked, else soon, many changes in one write.
import type { Clock, Log, System } from '../../ports/ports.ts'

export interface Copy {
    read(): Promise<string | undefined>
    /** Resolves when what is true now is on the disk. */
    save(): Promise<void>
    /** The same, where a full disk must not undo what happened elsewhere already: it is logged only. */
    trySave(): Promise<void>
    /** Something changed: it is to be on the disk within this time. */
    saveSoon(withinMs: number): void
}

export function createCopy(deps: { path: string; text: () => string; system: System; clock: Clock; log: Log }): Copy {
    const { path, text, system, clock, log } = deps
    let version = 0
    let saved = 0
    let saving: Promise<void> | undefined
    let cancelTimer = () => {}
    let dueTicks = Number.POSITIVE_INFINITY

    async function write(): Promise<void> {
        cancelTimer()
        dueTicks = Number.POSITIVE_INFINITY
        const writing = version
        await system.writeFile(path, text(), 0o600)
        saved = writing
    }
    async function save(): Promise<void> {
        const wanted = version
        while (saved < wanted) {
            saving ??= write().finally(() => {
                saving = undefined
            })
            await saving
        }
    }
    const trySave = () =>
        save().catch(thrown => log.error('The copy of identity could not be written', { message: String(thrown) }))

    return {
        read: () => system.readText(path),
        save,
        trySave,
        saveSoon(withinMs) {
            version++
            const due = clock.ticks() + withinMs
            if (due >= dueTicks) return
            cancelTimer()
            dueTicks = due
            cancelTimer = clock.after(withinMs, () => void trySave())
        },
    }
}
