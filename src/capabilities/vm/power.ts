// Starting and stopping VMs: what each state allows, and shutdowns that end by a deadline with a clear choice.
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { VIR } from '../../drivers/libvirt/libvirt.ts'
import type { Anchor, RunningTask } from '../../engine/task.ts'
import { State } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, notNow } from './begin.ts'
import { needNoClones } from './clones.ts'
import type { VmDeps } from './deps.ts'
import type { VmEntry } from './inventory.ts'
import { needAwake, wakeNetworks } from './networks.ts'

export type PowerDeps = Pick<VmDeps, 'libvirt' | 'inventory' | 'volumes' | 'clock' | 'log' | 'tasks'>

const DEFAULT_SHUTDOWN_MS = 120_000
const REBOOT_MS = 120_000
// After how much of the deadline a guest that has not gone is asked again, by the power button.
const ASK_AGAIN = [0.25, 0.6]

export interface StartOptions {
    /** Before its first instruction. */
    paused?: boolean
    /** Its networks are started too where they are not: for who may know of networks, and for the node itself. */
    wakesNetworks?: boolean
}

/** @throws Fault `precondition` for a template, or a VM that runs; `conflict` where linked clones stand on its disks */
export async function planStart(deps: PowerDeps, entry: VmEntry, options: StartOptions = {}): Promise<Change> {
    const { paused } = options
    if (entry.template)
        throw notNow(entry, 'A template cannot be started', 'Clone it and start the clone, or make it a VM again.')
    if (entry.state === State.PAUSED) throw notNow(entry, 'The VM is paused, not stopped', 'Resume it.')
    if (entry.active) throw notNow(entry, 'The VM runs already', 'Nothing is to be done.')
    await needNoClones(deps, entry)
    return {
        kind: 'vm.start',
        title: `Start ${entry.name}`,
        plan: [{ sentence: `Start ${entry.name}${paused ? ' and pause it before its first instruction' : ''}` }],
        work: () => startVm(deps, entry.uuid, options),
    }
}

/**
 * Starts a VM, or does nothing when it runs. Resolves when QEMU runs.
 * @throws Fault `precondition` for a network that sleeps and shall not be woken, `conflict` for clones on its disks
 */
export async function startVm(deps: PowerDeps, uuid: string, options: StartOptions = {}): Promise<void> {
    const { paused, wakesNetworks } = options
    const entry = deps.inventory.resolve(uuid)
    if (entry.active) return
    await needNoClones(deps, entry)
    const flags = paused ? VIR.VIR_DOMAIN_START_PAUSED : 0
    if (wakesNetworks) await wakeNetworks(deps, entry.networks)
    else await needAwake(deps, entry.networks)
    await deps.libvirt.connection().callAlone('domainCreateWithFlags', { dom: entry.dom, flags })
    await deps.inventory.refresh(uuid)
}

const MAX_DEADLINE_MS = 86_400_000

/** @throws Fault `invalid`: timers of more than 24 days fire at once */
export function checkDeadline(deadlineMs: number): void {
    if (deadlineMs <= MAX_DEADLINE_MS) return
    throw new Fault('invalid', {
        summary: 'That is too long to wait for a shutdown',
        detail: `${deadlineMs / 1000} s`,
        fix: 'Give at most 86400 seconds, which is a day.',
        at: 'deadline_seconds',
    })
}

export interface ShutdownOptions {
    /** 0: two minutes. */
    deadlineMs: number
    /** Pull the plug when the guest has not gone by then. */
    force: boolean
}

/** @throws Fault `precondition` for a VM that does not run, or cannot hear it */
export function planShutdown(deps: PowerDeps, entry: VmEntry, options: ShutdownOptions): Change {
    needRunning(entry, 'Resume it, or stop it by force.')
    checkDeadline(options.deadlineMs)
    const deadlineMs = options.deadlineMs || DEFAULT_SHUTDOWN_MS
    const seconds = Math.round(deadlineMs / 1000)
    const anchor = {
        kind: 'vm.shutdown',
        uuid: entry.uuid,
        beganMs: deps.clock.now(),
        deadlineMs,
        force: options.force,
    }
    return {
        kind: 'vm.shutdown',
        stops: true,
        title: `Shut down ${entry.name}`,
        plan: [
            { sentence: `Ask ${entry.name} to shut down, by its guest agent or the power button` },
            options.force
                ? { sentence: `Pull the plug when it still runs after ${seconds} s`, destroys: '' }
                : { sentence: `Give up when it still runs after ${seconds} s; the guest goes on` },
        ],
        findings: transientFindings(entry),
        cancellable: true,
        anchor,
        work: async task => {
            await ask(deps, entry)
            await awaitShutdown(deps, anchor, task)
        },
    }
}

