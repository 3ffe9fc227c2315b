// Moving a disk to another pool: copied below a running guest and switched over, or copied while the VM is stopped.
import { asFault, Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { libvirtErrorOf, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { Anchor, RunningTask, UndoStep } from '../../engine/task.ts'
import type { MoveDiskRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, needPersistent, notNow } from './begin.ts'
import type { MakeDeps } from './create.ts'
import { vmNames } from './deps.ts'
import { liveBytes } from './hardware-disks.ts'
import type { VmEntry } from './inventory.ts'
import { notFoundIsFine } from './make.ts'
import { listSnapshots } from './snapshots.ts'
import { inUse } from './sources.ts'
import { finding } from './spec-finding.ts'
import { type NewVolume, undoOf, type VolumeFacts } from './volumes.ts'
import { xmlText } from './xml/build-text.ts'
import { putVolume } from './xml/clone.ts'
import { driverFormat, sourceAttributes } from './xml/devices.ts'
import { parseRoot } from './xml/document.ts'
import { editDomain } from './xml/edit.ts'
import { readDisks } from './xml/read-devices.ts'
import { isOwn } from './xml/snapshot.ts'

const POLL_MS = 250
const UNDO = 'vm.move'

interface Move {
    entry: VmEntry
    target: string
    from: VolumeFacts
    volume: NewVolume
    keep: boolean
}

/** @throws Fault with the reason when the disk cannot be moved there; nothing is changed then */
export async function planMoveDisk(deps: MakeDeps, entry: VmEntry, request: MoveDiskRequest): Promise<Change> {
    needPersistent(entry)
    const { from, format, capacityBytes } = await findDisk(deps, entry, request.target)
    if (from.pool === request.pool)
        throw notNow(entry, 'The disk is in that pool already', 'Name another pool: `debvisor image pools` shows them.')
    const snapshots = await listSnapshots(deps.libvirt, entry.dom)
    if (snapshots.length > 0)
        throw notNow(
            entry,
            'The disk has snapshots, which would stay behind',
            'Delete the snapshots first, or make a full clone.',
        )
    const overlays = deps.volumes.standingOn(from.path)
    if (overlays.length > 0 && !request.keep)
        throw new Fault('conflict', {
            summary: 'Linked clones stand on that disk',
            detail: overlays.map(volume => `${volume.pool}/${volume.name}`).join(', '),
            fix: 'Keep the old volume, or delete the clones first.',
            at: 'keep',
        })
    const others = (await inUse(deps, from.path)).filter(user => user.uuid !== entry.uuid)
    if (others.length > 0)
        throw new Fault('conflict', {
            summary: 'Another VM has that volume as its disk',
            detail: vmNames(deps, others).join(', '),
            fix: 'Detach it from that VM first.',
            at: 'target',
        })
    const volume: NewVolume = {
        pool: request.pool,
        name: await freeName(deps, request.pool, from.name),
        capacityBytes,
        // The copy runs below the guest only into a volume of a format that is said.
        format: ['qcow2', 'raw'].includes(format) ? format : undefined,
    }
    await checkFormat(deps, volume)
    const move: Move = { entry, target: request.target, from, volume, keep: request.keep }
    const old = `${from.pool}/${from.name}`
    const findings: Finding[] = from.backingPath
        ? [
              finding('info', 'made-whole', {
                  at: 'target',
                  summary: 'The disk is a linked clone, and becomes whole by the move',
                  detail: `it takes up to ${from.capacityBytes} bytes`,
              }),
          ]
        : []
    return {
        kind: 'vm.move-disk',
        title: `Move ${request.target} of ${entry.name} to ${request.pool}`,
        plan: [
            {
                sentence: `Copy ${old} to ${volume.pool}/${volume.name}${entry.active ? ` while ${entry.name} runs` : ''}`,
            },
            { sentence: `Let ${entry.name} use the copy` },
            request.keep
                ? { sentence: `Keep ${old}` }
                : { sentence: `Delete the volume ${old}`, destroys: `volume:${old}` },
        ],
        findings,
        cancellable: true,
        work: task =>
            deps.inventory.byUuid(entry.uuid)?.active ? moveLive(deps, move, task) : moveStopped(deps, move, task),
    }
}

async function findDisk(deps: MakeDeps, entry: VmEntry, target: string) {
    const { xml } = await deps.inventory.inactiveXml(entry.uuid)
    const active = entry.active ? await deps.inventory.activeXml(entry.uuid) : undefined
    const disk = readDisks(parseRoot(active ?? xml, 'domain')).find(d => d.target === target)
    if (!disk)
        throw new Fault('not-found', {
            summary: 'The VM has no such disk',
            detail: `${JSON.stringify(target.slice(0, 40))} of ${entry.name}`,
            fix: `See its disks: debvisor vm show ${entry.name}`,
            at: 'target',
        })
    const next = readDisks(parseRoot(xml, 'domain')).find(d => d.target === target)
    if (next?.source !== disk.source)
        throw notNow(entry, 'The disk is another one at the next start', 'Stop the VM first.')
    const known = isOwn(disk) ? deps.volumes.byPath(disk.source) : undefined
    if (!known)
        throw new Fault('invalid', {
            summary: 'Only a disk of the VM in a pool can be moved',
            detail: `${target} of ${entry.name} is ${isOwn(disk) ? 'in no pool' : 'shared, read-only or a drive'}`,
            fix: 'Name a disk such as vda.',
            at: 'target',
        })
    // As large as it is now: into a target that is too small nothing is copied whole.
    const from = await deps.volumes.find(refOf(known))
    const capacityBytes = active ? await liveBytes(deps, entry, disk) : from.capacityBytes
    return { from, format: disk.format, capacityBytes }
}

async function freeName(deps: MakeDeps, pool: string, wanted: string): Promise<string> {
    const taken = await deps.volumes.find(`${pool}/${wanted}`).catch(notFoundIsFine)
    return taken ? deps.maker.freeVolume(pool, wanted) : wanted
}

/** A pool of block devices holds raw only: then the disk becomes raw. */
async function checkFormat(deps: MakeDeps, volume: NewVolume): Promise<void> {
    try {
        await deps.volumes.check(volume)
    } catch (thrown) {
        if (asFault(thrown).at !== 'format' || volume.format === 'raw') throw thrown
        volume.format = 'raw'
        await deps.volumes.check(volume)
    }
}

const refOf = (volume: { pool: string; name: string }): string => `${volume.pool}/${volume.name}`

type Promised = Pick<Move, 'entry' | 'target' | 'volume'>

/** The copy job is ended first, then the volume goes. */
async function promise(task: RunningTask, { entry, target, volume }: Promised): Promise<void> {
    await Promise.all([task.undo(undoOf(task, volume)), task.undo({ kind: UNDO, uuid: entry.uuid, target })])
}

/**
 * Lets the VM use the copy. While that is under way nothing is promised: whatever becomes of us, a volume that may be
 * the disk is never taken back. Where `change` fails and the disk is the old one still, the promise is made again.
 */
async function switchOver(
    deps: MakeDeps,
    move: Promised & { from: VolumeFacts; to: string },
    on: { task: RunningTask; change: () => Promise<boolean> },
): Promise<boolean> {
    const { task, change } = on
    await task.keep()
    try {
        const done = await change()
        if (!done) await promise(task, move)
        return done
    } catch (thrown) {
        const source = await sourceNow(deps, move.entry, move.target).catch(() => undefined)
        if (source === move.to) return true
        if (source === move.from.path && asFault(thrown).code !== 'unknown') await promise(task, move)
        throw thrown
    }
}

async function moveStopped(deps: MakeDeps, move: Move, task: RunningTask): Promise<void> {
    const { entry, target, from, volume } = move
    const { inventory } = deps
    await promise(task, move)
    task.progress(0, 'copying')
    const made = await deps.volumes.create({
        ...volume,
        by: task.id,
        from: refOf(from),
        signal: task.signal,
        onProgress: fraction => task.progress(0.95 * fraction),
    })
    await inventory.edit(entry.uuid, '', async xml => {
        await inventory.refresh(entry.uuid)
        const now = readDisks(parseRoot(xml, 'domain')).find(disk => disk.target === target)
        if (inventory.byUuid(entry.uuid)?.active || now?.source !== from.path)
            throw notNow(entry, 'The VM was started or changed while its disk was copied', 'Move it again.')
        const text = editDomain(xml, domain => {
            putVolume(readDisks(domain).find(disk => disk.target === target)!.element, made)
        })
        const flags = VIR.VIR_DOMAIN_DEFINE_VALIDATE
        const change = async () => {
            await deps.libvirt.connection().call('domainDefineXMLFlags', { xml: text, flags })
            return true
        }
        await switchOver(deps, { ...move, to: made.path }, { task, change })
        await inventory.refresh(entry.uuid)
    })
    await leave(deps, move, task)
}

async function moveLive(deps: MakeDeps, move: Move, task: RunningTask): Promise<void> {
    const { entry, target, from, volume, keep } = move
    await promise(task, move)
    task.progress(0, 'copying')
    // It may have been grown since the plan was made.
    const capacityBytes = Math.max(volume.capacityBytes, await liveBytes(deps, entry, { target }))
    const made = await deps.volumes.create({ ...volume, capacityBytes, by: task.id })
    const { type, attributes } = sourceAttributes(made)
    const destxml = xmlText({
        name: 'disk',
        attributes: { type },
        children: [
            { name: 'driver', attributes: { type: driverFormat(made.format) } },
            { name: 'source', attributes },
        ],
    })
    const flags = VIR.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT | VIR.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
    await deps.libvirt
        .connection()
        .call('domainBlockCopy', { dom: entry.dom, path: target, destxml, params: [], flags })
    const anchor = { uuid: entry.uuid, target, old: refOf(from), volume: refOf(made), keep }
    await task.anchor({ kind: UNDO, ...anchor })
    await finishLive(deps, { ...move, to: made.path }, task)
}

/** Waits until the copy has caught up with the guest, and switches over. */
async function finishLive(deps: MakeDeps, move: Move & { to: string }, task: RunningTask): Promise<void> {
    const { entry, target, to } = move
    const job = { dom: entry.dom, path: target }
    for (;;) {
        const { call } = deps.libvirt.connection()
        if (task.signal.aborted) {
            // A service that ends leaves the job to be taken up again; a cancel takes it back by the undo.
            throw new Fault('cancelled', { summary: 'The task was cancelled' })
        }
        const info = await call('domainGetBlockJobInfo', { ...job, flags: 0 })
        if (info.found === 0) {
            if ((await sourceNow(deps, entry, target)) === to) break
            throw new Fault('internal', {
                summary: 'QEMU gave up copying the disk',
                detail: `${target} of ${entry.name}`,
                fix: 'See the space of the pool and the log of the VM in /var/log/libvirt/qemu, then move it again.',
            })
        }
        const done = info.end > 0n ? Number(info.cur) / Number(info.end) : 0
        task.progress(0.95 * done)
        if (info.cur === info.end && info.end > 0n && (await pivot(deps, move, task))) break
        await new Promise<void>(resolve => deps.clock.after(POLL_MS, resolve))
    }
    await deps.inventory.refresh(entry.uuid)
    await leave(deps, move, task)
}

/** False while the copy has not caught up yet. */
function pivot(deps: MakeDeps, move: Move & { to: string }, task: RunningTask): Promise<boolean> {
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
    return deps.inventory.edit(entry.uuid, '', () => switchOver(deps, move, { task, change }))
}

/** From here on the copy is the disk; what happens to the old volume cannot undo that. */
async function leave(deps: MakeDeps, move: Pick<Move, 'from' | 'keep'>, task: RunningTask): Promise<void> {
    await task.keep()
    if (move.keep) return
    try {
        await deps.volumes.remove(refOf(move.from))
    } catch (thrown) {
        task.say(`The disk is moved, but the old volume ${refOf(move.from)} stays: ${asFault(thrown).message}`)
    }
}

async function sourceNow(deps: Pick<MakeDeps, 'inventory'>, entry: VmEntry, target: string): Promise<string> {
    const xml = (await deps.inventory.activeXml(entry.uuid)) ?? (await deps.inventory.inactiveXml(entry.uuid)).xml
    return readDisks(parseRoot(xml, 'domain')).find(disk => disk.target === target)?.source ?? ''
}

/** Registers how a half-done move is taken back, and how one goes on after a restart of the daemon. */
export function registerMove(deps: MakeDeps): void {
    const { inventory, tasks, volumes } = deps
    tasks.onUndo(UNDO, async (step: UndoStep) => {
        const entry = inventory.byUuid(String(step.uuid)) ?? (await inventory.refresh(String(step.uuid)))
        if (!entry?.active) return
        const { call } = deps.libvirt.connection()
        const job = { dom: entry.dom, path: String(step.target), flags: 0 }
        const info = await call('domainGetBlockJobInfo', job)
        if (info.found !== 0 && info.type === VIR.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY) await call('domainBlockJobAbort', job)
        await inventory.refresh(entry.uuid)
    })
    tasks.onAnchor(UNDO, async (anchor: Anchor, task: RunningTask) => {
        const entry = inventory.resolve(String(anchor.uuid))
        const [from, to] = await Promise.all([volumes.find(String(anchor.old)), volumes.find(String(anchor.volume))])
        const move = { entry, target: String(anchor.target), from, volume: to, keep: anchor.keep === true, to: to.path }
        await finishLive(deps, move, task)
    })
}
