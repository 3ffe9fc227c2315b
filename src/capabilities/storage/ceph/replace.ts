// A disk in the place of another that holds an OSD: the new OSD first, then Ceph copies, and the old one goes when it may.
import type { Finding } from '../../../base/finding.ts'
import { nearest } from '../../../base/nearest.ts'
import type { Agreed } from '../../../engine/plan.ts'
import type { OwnPlan } from '../../../engine/resource.ts'
import type { Step } from '../../../engine/step.ts'
import { choose, isBegun, target } from '../choose.ts'
import { disksIn, withReplaced } from '../disk-list.ts'
import { COPYING, type ReplaceWish } from '../driver.ts'
import * as placing from '../placing.ts'
import { ceph, type Osd } from './ceph.ts'
import { osdRecord, osdUuidOf } from './identity.ts'
import { makeSteps, type OsdSeen, ownOsd, sharedGroup } from './osd.ts'

const PURGE_MS = 120_000
export const DISKS = ['storage', 'ceph', 'disks'] as const

/** Asks the cluster whether all that an OSD holds is whole elsewhere. (ceph(8): osd safe-to-destroy) */
export const mayGoArgs = (id: number): string[] => ceph('osd', 'safe-to-destroy', String(id))

export interface ReplaceSeen extends OsdSeen {
    topology: placing.TopologySeen
    /** Numbers of OSDs that the cluster can do without. */
    mayGo: ReadonlySet<number>
}

/** An OSD of this node: by its record, by its disk, or both. */
export interface OsdMember {
    uuid: string
    /** The disk that it was made of, by its id. */
    disk?: string
    /** Undefined: the monitors do not know it. */
    osd?: Osd
    /** It was noted when it was made. */
    recorded: boolean
}

export function membersOf({ record, recorded, disks, volumes, map }: OsdSeen): OsdMember[] {
    const known = (uuid: string) => map?.osds.find(osd => osd.uuid === uuid)
    const noted = recorded.map(disk => {
        const uuid = osdUuidOf(record?.fsid ?? '', disk)
        return { uuid, disk, osd: known(uuid), recorded: true }
    })
    const others = volumes
        .filter(({ fsid, osdUuid }) => fsid === record?.fsid && !noted.some(({ uuid }) => uuid === osdUuid))
        .map(({ osdUuid, devices }) => {
            const disk = disks.find(({ path }) => devices.includes(path))?.id
            return { uuid: osdUuid, ...(disk ? { disk } : {}), osd: known(osdUuid), recorded: false }
        })
    return [...noted, ...others]
}

export const calledOf = ({ osd, disk, uuid }: OsdMember): string => (osd ? `osd.${osd.id}` : (disk ?? uuid))

export const namesOf = ({ osd, disk }: OsdMember): string[] => [
    ...(disk ? [disk, disk.slice(disk.lastIndexOf('/') + 1)] : []),
    ...(osd ? [`osd.${osd.id}`, String(osd.id)] : []),
]

const { error, info } = placing
const refuse = (...findings: Finding[]): OwnPlan => ({ steps: [], findings })
const words = (member: OsdMember) =>
    member.osd && member.disk ? `${calledOf(member)}, ${member.disk}` : calledOf(member)

/** Planned again after its steps, after a power cut and when all is copied, until it is empty. */
export function planReplace(wish: ReplaceWish, seen: ReplaceSeen, agreed: Agreed, document: string): OwnPlan {
    if (!seen.record || !seen.map) return refuse(cannotSay)
    const members = membersOf(seen)
    const old = members.find(member => namesOf(member).includes(wish.old))
    const disk = placing.diskNamed(wish.new ?? old?.disk ?? wish.old, seen.topology)
    if (!disk) {
        if (!old) return refuse(noSuchOsd(wish.old, members))
        return refuse(wish.new ? placing.noSuchDisk(wish.new, seen.topology) : sayWhich(old, seen.topology))
    }
    const uuid = osdUuidOf(seen.record.fsid, disk.id)
    const fresh = members.find(member => member.uuid === uuid)
    const held = seen.volumes.find(({ fsid, devices }) => fsid === seen.record?.fsid && devices.includes(disk.path))
    const onDisk = members.find(member => member.uuid === held?.osdUuid)
    const naming = () => documentSteps(wish, old, disk, seen.topology.text, document)
    if (fresh && isWhole(fresh, seen)) {
        if (!old) return { steps: naming() }
        if (old !== fresh) {
            const both = [old, fresh].every(member => isNamed(member, seen.topology.text))
            return both ? refuse(taken(fresh, disk, seen.topology)) : retire(old, seen, naming())
        }
        if (wish.new) return refuse(itself(old))
        return refuse(old.osd?.up ? works(old) : sayWhich(old, seen.topology))
    }
    const begun = isBegun(target(disk.id), agreed)
    if (!old && !begun) return refuse(noSuchOsd(wish.old, members))
    if (onDisk && onDisk !== fresh) return refuse(onDisk === old ? itself(old) : taken(onDisk, disk, seen.topology))
    if (old === fresh && old?.osd?.up) return refuse(itself(old))
    const findings = placing.against(disk, 0, seen.topology)
    if (findings.length > 0) return { steps: [], findings }
    const choice = choose('storage.ceph', [disk.id], { all: [disk], agreed })
    const shared = sharedGroup(disk, seen)
    if (shared.length > 0) return { steps: [], findings: shared, fingerprints: choice.fingerprints }
    if (fresh && held) {
        const own = ownOsd({ disk, volume: held, recorded: fresh.recorded, begun }, held.fsid, seen)
        return { ...own, steps: [...own.steps, ...naming()], fingerprints: choice.fingerprints }
    }
    return {
        steps: [...(old?.uuid === uuid ? forget(old) : []), ...makeSteps(disk, seen.record.fsid, seen), ...naming()],
        findings: old?.osd?.up && old.uuid !== uuid ? [stillWorks(old)] : [],
        fingerprints: choice.fingerprints,
    }
}