const ask = (deps: PowerDeps, entry: VmEntry, flags = 0) =>
    deps.libvirt.connection().callAlone('domainShutdownFlags', { dom: entry.dom, flags }, { deadlineMs: 30_000 })

interface ShutdownAnchor extends Record<string, string | number | boolean> {
    uuid: string
    beganMs: number
    deadlineMs: number
    force: boolean
}

/** Waits for the guest to go, asks again meanwhile, and does what was chosen at the deadline. */
async function awaitShutdown(deps: PowerDeps, anchor: ShutdownAnchor, task: RunningTask): Promise<void> {
    const { inventory, clock } = deps
    const { uuid, beganMs, deadlineMs } = anchor
    const gone = (entry: VmEntry | undefined) => !entry?.active
    const passedMs = () => clock.now() - beganMs
    const stopProgress = clock.every(1000, () =>
        task.progress(Math.min(0.99, passedMs() / deadlineMs), 'waiting for the guest'),
    )
    try {
        for (const part of [...ASK_AGAIN, 1]) {
            const waitMs = Math.max(1, part * deadlineMs - passedMs())
            try {
                await inventory.until(uuid, gone, { deadlineMs: waitMs, signal: task.signal })
                return task.say('the guest is down')
            } catch (trouble) {
                if (!(trouble instanceof Fault) || trouble.code !== 'deadline') throw trouble
            }
            const entry = inventory.byUuid(uuid)
            if (part === 1 || !entry?.active) break
            task.say('the guest still runs: pressing the power button again')
            await ask(deps, entry, VIR.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN).catch(trouble => {
                // It may just have gone; the next wait tells.
                task.say(`that was refused: ${(trouble as Error).message}`)
            })
        }
    } finally {
        stopProgress()
    }
    const entry = inventory.byUuid(uuid)
    if (!entry?.active) return
    if (anchor.force) {
        task.say('the deadline has passed: pulling the plug')
        return stopVm(deps, uuid)
    }
    throw new Fault('deadline', {
        summary: 'The guest did not shut down in time',
        detail: `${entry.name} still runs after ${Math.round(deadlineMs / 1000)} s`,
        fix: 'Look at its console; ask again with a longer deadline, or stop it by force.',
    })
}

/** Waits for the guest to come back by itself; asks by the agent or the power button. @throws Fault `precondition` */
export function planReboot(deps: PowerDeps, entry: VmEntry): Change {
    needRunning(entry, 'Resume it, or reset it.')
    return {
        kind: 'vm.reboot',
        title: `Reboot ${entry.name}`,
        plan: [{ sentence: `Ask ${entry.name} to reboot, by its guest agent or the power button` }],
        cancellable: true,
        work: async task => {
            task.progress(-1, 'waiting for the guest')
            const rebooted = heard(deps, entry.uuid, task.signal)
            try {
                await deps.libvirt
                    .connection()
                    .callAlone('domainReboot', { dom: entry.dom, flags: 0 }, { deadlineMs: 30_000 })
            } catch (trouble) {
                rebooted.stop()
                throw trouble
            }
            await rebooted.promise
        },
    }
}

/** Resolves at the next reboot of the guest. */
function heard(deps: PowerDeps, uuid: string, signal: AbortSignal): { promise: Promise<void>; stop(): void } {
    const id = uuid.replaceAll('-', '')
    let stop = () => {}
    const promise = new Promise<void>((resolve, reject) => {
        const aborted = () => {
            stop()
            reject(new Fault('cancelled', { summary: 'The operation was cancelled' }))
        }
        const stopEvents = deps.libvirt.onEvent(({ noun, kind, event }) => {
            if (noun !== 'domain' || kind !== 'reboot') return
            if ((event as { dom: { uuid: Buffer } }).dom.uuid.toString('hex') !== id) return
            stop()
            resolve()
        })
        const stopTimer = deps.clock.after(REBOOT_MS, () => {
            stop()
            reject(
                new Fault('deadline', {
                    summary: 'The guest did not reboot in time',
                    detail: `after ${REBOOT_MS / 1000} s`,
                    fix: 'Look at its console; reset it by force if it hangs.',
                }),
            )
        })
        stop = () => {
            stopEvents()
            stopTimer()
            signal.removeEventListener('abort', aborted)
        }
        signal.addEventListener('abort', aborted)
    })
    // Stopped before it settles, nobody waits for it.
    promise.catch(() => undefined)
    return { promise, stop: () => stop() }
}

