// OSDs: which disks become one, what is finished that was begun, and what is only told.
import type { Finding } from '../../../base/finding.ts'
import type { Agreed } from '../../../engine/plan.ts'
import type { Deferred, OwnPlan } from '../../../engine/resource.ts'
import type { Step } from '../../../engine/step.ts'
import { isBegun, target } from '../choose.ts'
import { standsOn } from '../device.ts'
import type { GroupMember } from '../lvm-report.ts'
import { ceph, type OsdMap } from './ceph.ts'
import {
    type CephWant,
    chooseDisks,
    type Ground,
    identityOf,
    isComing,
    type OsdDisk,
    osdRecord,
    osdUuidOf,
} from './identity.ts'
import { activateArgs, createArgs, type OsdVolume, zapArgs } from './volume.ts'

const CREATE_MS = 900_000
const UP_MS = 300_000
const AT = 'storage.ceph.disks'

export interface OsdSeen extends Ground {
    disks: readonly OsdDisk[]
    volumes: readonly OsdVolume[]
    groups: readonly GroupMember[]
    /** Ids of disks of which an OSD was made by an earlier apply. */
    recorded: readonly string[]
    /** Undefined: the monitors do not answer. */
    map?: OsdMap
    /** By number: active, inactive, failed, … */
    units: ReadonlyMap<number, string>
}

export function planOsds(want: CephWant, seen: OsdSeen, agreed: Agreed): OwnPlan {
    const { identity } = identityOf(want, seen)
    if (!identity) return { steps: [] }
    const { fsid } = identity
    const steps: Step[] = []
    const deferred: Deferred[] = []
    const findings: Finding[] = []
    const settled: string[] = []
    for (const disk of seen.disks) {
        const volume = seen.volumes.find(one => one.devices.includes(disk.path))
        const recorded = seen.recorded.includes(disk.id)
        if (volume?.fsid === fsid) {
            settled.push(disk.id)
            const own = ownOsd({ disk, volume, recorded, begun: isBegun(target(disk.id), agreed) }, fsid, seen)
            steps.push(...own.steps)
            deferred.push(...(own.deferred ?? []))
            findings.push(...(own.findings ?? []))
        } else if (recorded) {
            settled.push(disk.id)
            findings.push(gone(disk.id, disk.words))
        } else if (volume) findings.push(foreign(disk, volume))
    }
    const ids = seen.disks.map(disk => disk.id)
    findings.push(...seen.recorded.filter(id => !ids.includes(id)).map(id => gone(id, 'not there')))
    const wish = want.disks === 'extra' ? want : { ...want, disks: want.disks.filter(id => !settled.includes(id)) }
    const choice = chooseDisks(
        wish,
        seen.disks.filter(disk => !settled.includes(disk.id)),
        agreed,
    )
    findings.push(...choice.findings)
    const shared = choice.chosen.flatMap(disk => sharedGroup(disk, seen))
    if ([...findings, ...shared].some(({ severity }) => severity === 'error')) {
        return { steps: [], findings: [...findings, ...shared], fingerprints: choice.fingerprints }
    }
    for (const disk of choice.chosen) {
        // What a torn try has left at the monitors is known when they answer.
        if (seen.made && !seen.map) deferred.push(whenAnswered(disk))
        else steps.push(...makeSteps(disk, fsid, seen))
    }
    if (!isComing(want, seen, agreed) && choice.chosen.length === 0) findings.push(noDisks)
    if (seen.made && seen.map?.osds.length === 0 && choice.chosen.length === 0) findings.push(noOsd)
    return { steps, deferred, findings, fingerprints: choice.fingerprints }
}

interface Own {
    disk: OsdDisk
    volume: OsdVolume
    recorded: boolean
    begun: boolean
}

/** A disk with an OSD of this cluster. */
export function ownOsd({ disk, volume, recorded, begun }: Own, fsid: string, seen: OsdSeen): OwnPlan {
    const known = seen.map?.osds.find(osd => osd.uuid === volume.osdUuid)
    const note = recorded ? [] : [noteStep(disk, volume.osdUuid)]
    if (!seen.map) return { steps: [], deferred: begun || !recorded ? [whenAnswered(disk)] : [] }
    const now = seen.units.get(volume.osdId)
    // It was cut off before it was up; when it runs by now, it is whole.
    if (known?.fresh && now === 'active') return { steps: [waitStep(disk, volume.osdUuid), ...note] }
    if (begun && (!known || known.fresh)) return { steps: makeSteps(disk, fsid, seen) }
    if (!known) return { steps: [], findings: [stray(disk, volume)] }
    const steps: Step[] = [...note]
    const what = `osd.${volume.osdId}, ${disk.id}`
    // What systemd has given up is told: starting it again mends no disk.
    if (now === 'inactive') {
        const say = `Start the OSD ${what}`
        steps.push({
            ...{ do: 'run', say, tool: 'ceph-volume', args: activateArgs(volume), deadlineMs: CREATE_MS },
        })
    }
    const findings = now === 'failed' ? [failed(what, volume.osdId)] : []
    return { steps, findings }
}

