// VMs when the node starts and when it goes down: in their order, with their delays, and orderly.
import { asFault, Fault } from '../../base/fault.ts'
import type { RunningTask } from '../../engine/task.ts'
import type { System } from '../../ports/ports.ts'
import type { VmEntry } from './inventory.ts'
import { checkDeadline, type PowerDeps, startVm, stopVm } from './power.ts'

const BOOT_ID = '/proc/sys/kernel/random/boot_id'
/** Kinds of the tasks and of their anchors. */
const START = 'vm.start-ordered'
const SHUTDOWN = 'vm.shutdown-all'

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

const bootIdOf = async ({ system }: Pick<BootDeps, 'system'>) => ((await system.readText(BOOT_ID)) ?? '').trim()

/**
 * Starts, once after each boot of the node, the VMs that have an order; those with libvirt's own autostart are started
 * by libvirtd. Resolves when the task for it has begun, or nothing is to be done.
 */
export async function startAfterBoot(deps: BootDeps): Promise<void> {
    const bootId = await bootIdOf(deps)
    if (bootId === '' || (await deps.system.readText(deps.stateFile))?.trim() === bootId) return
    await deps.inventory.ready()
    const entries = startOrder(deps.inventory.list()).filter(entry => !entry.active)
    // The task is durable before the boot counts as served: whichever of the two a crash leaves, nobody is forgotten.
    const begun = deps.tasks.list().some(({ anchor }) => anchor?.kind === START && anchor.bootId === bootId)
    if (entries.length > 0 && !begun)
        await deps.tasks.begin(
            {
                kind: START,
                title: `Start ${entries.length === 1 ? 'one VM' : `${entries.length} VMs in their order`}`,
                owner: 'root',
                cancellable: true,
                anchor: { kind: START, bootId, next: '' },
            },
            task => startInOrder(deps, entries, { task, bootId }),
        )
    await deps.system.writeFile(deps.stateFile, `${bootId}\n`)
}

/** One after the other, each followed by its delay. One that fails does not keep the others from starting. */
export async function startInOrder(
    deps: PowerDeps,
    entries: readonly VmEntry[],
    { task, bootId }: { task: RunningTask; bootId: string },
): Promise<void> {
    const failed: { name: string; fault: Fault }[] = []
    for (const [i, entry] of entries.entries()) {
        if (task.signal.aborted) throw new Fault('cancelled', { summary: 'The operation was cancelled' })
        task.progress(i / entries.length, `starting ${entry.name}`)
        await task.anchor({ kind: START, bootId, next: entry.uuid })
        try {
            await startVm(deps, entry.uuid, { wakesNetworks: true })
            task.say(`started ${entry.name}`)
        } catch (trouble) {
            const fault = asFault(trouble)
            failed.push({ name: entry.name, fault })
            task.say(`${entry.name} does not start: ${fault.message}`)
            continue
        }
        if (i < entries.length - 1) await pause(deps, entry.startDelaySeconds * 1000, task.signal)
    }
    if (failed.length === 0) return
    throw new Fault(failed[0]!.fault.code, {
        summary: 'Not all VMs could be started',
        detail: failed.map(({ name }) => name).join(', '),
        fix: 'Read the log of this task, and start them by hand.',
        cause: failed[0]!.fault,
    })
}

/** Registers how starts and shutdowns of many go on after a restart of the daemon. */
export function registerLifecycle(deps: PowerDeps & { boot?: Pick<BootDeps, 'system'> }): void {
    const { tasks, inventory, boot } = deps
    tasks.onAnchor(START, async (anchor, task) => {
        await inventory.ready()
        const bootId = boot ? await bootIdOf(boot) : ''
        if (anchor.bootId !== bootId) return task.say('the node has booted again since, which has a task of its own')
        const all = startOrder(inventory.list())
        // Those before it had their turn: who stopped one of them since does not want it started again.
        const at = Math.max(
            0,
            all.findIndex(entry => entry.uuid === anchor.next),
        )
        const left = all.slice(at).filter(entry => !entry.active)
        await startInOrder(deps, left, { task, bootId })
    })
    tasks.onAnchor(SHUTDOWN, async ({ beganMs, deadlineMs, force }, task) => {
        await inventory.ready()
        // Started after it was asked for, it was not meant.
        const meant = (entry: VmEntry) => (entry.startedMs ?? 0) <= Number(beganMs)
        await shutdownMeant(deps, { deadlineMs: Number(deadlineMs), force: force === true, meant }, task)
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
    const deadlineMs = request.deadlineSeconds * 1000 || DEFAULT_DEADLINE_MS
    const { force } = request
    const { task } = await deps.tasks.begin(
        {
            kind: SHUTDOWN,
            title: `Shut down ${running.length === 1 ? 'one VM' : `${running.length} VMs`}`,
            owner: request.owner,
            cancellable: true,
            stops: true,
            anchor: { kind: SHUTDOWN, beganMs: deps.clock.now(), deadlineMs, force },
        },
        task => shutdownMeant(deps, { deadlineMs, force }, task),
    )
    return { task: task.id, plan }
}

async function shutdownMeant(
    deps: PowerDeps,
    how: Pick<ShutdownAllOptions, 'deadlineMs' | 'force' | 'meant'>,
    { signal, say }: RunningTask,
): Promise<void> {
    const left = await shutdownAll(deps, { ...how, signal, say })
    if (left.length === 0) return
    throw new Fault('deadline', {
        summary: 'Not all VMs have shut down',
        detail: left.map(entry => entry.name).join(', '),
        fix: 'Look at their consoles, or stop them by force.',
    })
}

export interface ShutdownAllOptions {
    /** For each VM, from the moment it is asked. */
    deadlineMs: number
    /** Pull the plug of those that have not gone by then. */
    force: boolean
    signal: AbortSignal
    say(line: string): void
    /** Which of those that run; left out: all. */
    meant?(entry: VmEntry): boolean
}

/**
 * Shuts all running guests down: first those without an order, together; then the others in reverse order, those of
 * one number together. Paused guests hear nothing: they are stopped with `force`, else left. Answers who still runs.
 */
export async function shutdownAll(deps: PowerDeps, options: ShutdownAllOptions): Promise<VmEntry[]> {
    const { meant = () => true } = options
    const running = deps.inventory.list().filter(entry => entry.active && meant(entry))
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
