// Moving a disk below a running guest: QEMU copies, and what becomes of a copy when the daemon or libvirt ends meanwhile.
import { asFault, Fault, type FaultCode } from '../../base/fault.ts'
import { libvirtErrorOf, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { RunningTask, UndoStep } from '../../engine/task.ts'
import type { MakeDeps } from './create.ts'
import { vmNames } from './deps.ts'
import { liveBytes } from './hardware-disks.ts'
import { isVolume, type VmEntry } from './inventory.ts'
import { inUse } from './sources.ts'
import { unlessUsed } from './take-back.ts'
import { lookThrough, type NewVolume, refOf, type VolumeFacts } from './volumes.ts'
import { xmlText } from './xml/build-text.ts'
import { driverFormat, sourceOfVolume } from './xml/devices.ts'
import { parseRoot } from './xml/document.ts'
import { readDisks } from './xml/read-devices.ts'

const POLL_MS = 250
/** The copy below a running guest: kind of its undo step and its anchor. */
export const LIVE = 'vm.move'

export interface Move {
    entry: VmEntry
    target: string
    from: VolumeFacts
    volume: NewVolume
    keep: boolean
}

/** A copy job is ended first, then the volume goes, unless it is the disk by then. */
export async function promise(task: RunningTask, { entry, target, volume }: Move): Promise<void> {
    await Promise.all([task.undo(unlessUsed(task, entry, volume)), task.undo({ kind: LIVE, uuid: entry.uuid, target })])
}

/** Does `change`, which lets the VM use the copy: an answer that was lost on its way is no failure. */
export async function switchOver(
    deps: MakeDeps,
    { entry, target, to }: Pick<Move, 'entry' | 'target'> & { to: VolumeFacts },
    change: () => Promise<boolean>,
): Promise<boolean> {
    try {
        return await change()
    } catch (thrown) {
        const source = await sourceNow(deps, entry, target).catch(() => '')
        if (isVolume(source, to)) return true
        throw thrown
    }
}

/** How a move that has made its copy is found again. */
export const anchorOf = ({ entry, target, from, keep }: Move, made: VolumeFacts) => ({
    ...{ uuid: entry.uuid, target, old: refOf(from), volume: refOf(made), keep },
})

/** Copies while the guest writes, and switches over when the copy has caught up. */
export async function moveLive(deps: MakeDeps, move: Move, task: RunningTask): Promise<void> {
    const { entry, target, volume } = move
    await promise(task, move)
    task.progress(0, 'copying')
    // It may have been grown since the plan was made.
    const capacityBytes = Math.max(volume.capacityBytes, await liveBytes(deps, entry, { target }))
    const made = await deps.volumes.create({ ...volume, capacityBytes, by: task.id })
    const { type, source } = sourceOfVolume(made)
    const destxml = xmlText({
        name: 'disk',
        attributes: { type },
        children: [{ name: 'driver', attributes: { type: driverFormat(made.format) } }, source],
    })
    const flags = VIR.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT | VIR.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
    await deps.libvirt
        .connection()
        .call('domainBlockCopy', { dom: entry.dom, path: target, destxml, params: [], flags })
    await task.anchor({ kind: LIVE, ...anchorOf(move, made) })
    await finishLive(deps, { ...move, to: made }, task)
}

/** What a connection says that ends: QEMU goes on copying meanwhile, and libvirt tells when it is back. */
const AWAY: ReadonlySet<FaultCode> = new Set(['unavailable', 'unknown', 'deadline'])

/** Waits until the copy has caught up with the guest, and switches over. */
export async function finishLive(deps: MakeDeps, move: Move & { to: VolumeFacts }, task: RunningTask): Promise<void> {
    for (;;) {
        // A service that ends leaves the job to be taken up again; a cancel takes it back by the undo.
        if (task.signal.aborted) throw new Fault('cancelled', { summary: 'The task was cancelled' })
        try {
            if (await advance(deps, move, task)) break
        } catch (thrown) {
            if (!AWAY.has(asFault(thrown).code)) throw thrown
        }
        await new Promise<void>(resolve => deps.clock.after(POLL_MS, resolve))
    }
    await deps.inventory.refresh(move.entry.uuid).catch(() => undefined)
    await leave(deps, move, task)
}

/** Looks how far the copy is, and switches over where it has caught up; true once the copy is the disk. */
async function advance(deps: MakeDeps, move: Move & { to: VolumeFacts }, task: RunningTask): Promise<boolean> {
    const { entry, target, to } = move
    const job = { dom: entry.dom, path: target, flags: 0 }
    const info = await deps.libvirt.connection().call('domainGetBlockJobInfo', job)
    if (info.found === 0) {
        if (isVolume(await sourceNow(deps, entry, target), to)) return true
        throw new Fault('precondition', {
            summary: 'QEMU gave up copying the disk',
            detail: `${target} of ${entry.name}`,
            fix: 'See the space of the pool and the log of the VM in /var/log/libvirt/qemu, then move it again.',
        })
    }
    task.progress(info.end > 0n ? (0.95 * Number(info.cur)) / Number(info.end) : 0)
    return info.cur === info.end && info.end > 0n && (await pivot(deps, move))
}

/** False while the copy has not caught up yet. */
function pivot(deps: MakeDeps, move: Move & { to: VolumeFacts }): Promise<boolean> {
    const { entry, target } = move
    const flags = VIR.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT
    const change = async () => {
        try {
            await deps.libvirt.connection().call('domainBlockJobAbort', { dom: entry.dom, path: target, flags })
            return true
        } catch (thrown) {
            if (libvirtErrorOf(thrown)?.number === VIR.VIR_ERR_BLOCK_COPY_ACTIVE) return false
            throw thrown
        }
    }
    return deps.inventory.edit(entry.uuid, '', () => switchOver(deps, move, change))
}

/** From here on the copy is the disk; what happens to the old volume cannot undo that. */
export async function leave(deps: MakeDeps, move: Pick<Move, 'from' | 'keep'>, task: RunningTask): Promise<void> {
    await task.keep()
    if (move.keep) return
    try {
        const users = await inUse(deps, move.from)
        if (users.length > 0)
            throw new Fault('conflict', {
                summary: 'A VM has that volume as its disk',
                detail: vmNames(deps, users).join(', '),
            })
        await lookThrough(deps, [move.from])
        await deps.volumes.remove(refOf(move.from))
    } catch (thrown) {
        task.say(`The disk is moved, but the old volume ${refOf(move.from)} stays: ${asFault(thrown).message}`)
    }
}

/** Of what runs, else of the next start; asked of libvirt now. */
export async function sourceNow(deps: Pick<MakeDeps, 'inventory'>, entry: VmEntry, target: string): Promise<string> {
    await deps.inventory.refresh(entry.uuid)
    const xml = (await deps.inventory.activeXml(entry.uuid)) ?? (await deps.inventory.inactiveXml(entry.uuid)).xml
    return readDisks(parseRoot(xml, 'domain')).find(disk => disk.target === target)?.source ?? ''
}

/** The undoer of a copy that is under way: QEMU gives it up. */
export const undoLive =
    (deps: Pick<MakeDeps, 'libvirt' | 'inventory'>) =>
    async (step: UndoStep): Promise<void> => {
        const entry = await deps.inventory.refresh(String(step.uuid))
        if (!entry?.active) return
        const { call } = deps.libvirt.connection()
        const job = { dom: entry.dom, path: String(step.target), flags: 0 }
        const info = await call('domainGetBlockJobInfo', job)
        if (info.found !== 0 && info.type === VIR.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY) await call('domainBlockJobAbort', job)
        await deps.inventory.refresh(entry.uuid)
    }
