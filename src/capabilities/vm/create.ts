// Making a VM from a request: everything is checked first, then a task makes volumes, seed and definition, and starts it.
import { randomUUID } from 'node:crypto'
import { asFault } from '../../base/fault.ts'
import type { Finding } from '../../base/finding.ts'
import type { CreateRequest } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type VmDeps, vmNames, vncSocketOf } from './deps.ts'
import type { Host } from './host.ts'
import { makeIso } from './iso9660.ts'
import { type Maker, type Recipe, seedBytes } from './make.ts'
import { planCreate, type Sentence } from './plan-create.ts'
import { SEED_ENDING, SEED_LABEL, type SeedFiles, seedFiles } from './seed.ts'
import { findSources, type Sources } from './sources.ts'
import { checkWant, type VmWant } from './spec.ts'
import { findingOf, refuseErrors } from './spec-finding.ts'
import type { NewVolume, VolumeFacts } from './volumes.ts'
import { wantOf } from './want.ts'
import { buildDomain, isOrdered } from './xml/build.ts'

/** How a change answers: what the RPC hands out as `Begun`. */
export interface Begun {
    /** Empty for a dry run. */
    task: string
    object: string
    plan: Sentence[]
    findings: Finding[]
}

export interface MakeDeps extends VmDeps {
    host: Host
    maker: Maker
}

const TOO_MANY = new Set(['disks-many', 'isos-many', 'nics-many'])

/** Who has that MAC, for the caller's eyes. */
export function macOwner(deps: Pick<MakeDeps, 'maker' | 'hidesVms'>, mac: string): string | undefined {
    const name = deps.maker.mac(mac)
    return name === undefined ? undefined : vmNames(deps, [{ name }])[0]
}

/** The image of a seed. */
export function seedImage(deps: Pick<VmDeps, 'clock'>, files: SeedFiles): Uint8Array {
    const encoder = new TextEncoder()
    const entries = Object.entries(files).map(([name, text]) => ({ name, data: encoder.encode(text) }))
    return makeIso(entries, { label: SEED_LABEL, madeMs: deps.clock.now() })
}

/**
 * Checks a request and begins the task that makes the VM.
 * @throws Fault with all findings when anything is wrong; nothing is changed then
 */
export async function beginCreate(deps: MakeDeps, request: CreateRequest, user: string): Promise<Begun> {
    const { maker } = deps
    const want = wantOf(request, user)
    const host = await deps.host.facts()
    const findings = checkWant(want, host, { name: maker.name, mac: mac => macOwner(deps, mac) })
    // So many are not even looked up.
    if (findings.some(found => TOO_MANY.has(found.code))) refuseErrors(findings)
    // From here to `take` nothing waits, so that of two creates of one name exactly one goes on.
    const taken = request.dryRun ? undefined : maker.take(want.name)
    taken?.macs(want.nics.map(nic => nic.mac))
    try {
        const sources = await findSources(deps, want)
        const { drafts, seedVolume, seedData } = await draft(deps, want, findings, sources)
        refuseErrors(findings)
        const uuid = randomUUID()
        const macs = maker.fillMacs(want.nics.map(nic => nic.mac))
        taken?.macs(macs)
        const named = (volume: NewVolume) => `${volume.pool}/${volume.name}`
        const plan = planCreate(want, {
            disks: drafts.map((volume, i) => (volume ? named(volume) : want.disks[i]!.existing)),
            seed: seedVolume ? named(seedVolume) : '',
            networks: sources.sleeping,
        })
        if (request.dryRun) return { task: '', object: '', plan, findings }

        const files = want.seed && seedFiles(want.seed, { name: want.name, instanceId: uuid })
        const recipe: Recipe = {
            uuid,
            name: want.name,
            volumes: drafts.filter(volume => volume !== undefined),
            copied: want.disks.flatMap((disk, i) => (disk.from && !disk.linked ? (sources.disks[i] ?? []) : [])),
            seed: seedVolume && files ? { volume: seedVolume, data: seedData(files) } : undefined,
            define: (made, seed) => {
                const fresh = [...made]
                const disks = drafts.map((volume, i) => (volume ? fresh.shift()! : sources.disks[i]!))
                return buildDomain({
                    want,
                    uuid,
                    disks,
                    isos: sources.isos as VolumeFacts[],
                    seed,
                    macs,
                    accelerator: deps.accelerator,
                    vncSocket: vncSocketOf(deps, uuid),
                })
            },
            autostart: want.autostart && !isOrdered(want),
            networks: sources.sleeping,
            start: want.start,
            lines: linesOf(plan, want),
        }
        const { task, settled } = await deps.tasks.begin(
            {
                kind: 'vm.create',
                title: `Create ${want.name}`,
                owner: user,
                on: { kind: 'vm', id: uuid, name: want.name },
                cancellable: true,
            },
            running => maker.make(running, recipe),
        )
        void settled.then(() => taken?.release())
        return { task: task.id, object: uuid, plan, findings }
    } catch (thrown) {
        taken?.release()
        throw thrown
    }
}

