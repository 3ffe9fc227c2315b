// Snapshots of a VM: which there are, what a new one may be here, and how it is taken.
import { asFault, Fault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import { checkName, checkText } from '../../base/ids.ts'
import { type Calls, type DomainRef, type DomainSnapshotRef, VIR } from '../../drivers/libvirt/libvirt.ts'
import type { LibvirtLink } from '../../drivers/libvirt/link.ts'
import type { Anchor, RunningTask } from '../../engine/task.ts'
import type { CreateSnapshotRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, needPersistent, notNow } from './begin.ts'
import type { MakeDeps } from './create.ts'
import type { VmEntry } from './inventory.ts'
import { notFoundIsFine } from './make.ts'
import { finding } from './spec-finding.ts'
import { located } from './volume-at.ts'
import type { Volumes } from './volumes.ts'
import { readCloneSource } from './xml/clone.ts'
import { type Element, find, parseRoot } from './xml/document.ts'
import { type DiskFacts, readDisks } from './xml/read-devices.ts'
import { isOwn, overlayPaths, readSnapshot, type SnapshotFacts, snapshotXml } from './xml/snapshot.ts'

export interface SnapshotEntry extends SnapshotFacts {
    ref: DomainSnapshotRef
    current: boolean
    children: string[]
}

const READERS = 3
const POLL_MS = 500
// As long as libvirt itself waits for an agent that thaws.
const THAW_MS = 60_000
/** Kind of the anchor of a snapshot that is being taken. */
export const TAKE = 'vm.snapshot-create'

/** All snapshots of a VM, parents before children. */
export async function listSnapshots(libvirt: LibvirtLink, dom: DomainRef): Promise<SnapshotEntry[]> {
    const { call } = libvirt.connection()
    const flags = VIR.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL
    const { snapshots: refs } = await call('domainListAllSnapshots', { dom, need_results: 1, flags })
    if (refs.length === 0) return []
    const current = await call('domainSnapshotCurrent', { dom }).then(answer => answer.snap.name, notFoundIsFine)
    const facts = new Map<string, SnapshotFacts>()
    const left = [...refs]
    const reader = async () => {
        for (let ref = left.shift(); ref; ref = left.shift()) {
            const answer = await call('domainSnapshotGetXMLDesc', { snap: ref }).catch(notFoundIsFine)
            if (answer) facts.set(ref.name, readSnapshot(answer.xml))
        }
    }
    await Promise.all(Array.from({ length: READERS }, reader))
    return refs.flatMap(ref => {
        const one = facts.get(ref.name)
        if (!one) return []
        const children = [...facts.values()].filter(other => other.parent === ref.name).map(other => other.name)
        return [{ ...one, ref, current: ref.name === current, children }]
    })
}

/** The disks of a definition, those that are named by pool and volume as the files that they are. */
export const disksOf = (deps: { volumes: Pick<Volumes, 'at'> }, domain: Element): DiskFacts[] =>
    readDisks(domain).map(disk => located(deps, disk))

/** What kinds of snapshots a VM can have here; an empty text means yes, any other is the reason why not. */
export interface SnapshotAbility {
    internal: string
    external: string
}

/** Versions of libvirt from which on things work, by its NEWS. */
const REVERT_EXTERNAL = 9_009_000
export const canRevertExternal = (libvirtVersion: number): boolean => libvirtVersion >= REVERT_EXTERNAL

/** @param xml the definition of the next start */
export function snapshotAbility(
    deps: { volumes: Pick<Volumes, 'at'> },
    xml: string,
    present: readonly SnapshotFacts[],
): SnapshotAbility {
    const root = parseRoot(xml, 'domain')
    const disks = disksOf(deps, root).filter(isOwn)
    const raw = disks.find(disk => disk.format !== 'qcow2')
    const notFile = disks.find(disk => disk.type !== 'file')
    const nvramFormat = find(root, 'os/nvram')?.getAttribute('format') ?? 'raw'
    const mixed = (kind: 'internal' | 'external') => {
        const other = present.find(snapshot => snapshot.kind !== kind)
        return other ? `${other.name} is ${other.kind}, and libvirt cannot delete or revert where both kinds mix` : ''
    }
    const none = disks.length === 0 ? 'it has no disk of its own' : ''
    return {
        internal:
            none ||
            (raw ? `${raw.target} is ${raw.format}, and only qcow2 can hold snapshots` : '') ||
            // libvirt 9.0 would leave the variables out while the VM is stopped, and refuses while it runs; since
            // 10.10 it asks for variables in a qcow2 file.
            (readCloneSource(xml).uefi && nvramFormat !== 'qcow2'
                ? 'it starts by UEFI, whose variables are not kept in qcow2'
                : '') ||
            mixed('internal'),
        external: none || (notFile ? `${notFile.target} is not a file` : '') || mixed('external'),
    }
}

/** @throws Fault with the reason when this VM cannot have such a snapshot */
export async function planCreateSnapshot(
    deps: MakeDeps,
    entry: VmEntry,
    request: Pick<CreateSnapshotRequest, 'name' | 'description' | 'kind' | 'memory' | 'quiesce'>,
): Promise<Change> {
    const name = checkName(request.name)
    const description = checkText(request.description, 'description', 1024)
    needPersistent(entry)
    const [{ xml }, present, host] = await Promise.all([
        deps.inventory.inactiveXml(entry.uuid),
        listSnapshots(deps.libvirt, entry.dom),
        deps.host.facts(),
    ])
    if (present.some(snapshot => snapshot.name === name))
        throw new Fault('exists', {
            summary: 'The VM has a snapshot of that name already',
            detail: name,
            fix: 'Choose another name, or delete the other snapshot.',
            at: 'name',
        })
    const kind = chooseKind(snapshotAbility(deps, xml, present), request.kind)
    const memory = kind === 'internal' ? entry.active : request.memory
    if (memory && !entry.active) throw notNow(entry, 'A stopped VM has no memory to keep', 'Leave memory out.')
    const { quiesce } = request
    if (quiesce && (kind !== 'external' || memory || !entry.active))
        throw notNow(
            entry,
            'File systems are frozen for external snapshots of a running VM without its memory',
            'Leave quiesce out, or take an external snapshot without memory.',
        )
    if (quiesce && !entry.agentConnected)
        throw notNow(
            entry,
            'The guest agent does not answer, so that file systems cannot be frozen',
            'Install and start qemu-guest-agent in the guest, or leave quiesce out.',
        )
    const running = entry.active ? await deps.inventory.activeXml(entry.uuid) : undefined
    const disks = disksOf(deps, parseRoot(running ?? xml, 'domain'))
    const [beside] = overlayPaths(disks, name).values()
    const memoryFile = memory && kind === 'external' ? `${beside}.mem` : ''
    const findings = findingsOf(host.libvirtVersion, { kind, memory, asked: request.memory, disks })
    const with_ = memory ? ' with its memory' : ''
    const text = snapshotXml({ name, description, kind, memoryFile, disks })
    const flags =
        kind === 'internal'
            ? 0
            : (memory ? 0 : VIR.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY) |
              VIR.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC |
              (quiesce ? VIR.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE : 0)
    return {
        kind: 'vm.snapshot-create',
        title: `Take the snapshot ${name} of ${entry.name}`,
        plan: [
            ...(quiesce ? [{ sentence: `Freeze the file systems of ${entry.name} for a moment` }] : []),
            { sentence: `Take the ${kind} snapshot ${name} of ${entry.name}${with_}` },
        ],
        findings,
        anchor: { kind: TAKE, uuid: entry.uuid, name, quiesce },
        work: task =>
            deps.inventory.edit(entry.uuid, '', async () => {
                task.progress(-1, 'taking the snapshot')
                const args = { dom: entry.dom, xml_desc: text, flags }
                try {
                    await watched(deps, { task, dom: entry.dom }, () => slow(deps, 'domainSnapshotCreateXML', args))
                } catch (thrown) {
                    if (quiesce) await thaw(deps, entry)
                    throw thrown
                }
                if (kind === 'external') await refreshPools(deps.libvirt, disks.filter(isOwn))
                await deps.inventory.refresh(entry.uuid)
            }),
    }
}

/** libvirt thaws what it froze, but not when it was ended between the two; twice does no harm. */
async function thaw({ libvirt }: Pick<MakeDeps, 'libvirt'>, entry: Pick<VmEntry, 'dom'>): Promise<void> {
    const args = { dom: entry.dom, mountpoints: [], flags: 0 }
    await libvirt
        .connection()
        .callAlone('domainFSThaw', args, { deadlineMs: THAW_MS })
        .catch(() => undefined)
}

function chooseKind(able: SnapshotAbility, asked: string): 'internal' | 'external' {
    if (!['', 'internal', 'external'].includes(asked))
        throw new Fault('invalid', {
            summary: 'There is no such kind of snapshot',
            detail: JSON.stringify(asked.slice(0, 40)),
            fix: 'Take internal or external, or leave it out.',
            at: 'kind',
        })
    const refuse = (detail: string, fix: string) =>
        new Fault('unsupported', { summary: 'This VM cannot have such a snapshot', detail, fix, at: 'kind' })
    if (asked === 'internal' && able.internal)
        throw refuse(able.internal, able.external ? 'Take a full clone instead.' : 'Take an external snapshot.')
    if (asked === 'external' && able.external)
        throw refuse(able.external, able.internal ? 'Take a full clone instead.' : 'Take an internal snapshot.')
    if (asked === 'internal' || asked === 'external') return asked
    if (!able.internal) return 'internal'
    if (!able.external) return 'external'
    throw refuse(`internal: ${able.internal}; external: ${able.external}`, 'Take a full clone instead.')
}

function findingsOf(
    libvirtVersion: number,
    made: { kind: string; memory: boolean; asked: boolean; disks: DiskFacts[] },
): Finding[] {
    const found: Finding[] = []
    if (made.kind === 'internal' && made.memory && !made.asked)
        found.push(
            finding('info', 'memory-included', {
                at: 'memory',
                summary: 'An internal snapshot of a running VM has its memory in it',
                fix: 'Stop the VM first for one without, or take an external one.',
            }),
        )
    if (made.kind === 'external' && !canRevertExternal(libvirtVersion))
        found.push(
            finding('warning', 'no-revert', {
                at: 'kind',
                summary: 'The libvirt of this node cannot go back to external snapshots',
                detail: 'it needs libvirt 9.9, that is: Debian 13; deleting (merging) works',
                fix: 'Take an internal snapshot where the VM allows, or a full clone.',
            }),
        )
    const left = made.disks.filter(disk => disk.shareable && !disk.readonly)
    if (left.length > 0)
        found.push(
            finding('warning', 'shared-left-out', {
                at: 'vm',
                summary: 'Disks that are shared with other VMs are not in the snapshot',
                detail: left.map(disk => disk.target).join(', '),
            }),
        )
    return found
}

/** A call that may take as long as it likes, on a connection of its own. */
export const slow = <N extends keyof Calls>(
    deps: Pick<MakeDeps, 'libvirt'>,
    name: N,
    args: Calls[N][0],
): Promise<Calls[N][1]> => deps.libvirt.connection().callAlone(name, args, { deadlineMs: Number.POSITIVE_INFINITY })

/** Runs a call, and meanwhile tells how far libvirt's job on the VM is. */
export async function watched<T>(
    deps: Pick<MakeDeps, 'libvirt' | 'clock'>,
    on: { task: RunningTask; dom: DomainRef; share?: (fraction: number) => number },
    work: () => Promise<T>,
): Promise<T> {
    let asking = false
    const ask = async () => {
        if (asking) return
        asking = true
        try {
            const info = await deps.libvirt.connection().call('domainGetJobInfo', { dom: on.dom })
            if (info.dataTotal > 0n) {
                const fraction = Number(info.dataProcessed) / Number(info.dataTotal)
                on.task.progress(on.share ? on.share(fraction) : fraction)
            }
        } catch {
            // Only progress: the call itself says what goes wrong.
        } finally {
            asking = false
        }
    }
    const stop = deps.clock.every(POLL_MS, () => void ask())
    try {
        return await work()
    } finally {
        stop()
    }
}

/** Lets the pools of files see what libvirt made or removed beside them. */
export async function refreshPools(libvirt: LibvirtLink, disks: readonly { source: string }[]): Promise<void> {
    const folders = new Set(disks.map(disk => disk.source.slice(0, disk.source.lastIndexOf('/'))))
    for (const path of folders) {
        const { call } = libvirt.connection()
        const found = await call('storagePoolLookupByTargetPath', { path }).catch(notFoundIsFine)
        if (found) await call('storagePoolRefresh', { pool: found.pool }).catch(() => undefined)
    }
}

/** After a restart of the daemon: libvirt went on, or had ended before; its answer is what there is now. */
export async function resumeCreateSnapshot(deps: MakeDeps, anchor: Anchor, task: RunningTask): Promise<void> {
    await deps.inventory.ready()
    const entry = deps.inventory.resolve(String(anchor.uuid))
    await jobEnded(deps, entry.dom, task)
    if (anchor.quiesce === true) await thaw(deps, entry)
    const snapshots = await listSnapshots(deps.libvirt, entry.dom)
    if (snapshots.some(snapshot => snapshot.name === anchor.name)) return
    throw new Fault('unknown', {
        summary: 'The snapshot was not taken before the service was restarted',
        detail: String(anchor.name),
        fix: 'Take it again.',
    })
}

/** Waits until libvirt works on the VM no more. */
export async function jobEnded(deps: Pick<MakeDeps, 'libvirt' | 'clock'>, dom: DomainRef, task: RunningTask) {
    for (;;) {
        if (task.signal.aborted) throw new Fault('cancelled', { summary: 'The task was cancelled' })
        try {
            const info = await deps.libvirt.connection().call('domainGetJobInfo', { dom })
            if (info.type === VIR.VIR_DOMAIN_JOB_NONE) return
        } catch (thrown) {
            // A stopped VM has no jobs that could be asked for.
            if (asFault(thrown).code === 'precondition') return
            if (asFault(thrown).code !== 'unavailable') throw thrown
        }
        await new Promise<void>(resolve => deps.clock.after(POLL_MS, resolve))
    }
}