const whenAnswered = (disk: OsdDisk): Deferred => ({
    reason: `Whether the OSD of ${disk.id} is whole is asked when the monitors answer`,
    ...{ kinds: ['run', 'write'], destroys: [target(disk.id)] },
})

export function makeSteps(disk: OsdDisk, fsid: string, seen: Pick<OsdSeen, 'map'>): Step[] {
    const { id, words, blank } = disk
    const uuid = osdUuidOf(fsid, id)
    const mark = blank ? { claims: [target(id)] } : { destroys: [target(id)] }
    const run = (say: string, tool: string, args: string[], marks: object = mark): Step => ({
        ...{ do: 'run', say, tool, args, deadlineMs: CREATE_MS, ...marks },
    })
    const left = seen.map?.osds.find(osd => osd.uuid === uuid && osd.fresh)
    const purge = ceph('osd', 'purge-new', String(left?.id), '--yes-i-really-mean-it')
    return [
        ...(left ? [run(`Forget osd.${left.id}, which was begun and never ran`, 'ceph', purge, {})] : []),
        ...(blank ? [] : [run(`Clear ${id} (${words})`, 'ceph-volume', zapArgs(id))]),
        run(`Make an OSD of ${id} (${words})`, 'ceph-volume', createArgs(id, uuid)),
        waitStep(disk, uuid),
        noteStep(disk, uuid),
    ]
}

/** ceph-volume starts it, and does not wait: the monitors take it for new until it is up. */
const waitStep = ({ id }: OsdDisk, uuid: string): Step => ({
    ...{ do: 'wait', say: `Wait until the OSD of ${id} is up`, deadlineMs: UP_MS },
    for: { is: 'tool', tool: 'ceph', args: ceph('osd', 'dump'), says: `exists,up ${uuid}` },
})

/** That it was made is noted when it is: one that is missing afterwards is never made again. */
const noteStep = ({ id }: OsdDisk, uuid: string): Step => ({
    ...{ do: 'write', say: `Note that the OSD of ${id} is this node's`, path: osdRecord(id), mode: 0o600 },
    ...{ content: `${JSON.stringify({ disk: id, osd: uuid })}\n`, claims: [target(id)] },
})

/** Clearing a disk takes its whole volume group along, also what of it is on other disks. */
export function sharedGroup(disk: OsdDisk, { groups }: OsdSeen): Finding[] {
    const on = (device: string) => standsOn(device, disk.path)
    const here = groups.filter(one => on(one.device)).map(one => one.group)
    const others = groups.filter(one => here.includes(one.group) && !on(one.device))
    if (others.length === 0) return []
    return [
        {
            ...{ severity: 'error', code: 'group-shared', at: AT },
            summary: 'A volume group of LVM stands on that disk and on others',
            detail: `${disk.id}: ${[...new Set(others.map(one => `${one.group} on ${one.device}`))].join(', ')}`,
            fix: 'Take the disk out of its group by hand (pvmove, vgreduce), or name another disk.',
        },
    ]
}

const gone = (id: string, words: string): Finding => ({
    ...{ severity: 'warning', code: 'osd-missing', at: AT, detail: `${id} (${words})` },
    summary: 'An OSD of this node is not on its disk, and is not made anew',
    fix: `Look at the disk and its cables. To put another in its place: debvisor storage replace ${id} NEW`,
})

const foreign = ({ id, words }: OsdDisk, { osdId, fsid }: OsdVolume): Finding => ({
    ...{ severity: 'warning', code: 'osd-foreign', at: AT },
    summary: 'A disk holds an OSD of another cluster',
    detail: `${id} (${words}): osd.${osdId} of ${fsid}`,
    fix: 'Bring it to its cluster, or agree to its destruction.',
})

const stray = ({ id }: OsdDisk, { osdId }: OsdVolume): Finding => ({
    ...{ severity: 'warning', code: 'osd-stray', at: AT, detail: `${id}: osd.${osdId}` },
    summary: 'A disk holds an OSD of this cluster that the monitors do not know',
    fix: `When nothing on it is needed: ceph-volume lvm zap --destroy ${id}. Then apply again.`,
})

const failed = (what: string, osdId: number): Finding => ({
    ...{ severity: 'warning', code: 'osd-failed', at: AT, detail: what },
    summary: 'An OSD does not run, and systemd has given it up',
    fix: `Look at it: journalctl -u ceph-osd@${osdId}. Then: systemctl reset-failed ceph-osd@${osdId}, and apply again.`,
})

const noDisks: Finding = {
    ...{ severity: 'warning', code: 'no-disks', at: AT },
    summary: 'There is no disk for Ceph: things are stored on the system disk',
    fix: 'Add a disk, or agree to one that holds something, then apply again.',
}

const noOsd: Finding = {
    ...{ severity: 'error', code: 'no-osd', at: AT },
    summary: 'The cluster has no OSD, and there is no disk for one',
    fix: 'Add a disk, or agree to one that holds something, then apply again.',
}