/** Sentences of what is done, without those for volumes that are there already. */
const linesOf = (plan: Sentence[], want: VmWant): string[] => {
    const lines = plan.map(step => step.sentence)
    // A network is started in the same breath as the VM.
    const kept = lines.filter((line, i) => !want.disks[i]?.existing && !line.startsWith('Start the network '))
    return isOrdered(want) ? kept.filter(line => !line.startsWith(`Let ${want.name} start`)) : kept
}

interface Draft {
    /** For each disk the volume to make; undefined where one exists. */
    drafts: (NewVolume | undefined)[]
    seedVolume?: NewVolume
    seedData(files: SeedFiles): Uint8Array
}

async function draft(deps: MakeDeps, want: VmWant, findings: Finding[], sources: Sources): Promise<Draft> {
    findings.push(...sources.findings)
    const complain = (thrown: unknown, at: string) => {
        const fault = asFault(thrown)
        findings.push(findingOf(fault, fault.code, at))
    }
    const broken = (at: string) => findings.some(f => f.severity === 'error' && f.at.startsWith(at))
    const seedData = (files: SeedFiles) => seedImage(deps, files)
    if (broken('name')) return { drafts: want.disks.map(() => undefined), seedData }
    const poolOf = (given: string, at: string): string => {
        if (given !== '') return given
        try {
            return deps.volumes.defaultPool()
        } catch (thrown) {
            complain(thrown, at)
            return ''
        }
    }
    const drafts = await Promise.all(
        want.disks.map(async (disk, i): Promise<NewVolume | undefined> => {
            const at = `disks[${i}]`
            if (disk.existing !== '' || broken(at)) return undefined
            const pool = poolOf(disk.pool, `${at}.pool`)
            if (pool === '') return undefined
            try {
                const volume: NewVolume = {
                    pool,
                    name: await deps.maker.freeVolume(pool, `${want.name}-disk${i}`),
                    capacityBytes: Math.max(disk.sizeBytes, sources.disks[i]?.capacityBytes ?? 0),
                    format: disk.format || (disk.linked ? 'qcow2' : undefined),
                    from: disk.from || undefined,
                    linked: disk.linked || undefined,
                }
                await deps.volumes.check(volume)
                return volume
            } catch (thrown) {
                const fault = asFault(thrown)
                complain(
                    thrown,
                    `${at}.${fault.code === 'exhausted' ? 'size' : fault.at === 'format' ? 'format' : 'pool'}`,
                )
                return undefined
            }
        }),
    )
    if (!want.seed || broken('cloud_init')) return { drafts, seedData }
    const pool = drafts.find(volume => volume)?.pool ?? poolOf('', 'cloud_init')
    if (pool === '') return { drafts, seedData }
    const size = seedData(seedFiles(want.seed, { name: want.name, instanceId: randomUUID() }))
    try {
        const seedVolume: NewVolume = {
            pool,
            name: await deps.maker.freeVolume(pool, want.name, SEED_ENDING),
            capacityBytes: seedBytes(size),
            format: 'raw',
        }
        await deps.volumes.check(seedVolume)
        return { drafts, seedVolume, seedData }
    } catch (thrown) {
        complain(thrown, 'cloud_init')
        return { drafts, seedData }
    }
}
