// The cloud-init seed of a VM looked at, and another one given for the next boot.
import { randomUUID } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import type { CloudInit } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { type Change, entryNow, needPersistent, notNow } from './begin.ts'
import { seedImage } from './create.ts'
import { attachDevice, type Hardware, type HardwareDeps, readHardware } from './hardware.ts'
import { nextTarget } from './hardware-attach.ts'
import { insertMedium } from './hardware-media.ts'
import { isVolume, type VmEntry } from './inventory.ts'
import { readIso } from './iso9660.ts'
import { notFoundIsFine, seedBytes } from './make.ts'
import { SEED_ENDING, type SeedFiles, seedFiles } from './seed.ts'
import { type SeedText, shownSeed } from './seed-view.ts'
import { setMetadataOf } from './settings.ts'
import { readVolume } from './sources.ts'
import { finding, refuseErrors } from './spec-finding.ts'
import { checkSeed } from './spec-seed.ts'
import { afterDetach, unlessUsed } from './take-back.ts'
import type { NewVolume, VolumeFacts } from './volumes.ts'
import { seedWantOf } from './want.ts'
import { diskElement } from './xml/devices.ts'
import { attribute, find, renderXml } from './xml/document.ts'
import { readMetadata } from './xml/metadata.ts'

/** One that DebVisor did not write may be a whole disk of something else: then it is not read. */
const MOST_BYTES = 4 * 1024 * 1024

/** What the seed says, secrets hidden. @throws Fault `precondition` where there is none, `not-found` */
export async function readSeed(deps: HardwareDeps, entry: VmEntry): Promise<{ volume: string; files: SeedText[] }> {
    if (entry.seed === '') throw notNow(entry, 'The VM has no cloud-init seed', 'Give it one for its next boot.')
    const volume = await deps.volumes.find(entry.seed)
    if (volume.capacityBytes > MOST_BYTES)
        throw new Fault('unsupported', { summary: 'That is no seed of cloud-init', detail: entry.seed })
    const files = readIso(await readVolume(deps, volume))
    return { volume: entry.seed, files: shownSeed(textsOf(files)) }
}

export const textsOf = (files: ReturnType<typeof readIso>): SeedFiles =>
    Object.fromEntries(files.map(file => [file.name, new TextDecoder().decode(file.data)]))

/**
 * Another seed with a new instance-id, so that cloud-init does its first work again at the next boot. It goes where the
 * old one is, else into an empty CD drive, else into a new one; the old one is deleted.
 * @throws Fault with all findings
 */
export async function planSetSeed(
    deps: HardwareDeps,
    entry: VmEntry,
    cloudInit: CloudInit | undefined,
): Promise<Change> {
    needPersistent(entry)
    if (!cloudInit)
        throw new Fault('invalid', { summary: 'The request has no seed', at: 'cloud_init', fix: 'Set cloud_init.' })
    const want = seedWantOf(cloudInit)
    const findings = checkSeed(want, 'cloud_init')
    refuseErrors(findings)
    const hardware = await readHardware(deps, entry)
    const old = entry.seed === '' ? undefined : await deps.volumes.find(entry.seed).catch(notFoundIsFine)
    // A seed that another VM reads, too, is that one's.
    const isOwn = old && deps.inventory.usersOfVolume(old).every(other => other.uuid === entry.uuid)
    const data = seedImage(deps, seedFiles(want, { name: entry.name, instanceId: randomUUID() }))
    const volume: NewVolume = {
        pool: old?.pool ?? poolOfFirst(deps, hardware) ?? deps.volumes.defaultPool(),
        name: '',
        capacityBytes: seedBytes(data),
        format: 'raw',
    }
    volume.name = await deps.maker.freeVolume(volume.pool, entry.name, SEED_ENDING)
    await deps.volumes.check(volume)
    const ref = `${volume.pool}/${volume.name}`
    findings.push(
        finding('info', 'first-work-again', {
            at: 'cloud_init',
            summary: 'cloud-init does its first work again at the next boot',
            detail: 'it makes users, and the SSH host keys anew',
            fix: 'Who logs in by SSH accepts new host keys then.',
        }),
    )
    return {
        kind: 'vm.set-seed',
        title: `Give ${entry.name} another cloud-init seed`,
        plan: [
            { sentence: `Write the cloud-init seed ${ref} with a new instance-id` },
            { sentence: `Put it into ${placeOf(hardware, entry, old)[0] ?? 'a new CD drive'} of ${entry.name}` },
            ...(old && isOwn
                ? [{ sentence: `Delete the old seed ${entry.seed}`, destroys: `volume:${entry.seed}` }]
                : []),
        ],
        findings,
        async work(task) {
            await task.undo(unlessUsed(task, entry, volume))
            const made = await deps.volumes.create({ ...volume, by: task.id })
            await deps.volumes.write(ref, data)
            // Cut off from here on, the old one goes once the VM has it no more: its secrets are not to be left behind.
            if (old && isOwn) await task.undo(afterDetach(entry, old))
            await deps.inventory.edit(entry.uuid, '', async () => {
                const now = await entryNow(deps, entry)
                const present = await readHardware(deps, now)
                const targets = placeOf(present, now, old)
                for (const target of targets) await insertMedium(deps, now, { target, medium: made, force: true })
                if (targets.length === 0) {
                    const bus = /q35/.test(attribute(find(present.domain, 'os/type'), 'machine')) ? 'sata' : 'ide'
                    const drive = { target: nextTarget(present, bus), device: 'cdrom' as const, bus, volume: made }
                    await attachDevice(deps, renderXml(diskElement(drive)), { entry: now, task, live: false })
                }
                const metadata = readMetadata(present.domain)
                await setMetadataOf(deps.libvirt.connection(), now, { ...metadata, seed: ref })
                if (old && isOwn) await deps.volumes.remove(entry.seed)
            })
        },
    }
}

/** The drives that hold the old seed; else one empty drive, both now and at the next start. */
function placeOf(hardware: Hardware, entry: VmEntry, old: VolumeFacts | undefined): string[] {
    const all = [...hardware.disks, ...hardware.liveDisks]
    const holds = (source: string) => source !== '' && (source === entry.seed || (old && isVolume(source, old)))
    const holding = [...new Set(all.filter(disk => holds(disk.source)).map(disk => disk.target))]
    if (holding.length > 0) return holding
    const isFree = (target: string) =>
        all.filter(disk => disk.target === target).every(disk => disk.device === 'cdrom' && disk.source === '')
    return hardware.disks
        .map(disk => disk.target)
        .filter(isFree)
        .slice(0, 1)
}

const poolOfFirst = (deps: HardwareDeps, hardware: Hardware): string | undefined =>
    hardware.disks.filter(disk => disk.device === 'disk').map(disk => deps.volumes.at(disk.source)?.pool)[0]
