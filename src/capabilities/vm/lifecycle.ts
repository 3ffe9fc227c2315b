// VMs when the node starts and when it goes down: in their order, with their delays, and orderly.
import { asFault, Fault } from '../../base/fault.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { System } from '../../ports/ports.ts'
import type { VmEntry } from './inventory.ts'
import { checkDeadline, type PowerDeps, startVm, stopVm } from './power.ts'

const BOOT_ID = '/proc/sys/kernel/random/boot_id'

export interface BootDeps extends PowerDeps {
    system: Pick<System, 'readText' | 'writeFile'>
    /** Remembers, across restarts of the daemon, which boot of the node was served. */
    stateFile: string
}

/** Those that DebVisor starts, in the order in which it does: 1, 2, …, then those without a number; by name within. */
export const startOrder = (entries: readonly VmEntry[]): VmEntry[] =>
    entries
        .filter(entry => entry.ordered && !entry.template)
        .sort((a, b) => place(a) - place(b) || (a.name < b.name ? -1 : 1))

const place = (entry: VmEntry): number => entry.startOrder || Number.POSITIVE_INFINITY

/**
 * Starts, once after each boot of the node, the VMs that have an order; those with libvirt's own autostart are started
 * by libvirtd. Resolves when the task for it has begun, or nothing is to be done.
 */
export async function startAfterBoot(deps: BootDeps): Promise<void> {
    const bootId = ((await deps.system.readText(BOOT_ID)) ?? '').trim()
    if (bootId === '' || (await deps.system.readText(deps.stateFile))?.trim() === bootId) return
    await deps.inventory.ready()
    const entries = startOrder(deps.inventory.list()).filter(entry => !entry.active)
    // Written first: a VM that brings the node down must not do it again and again.
    await deps.system.writeFile(deps.stateFile, `${bootId}\n`)
    if (entries.length === 0) return
    await deps.tasks.begin(
        {
            kind: 'vm.start-ordered',
            title: `Start ${entries.length} VMs in their order`,
            owner: 'root',
            cancellable: true,
        },
        task => startInOrder(deps, entries, task),
    )
}

/** One after the other, each followed by its delay. One that fails does not keep the others from starting. */
export async function startInOrder(deps: PowerDeps, entries: readonly VmEntry[], task: RunningTask): Promise<void> {
    const failed: string[] = []
    for (const [i, entry] of entries.entries()) {
        if (task.signal.aborted) throw new Fault('cancelled', { summary: 'The operation was cancelled' })
        task.progress(i / entries.length, `starting ${entry.name}`)
        try {
            await startVm(deps, entry.uuid, { wakesNetworks: true })
            task.say(`started ${entry.name}`)
        } catch (trouble) {
            failed.push(entry.name)
            task.say(`${entry.name} does not start: ${asFault(trouble).message}`)
            continue
        }
        if (i < entries.length - 1) await pause(deps, entry.startDelaySeconds * 1000, task.signal)
    }
    if (failed.length === 0) return
    throw new Fault('internal', {
        summary: 'Not all VMs could be started',
        detail: failed.join(', '),
        fix: 'Read the log of this task, and start them by hand.',
    })
}

function pause(deps: PowerDeps, delayMs: number, signal: AbortSignal): Promise<void> {
    if (delayMs <= 0) return Promise.resolve()
    return new Promise(resolve => {
        const stop = deps.clock.after(delayMs, resolve)
        signal.addEventListener('abort', () => {
            stop()
            resolve()
        })
    })
}

const DEFAULT_DEADLINE_MS = 120_000

/** Who would be asked, in the order in which they are; and the task that does it. */
export async function beginShutdownAll(
    deps: PowerDeps,
    request: { deadlineSeconds: number; force: boolean; dryRun: boolean; owner: string },
): Promise<{ task: string; plan: { sentence: string }[] }> {
    checkDeadline(request.deadlineSeconds * 1000)
    const running = deps.inventory.list().filter(entry => entry.active)
    const plan = running
        .sort((a, b) => place(b) - place(a))
        .map(({ name }) => ({ sentence: `Ask ${name} to shut down` }))
    if (request.dryRun || running.length === 0) return { task: '', plan }
    const { task } = await deps.tasks.begin(
        {
            kind: 'vm.shutdown-all',
            title: `Shut down ${running.length === 1 ? 'one VM' : `${running.length} VMs`}`,
            owner: request.owner,
            cancellable: true,
            stops: true,
        },
        async ({ signal, say }) => {
            const deadlineMs = request.deadlineSeconds * 1000 || DEFAULT_DEADLINE_MS
            const left = await shutdownAll(deps, { deadlineMs, force: request.force, signal, say })
            if (left.length === 0) return
            throw new Fault('deadline', {
                summary: 'Not all VMs have shut down',
                detail: left.map(entry => entry.name).join(', '),
                fix: 'Look at their consoles, or stop them by force.',
            })
        },
    )
    return { task: task.id, plan }
}

export interface ShutdownAllOptions {
    /** For each VM, from the moment it is asked. */
    deadlineMs: number
    /** Pull the plug of those that have not gone by then. */
    force: boolean
    signal: AbortSignal
    say(line: string): void
}

/**
 * Shuts all running guests down: first those without an order, together; then the others in reverse order, those of
 * one number together. Paused guests hear nothing: they are stopped with `force`, else left. Answers who still runs.
 */
export async function shutdownAll(deps: PowerDeps, options: ShutdownAllOptions): Promise<VmEntry[]> {
    const running = deps.inventory.list().filter(entry => entry.active)
    const orders = [...new Set(running.map(place))].sort((a, b) => b - a)
    for (const order of orders) {
        if (options.signal.aborted) break
        const group = running.filter(entry => place(entry) === order)
        await Promise.all(group.map(entry => shutdownOne(deps, entry, options)))
    }
    return running.flatMap(entry => {
        const now = deps.inventory.byUuid(entry.uuid)
        return now?.active ? now : []
    })
}

async function shutdownOne(deps: PowerDeps, entry: VmEntry, options: ShutdownAllOptions): Promise<void> {
    const { deadlineMs, force, signal, say } = options
    try {
        await deps.libvirt
            .connection()
            .callAlone('domainShutdownFlags', { dom: entry.dom, flags: 0 }, { deadlineMs: 30_000 })
        await deps.inventory.until(entry.uuid, now => !now?.active, { deadlineMs, signal })
        say(`${entry.name} is down`)
    } catch (trouble) {
        say(`${entry.name}: ${asFault(trouble).message}`)
        if (!force || signal.aborted) return
        say(`${entry.name}: pulling the plug`)
        await stopVm(deps, entry.uuid).catch(again => say(`${entry.name}: ${asFault(again).message}`))
    }
}