/** @throws Fault `precondition` for a VM that does not run */
export function planStop(deps: PowerDeps, entry: VmEntry): Change {
    if (!entry.active) throw notNow(entry, 'The VM does not run', 'Nothing is to be done.')
    const unsaved = `Pull the plug of ${entry.name}: what its guest has not written is lost`
    return {
        kind: 'vm.stop',
        stops: true,
        title: `Stop ${entry.name}`,
        plan: [{ sentence: unsaved, destroys: entry.persistent ? '' : `vm:${entry.name}` }],
        findings: transientFindings(entry),
        work: () => stopVm(deps, entry.uuid),
    }
}

/** Pulls the plug; nothing when it does not run. */
export async function stopVm(deps: PowerDeps, uuid: string): Promise<void> {
    const entry = deps.inventory.byUuid(uuid)
    if (!entry?.active) return
    try {
        await deps.libvirt.connection().callAlone('domainDestroyFlags', { dom: entry.dom, flags: 0 })
    } catch (trouble) {
        // It may have ended by itself at that moment.
        if ((await deps.inventory.refresh(uuid))?.active) throw trouble
    }
    await deps.inventory.refresh(uuid)
}

/** @throws Fault `precondition` for a VM that does not run */
export function planReset(deps: PowerDeps, entry: VmEntry): Change {
    if (!entry.active) throw notNow(entry, 'The VM does not run', 'Start it.')
    return {
        kind: 'vm.reset',
        title: `Reset ${entry.name}`,
        plan: [{ sentence: `Press the reset button of ${entry.name}: what its guest has not written is lost` }],
        async work() {
            await deps.libvirt.connection().call('domainReset', { dom: entry.dom, flags: 0 })
        },
    }
}

/** @throws Fault `precondition` for a VM that is not running */
export function planSuspend(deps: PowerDeps, entry: VmEntry): Change {
    needRunning(entry, 'Nothing is to be done.')
    return {
        kind: 'vm.suspend',
        stops: true,
        title: `Pause ${entry.name}`,
        plan: [{ sentence: `Pause ${entry.name}; its memory stays taken` }],
        async work() {
            await deps.libvirt.connection().call('domainSuspend', { dom: entry.dom })
            await deps.inventory.refresh(entry.uuid)
        },
    }
}

/** Lets a paused or sleeping VM go on. @throws Fault `precondition` for one in another state */
export function planResume(deps: PowerDeps, entry: VmEntry): Change {
    const asleep = entry.state === State.SLEEPING
    if (!asleep && entry.state !== State.PAUSED)
        throw notNow(entry, 'The VM is not paused', entry.active ? 'Nothing is to be done.' : 'Start it.')
    return {
        kind: 'vm.resume',
        title: `Resume ${entry.name}`,
        plan: [{ sentence: asleep ? `Wake ${entry.name}` : `Let ${entry.name} go on` }],
        async work() {
            const connection = deps.libvirt.connection()
            if (asleep) await connection.call('domainPMWakeup', { dom: entry.dom, flags: 0 })
            else await connection.call('domainResume', { dom: entry.dom })
            await deps.inventory.refresh(entry.uuid)
        },
    }
}

function needRunning(entry: VmEntry, fixWhenPaused: string): void {
    if (!entry.active) throw notNow(entry, 'The VM does not run', 'Start it.')
    if (entry.state === State.PAUSED) throw notNow(entry, 'The VM is paused: its guest hears nothing', fixWhenPaused)
    if (entry.state === State.SLEEPING) throw notNow(entry, 'The guest sleeps and hears nothing', 'Resume it first.')
}

const transientFindings = (entry: VmEntry): Finding[] =>
    entry.persistent
        ? []
        : [
              {
                  severity: 'warning',
                  code: 'transient',
                  at: 'vm',
                  summary: 'The VM has no definition that stays: it is gone when it has stopped',
                  detail: entry.name,
                  fix: 'Define it first, with virsh dumpxml and virsh define.',
              },
          ]

/** Takes shutdowns up again that a restart of the daemon has interrupted. */
export function registerPower(deps: PowerDeps): void {
    deps.tasks.onAnchor('vm.shutdown', async (anchor: Anchor, task) => {
        await deps.inventory.ready()
        await awaitShutdown(deps, anchor as unknown as ShutdownAnchor, task)
    })
}
