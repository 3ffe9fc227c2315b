// Going back to a snapshot and deleting one: what would lose more than was asked for is refused, with the reason.
import { Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { libvirtErrorOf, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { Anchor, RunningTask } from '../../engine/task.ts'
import { type Change, notNow } from './begin.ts'
import type { MakeDeps } from './create.ts'
import type { VmEntry } from './inventory.ts'
import { notFoundIsFine } from './make.ts'
import { setMetadataOf } from './settings.ts'
import {
    canRevertExternal,
    disksOf,
    jobEnded,
    listSnapshots,
    refreshPools,
    resumeCreateSnapshot,
    type SnapshotEntry,
    slow,
    TAKE,
    watched,
} from './snapshots.ts'
import { finding } from './spec-finding.ts'
import { lookThrough } from './volumes.ts'
import { parseRoot } from './xml/document.ts'
import { readMetadata, type VmMetadata } from './xml/metadata.ts'
import type { DiskFacts } from './xml/read-devices.ts'
import { isOwn } from './xml/snapshot.ts'

const DELETE = 'vm.snapshot-delete'
const METADATA = 'vm.metadata'
const GOING_BACK = 'Going back would destroy linked clones that stand on this VM'

interface Seen {
    entry: VmEntry
    snapshots: SnapshotEntry[]
    wanted: SnapshotEntry
    /** Disks that the VM has now. */
    disks: DiskFacts[]
}

async function see(deps: MakeDeps, entry: VmEntry, name: string): Promise<Seen> {
    const [all, { xml }] = await Promise.all([
        listSnapshots(deps.libvirt, entry.dom),
        deps.inventory.inactiveXml(entry.uuid),
    ])
    const snapshots = all.map(snapshot => ofPaths(deps, snapshot))
    const wanted = snapshots.find(snapshot => snapshot.name === name)
    if (!wanted)
        throw new Fault('not-found', {
            summary: 'The VM has no such snapshot',
            detail: JSON.stringify(name.slice(0, 80)),
            fix: `List them: debvisor vm snapshots ${entry.name}`,
            at: 'name',
        })
    return { entry, snapshots, wanted, disks: disksOf(deps, parseRoot(xml, 'domain')) }
}

/** A snapshot with paths where the VM named its disks by pool and volume. */
function ofPaths({ volumes }: MakeDeps, snapshot: SnapshotEntry): SnapshotEntry {
    const path = (source: string) => volumes.at(source)?.path ?? source
    const disks = snapshot.disks.map(disk => ({ ...disk, source: path(disk.source) }))
    return { ...snapshot, disks, files: snapshot.files.map(path) }
}

/** '2026-11-23 06:30:05 UTC' */
const timeOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** @throws Fault with the reason when going back is not possible here, or would lose more than what came after */
export async function planRevert(
    deps: MakeDeps,
    entry: VmEntry,
    request: { name: string; start: boolean },
): Promise<Change> {
    const seen = await see(deps, entry, request.name)
    const { wanted } = seen
    const host = await deps.host.facts()
    if (wanted.kind === 'external' && !canRevertExternal(host.libvirtVersion))
        throw new Fault('unsupported', {
            summary: 'The libvirt of this node cannot go back to external snapshots',
            detail: 'it needs libvirt 9.9, that is: Debian 13',
            fix: `Clone the files below ${wanted.disks[0]?.overlay ?? 'the overlay'}, or move the VM to a newer node.`,
            at: 'name',
        })
    if (entry.template) throw notNow(entry, 'A template cannot be changed', 'Make it a VM again first.')
    if (wanted.kind === 'internal') checkSameDisks(seen, wanted)
    await lookThroughOwn(deps, seen)
    checkNobodyStandsOn(deps, seen, GOING_BACK)
    const runs = request.start || ['running', 'paused'].includes(wanted.state)
    const after = runs ? 'runs' : 'is stopped'
    const findings: Finding[] = [
        finding('info', 'hardware-too', {
            at: 'vm',
            summary: 'The hardware of the VM goes back as well',
            detail: 'disks, NICs and memory are as they were when the snapshot was taken',
        }),
    ]
    return {
        kind: 'vm.snapshot-revert',
        title: `Take ${entry.name} back to ${wanted.name}`,
        plan: [
            ...(entry.active ? [{ sentence: `Stop ${entry.name} without asking its guest` }] : []),
            {
                sentence: `Take ${entry.name} back to ${wanted.name}: what ${entry.name} has written since ${timeOf(wanted.createdMs)} is lost`,
                destroys: `changes:${entry.name}`,
            },
            { sentence: `Afterwards ${entry.name} ${after}` },
        ],
        findings,
        work: task =>
            deps.inventory.edit(entry.uuid, '', async xml => {
                await lookThroughOwn(deps, seen)
                checkNobodyStandsOn(deps, seen, GOING_BACK)
                task.progress(-1, 'going back')
                // Tags and owner carry rights: those of the time of the snapshot must not come back with it.
                const metadata = readMetadata(parseRoot(xml, 'domain'))
                await task.undo({ kind: METADATA, uuid: entry.uuid, metadata: JSON.stringify(metadata) })
                const flags = request.start ? VIR.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING : 0
                const going = watched(deps, { task, dom: entry.dom }, async () => {
                    try {
                        await slow(deps, 'domainRevertToSnapshot', { snap: wanted.ref, flags })
                    } catch (thrown) {
                        // Risky is only that a new QEMU process is needed, and nobody expects the old one to stay.
                        const risky = libvirtErrorOf(thrown)?.number === VIR.VIR_ERR_SNAPSHOT_REVERT_RISKY
                        if (!risky) throw thrown
                        task.say('the snapshot needs another QEMU process')
                        const force = flags | VIR.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE
                        await slow(deps, 'domainRevertToSnapshot', { snap: wanted.ref, flags: force })
                    }
                })
                const restore = async () => {
                    await restoreMetadata(deps, entry.uuid, metadata)
                    await task.keep()
                }
                await going.catch(async thrown => {
                    // Nobody knows how far it came. Where this fails too, the promise stands.
                    await restore().catch(() => undefined)
                    throw thrown
                })
                await restore()
                await refreshPools(deps.libvirt, seen.disks.filter(isOwn))
                await deps.inventory.refresh(entry.uuid)
            }),
    }
}

/** Sets what DebVisor keeps with a VM as it was before. A VM that is gone is fine. */
async function restoreMetadata(deps: MakeDeps, uuid: string, metadata: VmMetadata): Promise<void> {
    const entry = await deps.inventory.refresh(uuid)
    if (!entry) return
    await setMetadataOf(deps.libvirt.connection(), entry, metadata)
    await deps.inventory.refresh(uuid)
}

/** @throws Fault with the reason when it cannot be deleted here, or others stand on what would be merged */
export async function planDeleteSnapshot(
    deps: MakeDeps,
    entry: VmEntry,
    request: { name: string; children: boolean },
): Promise<Change> {
    const seen = await see(deps, entry, request.name)
    const doomed = request.children ? withDescendants(seen) : [seen.wanted]
    const external = doomed.filter(snapshot => snapshot.kind === 'external')
    if (external.length > 0) {
        await lookThroughOwn(deps, seen)
        checkNobodyStandsOn(deps, seen, 'Merging would destroy linked clones that stand on this VM')
    }
    for (const snapshot of doomed) if (snapshot.kind === 'internal') checkSameDisks(seen, snapshot)
    return {
        kind: DELETE,
        title: `Delete the snapshot ${seen.wanted.name} of ${entry.name}`,
        plan: doomed.map(snapshot => ({
            sentence:
                snapshot.kind === 'external'
                    ? `Merge what came after ${snapshot.name} into the disks of ${entry.name}, and forget the snapshot`
                    : `Delete the snapshot ${snapshot.name} from the disks of ${entry.name}`,
            destroys: `snapshot:${entry.name}/${snapshot.name}`,
        })),
        anchor: {
            kind: DELETE,
            uuid: entry.uuid,
            names: doomed.map(snapshot => snapshot.name).join('\n'),
        },
        work: task => deleteAll(deps, seen, { doomed, task }),
    }
}

/** Children first, so that each is a leaf when its turn comes. */
function withDescendants(seen: Seen): SnapshotEntry[] {
    const below = (name: string): SnapshotEntry[] =>
        seen.snapshots.filter(s => s.parent === name).flatMap(child => [...below(child.name), child])
    return [...below(seen.wanted.name), seen.wanted]
}

function deleteAll(
    deps: MakeDeps,
    seen: Pick<Seen, 'entry' | 'disks'>,
    on: { doomed: SnapshotEntry[]; task: RunningTask },
): Promise<void> {
    const { entry, disks } = seen
    const { doomed, task } = on
    return deps.inventory.edit(entry.uuid, '', async () => {
        for (const [i, snapshot] of doomed.entries()) {
            if (task.signal.aborted) throw new Fault('cancelled', { summary: 'The task was cancelled' })
            const share = (fraction: number) => (i + fraction) / doomed.length
            task.progress(share(0), `deleting ${snapshot.name}`)
            await watched(deps, { task, dom: entry.dom, share }, () =>
                slow(deps, 'domainSnapshotDelete', { snap: snapshot.ref, flags: 0 }).catch(notFoundIsFine),
            )
            if (snapshot.memoryFile) await removeFile(deps, snapshot.memoryFile)
        }
        await refreshPools(deps.libvirt, disks.filter(isOwn))
        await deps.inventory.refresh(entry.uuid)
    })
}

/** libvirt leaves the memory of a deleted snapshot behind (seen with 9.0); it is a file beside the disks. */
async function removeFile(deps: MakeDeps, path: string): Promise<void> {
    await refreshPools(deps.libvirt, [{ source: path }])
    const { call } = deps.libvirt.connection()
    const found = await call('storageVolLookupByPath', { path }).catch(notFoundIsFine)
    if (found) await call('storageVolDelete', { vol: found.vol, flags: 0 }).catch(notFoundIsFine)
}

/** Registers how taking and deleting snapshots go on after a restart of the daemon. */
export function registerSnapshots(deps: MakeDeps): void {
    deps.tasks.onAnchor(TAKE, (anchor, task) => resumeCreateSnapshot(deps, anchor, task))
    deps.tasks.onAnchor(DELETE, (anchor, task) => resumeDeleteSnapshot(deps, anchor, task))
    deps.tasks.onUndo(METADATA, step =>
        restoreMetadata(deps, String(step.uuid), JSON.parse(String(step.metadata)) as VmMetadata),
    )
}

/** What is left of the list is deleted. */
async function resumeDeleteSnapshot(deps: MakeDeps, anchor: Anchor, task: RunningTask): Promise<void> {
    await deps.inventory.ready()
    const entry = deps.inventory.resolve(String(anchor.uuid))
    await jobEnded(deps, entry.dom, task)
    const snapshots = await listSnapshots(deps.libvirt, entry.dom)
    const names = String(anchor.names).split('\n')
    const doomed = names.flatMap(name => snapshots.filter(snapshot => snapshot.name === name))
    const { xml } = await deps.inventory.inactiveXml(entry.uuid)
    await deleteAll(deps, { entry, disks: disksOf(deps, parseRoot(xml, 'domain')) }, { doomed, task })
}

/**
 * An internal snapshot is inside the files that the VM had then. When the VM writes to others now (an overlay of a
 * later external snapshot, another pool), going back would pull the floor from under these.
 */
function checkSameDisks(seen: Seen, snapshot: SnapshotEntry): void {
    const moved = snapshot.disks.find(
        disk => disk.source !== '' && seen.disks.find(now => now.target === disk.target)?.source !== disk.source,
    )
    if (!moved) return
    const now = seen.disks.find(disk => disk.target === moved.target)?.source
    throw new Fault('precondition', {
        summary: 'The VM writes to other files now than when the snapshot was taken',
        detail: `${moved.target} was ${moved.source}, and is ${now || 'gone'}: data would be lost`,
        fix: 'Delete the later external snapshots first, or move the disk back.',
        at: 'name',
    })
}

const lookThroughOwn = (deps: MakeDeps, { disks }: Seen) =>
    lookThrough(
        deps,
        disks.filter(isOwn).flatMap(disk => deps.volumes.at(disk.source) ?? []),
    )

/** Volumes of others that stand on a file of this VM: their content would change below them. */
function checkNobodyStandsOn(deps: MakeDeps, seen: Seen, summary: string): void {
    const own = new Set<string>()
    for (const disk of seen.disks.filter(isOwn)) {
        for (let path: string | undefined = disk.source; path && !own.has(path); ) {
            own.add(path)
            path = deps.volumes.at(path)?.backingPath
        }
    }
    for (const snapshot of seen.snapshots) {
        for (const file of snapshot.files) own.add(file)
        for (const disk of snapshot.disks) own.add(disk.overlay)
    }
    // What a linked clone stands on as a whole is below its own disk, and is not written by any of this.
    const writable = [...own].filter(path => isWritten(seen, path))
    const strangers = writable.flatMap(path => deps.volumes.standingOn(path)).filter(volume => !own.has(volume.path))
    if (strangers.length === 0) return
    throw new Fault('conflict', {
        summary,
        detail: strangers.map(volume => `${volume.pool}/${volume.name}`).join(', '),
        fix: 'Delete the clones first, or make them whole by a full clone.',
        at: 'vm',
    })
}

/** The present disks, and those that snapshots were taken of. */
const isWritten = (seen: Seen, path: string): boolean =>
    seen.disks.some(disk => disk.source === path) ||
    seen.snapshots.some(snapshot => snapshot.disks.some(disk => [disk.source, disk.overlay].includes(path)))
