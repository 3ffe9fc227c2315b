// Cloning a VM: its disks copied or stood upon, its definition with another identity, its seed with another instance.
import { randomUUID } from 'node:crypto'
import { asFault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { CloneRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Begun, type MakeDeps, seedImage } from './create.ts'
import { vmNames, vncSocketOf } from './deps.ts'
import type { VmEntry } from './inventory.ts'
import { readIso } from './iso9660.ts'
import { notFoundIsFine, seedBytes } from './make.ts'
import { copyNvram } from './nvram.ts'
import type { Sentence } from './plan-create.ts'
import { SEED_ENDING, type SeedFiles } from './seed.ts'
import { textsOf } from './seed-change.ts'
import { checkCloneSeed, seedFilesForClone, seedFilesOfClone } from './seed-clone.ts'
import { inUse, readVolume } from './sources.ts'
import { checkIdentity } from './spec.ts'
import { finding, findingOf, refuseErrors } from './spec-finding.ts'
import { checkSeed } from './spec-seed.ts'
import { volumeAt } from './volume-at.ts'
import type { NewVolume, VolumeFacts } from './volumes.ts'
import { seedWantOf } from './want.ts'
import { type CloneSource, cloneDefinition, readCloneSource } from './xml/clone.ts'
import { nvramPathOf, ownNvramPath } from './xml/nvram-path.ts'

/**
 * Checks a request and begins the task that makes the clone.
 * @throws Fault with all findings when anything is wrong; nothing is changed then
 */
export async function beginClone(deps: MakeDeps, request: CloneRequest, user: string): Promise<Begun> {
    const { maker, inventory } = deps
    const entry = inventory.resolve(request.vm)
    const { xml } = await inventory.inactiveXml(entry.uuid, { secure: true })
    const source = readCloneSource(xml)
    const findings = checkClone(request, entry, { source, taken: name => maker.name(name) })
    const taken = request.dryRun ? undefined : maker.take(request.name)
    try {
        const drafts = await draftDisks(deps, request, { entry, source, findings })
        const seed = await draftSeed(deps, request, { source, drafts, findings })
        refuseErrors(findings)
        const uuid = randomUUID()
        const macs = maker.fillMacs(source.macs.map(() => ''))
        taken?.macs(macs)
        const plan = planClone(request, { entry, drafts, seed: seed?.volume })
        if (request.dryRun) return { task: '', object: '', plan, findings }

        const oldNvram = nvramPathOf({ name: entry.name, nvramPath: source.nvramPath })
        const newNvram = source.uefi ? ownNvramPath(uuid, source.secureBoot) : ''
        const { task, settled } = await deps.tasks.begin(
            {
                kind: 'vm.clone',
                title: `Clone ${entry.name} as ${request.name}`,
                owner: user,
                on: { kind: 'vm', id: uuid, name: request.name },
                cancellable: true,
            },
            async running => {
                await maker.make(running, {
                    uuid,
                    name: request.name,
                    volumes: drafts.map(draft => draft.volume),
                    copied: request.linked ? [] : drafts.map(draft => draft.from),
                    seed: seed && {
                        volume: seed.volume,
                        data: seedImage(deps, seed.files({ name: request.name, instanceId: uuid })),
                    },
                    define: (made, seedFacts) =>
                        cloneDefinition(xml, {
                            uuid,
                            name: request.name,
                            description: request.description || source.description,
                            metadata: {
                                ...source.metadata,
                                owner: user,
                                tags: [...request.tags],
                                template: false,
                                ordered: false,
                                seed: seedFacts ? `${seedFacts.pool}/${seedFacts.name}` : '',
                            },
                            macs,
                            disks: made,
                            seed: seedFacts && { oldPath: seed?.oldPath ?? '', volume: seedFacts },
                            vncSocket: vncSocketOf(deps, uuid),
                            nvramPath: newNvram,
                        }),
                    prepare: async () => {
                        const copy = { from: oldNvram, to: newNvram, format: source.nvramFormat }
                        if (source.uefi) await copyNvram(deps.libvirt, copy)
                    },
                    autostart: false,
                    networks: [...entry.networks],
                    start: request.start,
                    lines: plan.map(step => step.sentence),
                })
            },
        )
        void settled.then(() => taken?.release())
        return { task: task.id, object: uuid, plan, findings }
    } catch (thrown) {
        taken?.release()
        throw thrown
    }
}

function checkClone(
    request: CloneRequest,
    entry: VmEntry,
    known: { source: CloneSource; taken(name: string): boolean },
): Finding[] {
    const { source } = known
    const want = { name: request.name, description: request.description, notes: '', tags: [...request.tags] }
    const found = checkIdentity(want, { name: known.taken })
    if (request.cloudInit) found.push(...checkSeed(seedWantOf(request.cloudInit), 'cloud_init'))
    const say = (severity: Finding['severity'], code: string, words: Pick<Finding, 'summary' | 'detail' | 'fix'>) =>
        found.push(finding(severity, code, { at: 'vm', ...words }))
    if (entry.active)
        say('error', 'source-running', {
            summary: 'A VM cannot be cloned while it runs: the copy would be torn',
            detail: `${entry.name} is not stopped`,
            fix: 'Shut it down first, or clone a template.',
        })
    if (request.linked && !entry.template)
        say('error', 'source-no-template', {
            summary: 'Linked clones stand on a template: another VM would write below them',
            detail: `${entry.name} is no template`,
            fix: `Make it one (debvisor vm template ${entry.name}), or make a full clone.`,
        })
    const odd = source.disks.find(disk => disk.device !== 'disk')
    if (odd)
        say('error', 'disk-device', {
            summary: 'A disk that is a device of the node cannot be cloned',
            detail: `${odd.target} is a ${odd.device}`,
            fix: 'Detach it from the source first.',
        })
    if (source.hostDevices)
        say('warning', 'host-devices', {
            summary: 'Both VMs will want the same devices of the node',
            detail: 'the source has host devices',
            fix: 'Detach them from one of the two before both run.',
        })
    if (source.tpm)
        say('warning', 'tpm-state', {
            summary: 'The clone gets an empty TPM',
            detail: 'keys that are sealed in the source do not come with it',
            fix: 'Have the recovery key of encrypted disks at hand.',
        })
    if (!request.cloudInit && source.metadata.seed === '')
        say('warning', 'same-identity', {
            summary: 'The clone will have the machine-id and SSH host keys of its source',
            detail: 'the source has no cloud-init seed that could make them anew',
            fix: 'Give cloud-init settings where the guest has cloud-init, or renew them by hand.',
        })
    return found
}

interface DiskDraft {
    from: VolumeFacts
    volume: NewVolume
}

async function draftDisks(
    deps: MakeDeps,
    request: CloneRequest,
    known: { entry: VmEntry; source: CloneSource; findings: Finding[] },
): Promise<DiskDraft[]> {
    const { findings } = known
    const drafts: DiskDraft[] = []
    if (findings.some(f => f.severity === 'error' && f.at === 'name')) return drafts
    for (const [i, disk] of known.source.disks.entries()) {
        const from = await volumeAt(deps, disk.source)
        if (!from) {
            findings.push(
                finding('error', 'disk-outside', {
                    at: 'vm',
                    summary: 'A disk that is in no pool cannot be cloned',
                    detail: `${disk.target}: ${disk.source}`,
                    fix: 'Make a pool of its folder, or detach it first.',
                }),
            )
            continue
        }
        const pool = request.pool || from.pool
        try {
            const others = (await inUse(deps, from)).filter(user => user.active)
            if (others.length > 0)
                findings.push(
                    finding('error', 'volume-in-use', {
                        at: 'vm',
                        summary: 'A running VM writes to that volume: a copy would be torn',
                        detail: `${from.pool}/${from.name} of ${vmNames(deps, others).join(', ')}`,
                        fix: 'Stop it first.',
                    }),
                )
            const volume: NewVolume = {
                pool,
                name: await deps.maker.freeVolume(pool, `${request.name}-disk${i}`),
                capacityBytes: from.capacityBytes,
                format: request.linked ? 'qcow2' : pool === from.pool ? from.format : undefined,
                from: `${from.pool}/${from.name}`,
                linked: request.linked || undefined,
            }
            await deps.volumes.check(volume)
            drafts.push({ from, volume })
        } catch (thrown) {
            const fault = asFault(thrown)
            findings.push(findingOf(fault, fault.code, 'pool'))
        }
    }
    return drafts
}

interface SeedDraft {
    volume: NewVolume
    /** Path of the source's seed; empty where it has none. */
    oldPath: string
    files(vm: { name: string; instanceId: string }): SeedFiles
}

async function draftSeed(
    deps: MakeDeps,
    request: CloneRequest,
    known: { source: CloneSource; drafts: DiskDraft[]; findings: Finding[] },
): Promise<SeedDraft | undefined> {
    const { findings, source } = known
    const old = source.metadata.seed ? await deps.volumes.find(source.metadata.seed).catch(notFoundIsFine) : undefined
    if ((!old && !request.cloudInit) || findings.some(f => f.severity === 'error')) return undefined
    try {
        const want = request.cloudInit && seedWantOf(request.cloudInit)
        const kept = want || !old ? {} : textsOf(readIso(await readVolume(deps, old)))
        const files: SeedDraft['files'] = vm => (want ? seedFilesForClone(want, vm) : seedFilesOfClone(kept, vm))
        const tried = files({ name: request.name, instanceId: randomUUID() })
        findings.push(...checkCloneSeed(tried, 'cloud_init'))
        const pool = request.pool || known.drafts[0]?.volume.pool || old?.pool || deps.volumes.defaultPool()
        const volume: NewVolume = {
            pool,
            name: await deps.maker.freeVolume(pool, request.name, SEED_ENDING),
            capacityBytes: seedBytes(seedImage(deps, tried)),
            format: 'raw',
        }
        await deps.volumes.check(volume)
        return { volume, oldPath: old?.path ?? '', files }
    } catch (thrown) {
        const fault = asFault(thrown)
        findings.push(findingOf(fault, fault.code, 'cloud_init'))
        return undefined
    }
}

function planClone(
    request: CloneRequest,
    facts: { entry: VmEntry; drafts: DiskDraft[]; seed?: NewVolume },
): Sentence[] {
    const said = facts.drafts.map(({ from, volume }) => {
        const [old, fresh] = [`${from.pool}/${from.name}`, `${volume.pool}/${volume.name}`]
        return volume.linked ? `Make the disk ${fresh}, standing on ${old}` : `Copy ${old} to the disk ${fresh}`
    })
    if (facts.seed)
        said.push(
            `Write the cloud-init seed ${facts.seed.pool}/${facts.seed.name} with a new instance-id and machine-id`,
        )
    said.push(`Define the VM ${request.name} like ${facts.entry.name}`)
    if (request.start) said.push(`Start ${request.name}`)
    return said.map(sentence => ({ sentence, destroys: '' }))
}