/** It has run, and it is noted. */
const isWhole = ({ osd, recorded, uuid }: OsdMember, { volumes }: OsdSeen) =>
    recorded && osd !== undefined && !osd.fresh && volumes.some(one => one.osdUuid === uuid)

/** The document names it: it was a disk of its own, before anything was replaced. */
const isNamed = (member: OsdMember, text = '') =>
    (disksIn(text, DISKS) ?? []).some(one => namesOf(member).includes(one))

/** What had the name before: its disk is not there any more, and so neither is what it held. */
const forget = ({ osd }: OsdMember): Step[] => (osd && !osd.fresh ? [purgeStep(osd, 'its disk is gone')] : [])

const purgeStep = ({ id }: Osd, why: string): Step => ({
    ...{ do: 'run', say: `Take osd.${id} out of the cluster: ${why}`, tool: 'ceph', deadlineMs: PURGE_MS },
    args: ceph('osd', 'purge', String(id), '--yes-i-really-mean-it'),
})

/** The new one runs: Ceph copies, then the old one goes. */
function retire(old: OsdMember, seen: ReplaceSeen, naming: Step[]): OwnPlan {
    const { osd, disk, uuid } = old
    const record = old.recorded && disk ? [removeRecord(disk)] : []
    if (!osd) return { steps: [...record, ...naming] }
    const { id } = osd
    const leave: Step[] = osd.in
        ? [
              {
                  ...{ do: 'run', say: `Let Ceph copy what ${words(old)} held to the others`, tool: 'ceph' },
                  ...{ args: ceph('osd', 'out', String(id)), deadlineMs: PURGE_MS },
              },
          ]
        : []
    if (osd.in || !seen.mayGo.has(id)) {
        const steps = [...leave, ...naming]
        return { steps, findings: steps.length > 0 ? [] : [copying(old)] }
    }
    return {
        steps: [
            ...naming,
            {
                ...{ do: 'unit', say: `Start osd.${id} no more at boot`, action: 'disable' },
                unit: volumeUnit(id, uuid),
            },
            { do: 'unit', say: `Stop osd.${id}`, action: 'stop', unit: `ceph-osd@${id}.service` },
            {
                ...{ do: 'run', say: `Ask once more whether osd.${id} may go`, tool: 'ceph' },
                ...{ args: mayGoArgs(id), deadlineMs: PURGE_MS },
            },
            purgeStep(osd, 'all that it held is whole elsewhere'),
            ...record,
        ],
        findings: disk && seen.volumes.some(({ osdUuid }) => osdUuid === uuid) ? [stays(disk)] : [],
    }
}

/** By it ceph-volume starts an OSD at boot. (ceph-volume-systemd(8)) */
const volumeUnit = (id: number, uuid: string) => `ceph-volume@lvm-${id}-${uuid}.service`

const removeRecord = (disk: string): Step => ({
    ...{ do: 'remove', say: `Forget that the OSD of ${disk} was this node's`, path: osdRecord(disk) },
})

function documentSteps(
    { old: word }: ReplaceWish,
    old: OsdMember | undefined,
    disk: placing.DiskSeen,
    text: string | undefined,
    path: string,
): Step[] {
    if (text === undefined) return []
    const names = old ? namesOf(old) : [word]
    const entry = disksIn(text, DISKS)?.find(one => names.includes(one) || one.endsWith(`/${word}`))
    if (entry === undefined || entry === disk.id) return []
    return placing.documentStep(path, text, withReplaced(text, DISKS, { old: entry, new: disk.id }))
}

const listed = (members: readonly OsdMember[]) => members.map(words).join('; ')

const cannotSay = error(
    'ceph-cannot-say',
    'Ceph does not say which OSDs it has',
    'its monitors do not answer',
    'See its services: systemctl list-units "ceph*"',
)

function noSuchOsd(word: string, members: readonly OsdMember[]): Finding {
    const meant = nearest(word, members.flatMap(namesOf))
    const fix = meant ? `Did you mean ${meant}?` : `OSDs of this node are: ${listed(members)}.`
    return error('no-such-member', 'No OSD of this node stands on such a disk', word, fix)
}

const sayWhich = (old: OsdMember, topology: placing.TopologySeen) =>
    error('which-disk', 'Say which disk takes the place of the old one', words(old), placing.freeWords(topology))

const works = (old: OsdMember) =>
    info(
        'disk-works',
        'That disk has its OSD, and nothing is done',
        words(old),
        'To put another in its place, name the new one behind it.',
    )

const stillWorks = (old: OsdMember) =>
    info('disk-works', 'That OSD still works: it stays until all that it holds is copied', words(old))

const itself = (old: OsdMember) =>
    error(
        'still-member',
        'That is the disk itself, and it still holds its OSD',
        words(old),
        'Name another disk. To start the OSD again: debvisor node apply',
    )

const taken = (member: OsdMember, disk: placing.DiskSeen, topology: placing.TopologySeen) =>
    error('disk-in-pool', 'That disk holds another OSD', `${disk.id}: ${calledOf(member)}`, placing.freeWords(topology))

const copying = (old: OsdMember) =>
    info(
        COPYING,
        'Ceph has not copied all that the old OSD held',
        words(old),
        'When it has, do the same again, so that the old one goes; with --wait that is done for you. See: ceph -s',
    )

const stays = (disk: string) =>
    info(
        'disk-left-alone',
        'What is on the old disk stays, and nobody needs it any more',
        disk,
        `To use the disk for something else: ceph-volume lvm zap --destroy ${disk}`,
    )
