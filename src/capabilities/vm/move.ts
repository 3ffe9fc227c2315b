// Moving a disk to another pool: what can be moved, and the move of a stopped VM's (move-live.ts has the others).
import { asFault, Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { VIR } from '../../drivers/libvirt/libvirt.ts'
import type { Anchor, RunningTask } from '../../engine/task.ts'
import type { MoveDiskRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, entryNow, needPersistent, notNow } from './begin.ts'
import type { MakeDeps } from './create.ts'
import { vmNames } from './deps.ts'
import { liveBytes } from './hardware-disks.ts'
import { isVolume, type VmEntry } from './inventory.ts'
import { notFoundIsFine } from './make.ts'
import {
    anchorOf,
    finishLive,
    LIVE,
    leave,
    type Move,
    moveLive,
    promise,
    sourceNow,
    switchOver,
    undoLive,
} from './move-live.ts'
import { listSnapshots } from './snapshots.ts'
import { inUse, watchCopied } from './sources.ts'
import { finding } from './spec-finding.ts'
import { volumeAt } from './volume-at.ts'
import { lookThrough, type NewVolume, refOf } from './volumes.ts'
import { putVolume } from './xml/clone.ts'
import { parseRoot } from './xml/document.ts'
import { editDomain } from './xml/edit.ts'
import { readDisks } from './xml/read-devices.ts'
import { isOwn } from './xml/snapshot.ts'

/** Kind of the anchor of the switch of a stopped VM. */
const SWITCH = 'vm.move-stopped'

/** @throws Fault with the reason when the disk cannot be moved there; nothing is changed then */
export async function planMoveDisk(deps: MakeDeps, entry: VmEntry, request: MoveDiskRequest): Promise<Change> {
    needPersistent(entry)
    const { from, format, capacityBytes } = await findDisk(deps, entry, request.target)
    if (from.pool === request.pool)
        throw notNow(entry, 'The disk is in that pool already', 'Name another pool: `debvisor pool list` shows them.')
    const snapshots = await listSnapshots(deps.libvirt, entry.dom)
    if (snapshots.length > 0)
        throw notNow(
            entry,
            'The disk has snapshots, which would stay behind',
            'Delete the snapshots first, or make a full clone.',
        )
    await lookThrough(deps, [from])
    const overlays = deps.volumes.standingOn(from.path)
    if (overlays.length > 0 && !request.keep)
        throw new Fault('conflict', {
            summary: 'Linked clones stand on that disk',
            detail: overlays.map(volume => `${volume.pool}/${volume.name}`).join(', '),
            fix: 'Keep the old volume, or delete the clones first.',
            at: 'keep',
        })
    const others = (await inUse(deps, from)).filter(user => user.uuid !== entry.uuid)
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
    const known = isOwn(disk) ? await volumeAt(deps, disk.source) : undefined
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

async function moveStopped(deps: MakeDeps, move: Move, task: RunningTask): Promise<void> {
    const { entry, target, from, volume } = move
    const { inventory } = deps
    await promise(task, move)
    task.progress(0, 'copying')
    const whole = await watchCopied(deps, [from])
    const made = await deps.volumes.create({
        ...volume,
        by: task.id,
        from: refOf(from),
        signal: task.signal,
        onProgress: fraction => task.progress(0.95 * fraction),
    })
    await inventory.edit(entry.uuid, '', async xml => {
        const present = await entryNow(deps, entry)
        await whole()
        const now = readDisks(parseRoot(xml, 'domain')).find(disk => disk.target === target)
        if (present.active || !now || !isVolume(now.source, from))
            throw notNow(entry, 'The VM was started or changed while its disk was copied', 'Move it again.')
        const text = editDomain(xml, domain => {
            putVolume(readDisks(domain).find(disk => disk.target === target)!.element, made)
        })
        const flags = VIR.VIR_DOMAIN_DEFINE_VALIDATE
        await task.anchor({ kind: SWITCH, ...anchorOf(move, made) })
        await switchOver(deps, { entry, target, to: made }, async () => {
            await deps.libvirt.connection().call('domainDefineXMLFlags', { xml: text, flags })
            return true
        })
        await inventory.refresh(entry.uuid)
    })
    await leave(deps, move, task)
}

/** Registers how a half-done move is taken back, and how one goes on after a restart of the daemon. */
export function registerMove(deps: MakeDeps): void {
    const { inventory, tasks, volumes } = deps
    tasks.onUndo(LIVE, undoLive(deps))
    const moveOf = async (anchor: Anchor) => {
        await inventory.ready()
        const entry = inventory.resolve(String(anchor.uuid))
        const [old, made] = [String(anchor.old), String(anchor.volume)]
        const to = await volumes.find(made)
        // The last step of a move deletes it.
        const from = (await volumes.find(old).catch(notFoundIsFine)) ?? { ...to, ...splitRef(old), path: '' }
        return { entry, target: String(anchor.target), from, volume: to, keep: anchor.keep === true, to }
    }
    tasks.onAnchor(LIVE, async (anchor, task) => finishLive(deps, await moveOf(anchor), task))
    tasks.onAnchor(SWITCH, async (anchor, task) => {
        const move = await moveOf(anchor)
        if (isVolume(await sourceNow(deps, move.entry, move.target), move.to)) return leave(deps, move, task)
        // Nobody has seen whether the VM ran meanwhile: the copy may be old.
        throw new Fault('unavailable', {
            summary: 'DebVisor ended before the VM was let use the copy',
            detail: `${move.target} of ${move.entry.name} is as it was`,
            fix: 'Move it again.',
        })
    })
}

const splitRef = (ref: string) => ({ pool: ref.slice(0, ref.indexOf('/')), name: ref.slice(ref.indexOf('/') + 1) })
