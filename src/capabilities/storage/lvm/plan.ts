// A thin pool of LVM with one volume for disks of VMs: the group made of named disks or found, the rest made in it.
import type { Finding } from '../../../base/finding.ts'
import type { Basics } from '../../../engine/basics.ts'
import type { Agreed } from '../../../engine/plan.ts'
import type { OwnPlan } from '../../../engine/resource.ts'
import type { Step } from '../../../engine/step.ts'
import { choose, type Disk, isBegun, target } from '../choose.ts'
import { standsOn } from '../device.ts'
import type { GroupMember } from '../lvm-report.ts'
import { mountUnit } from '../mount-unit.ts'
import type { LvmSpec } from '../spec.ts'
import { poolArgs, type Volume, volumeArgs } from './lvm.ts'

const TOOL_MS = 300_000
const FULL_PERCENT = 85
const AT = 'storage.lvm'

export interface LvmDisk extends Disk {
    /** Of this boot: /dev/vdb. */
    path: string
}

export interface LvmSeen {
    disks: readonly LvmDisk[]
    groups: readonly string[]
    members: readonly GroupMember[]
    volumes: readonly Volume[]
    /** The group was made by an earlier apply. */
    groupMade: boolean
    /** The volume was. */
    volumeMade: boolean
    mount: { enabled: boolean; active: boolean }
}

const FOLDER = '/var/lib/debvisor/storage'
export const groupRecord = ({ group }: LvmSpec): string => `${FOLDER}/lvm-${group}.json`
export const volumeRecord = ({ group, volume }: LvmSpec): string => `${FOLDER}/lvm-${group}-${volume}.json`
/** The name without doubled dashes: names of the document have none. */
export const devicePath = ({ group, volume }: LvmSpec): string => `/dev/${group}/${volume}`

export function lvmBasics(spec: LvmSpec): Basics {
    const unit = [
        '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.',
        ...['[Unit]', `Description=Disks of VMs at ${spec.mountAt}`, '', '[Mount]', `What=${devicePath(spec)}`],
        ...[`Where=${spec.mountAt}`, 'Type=ext4', 'Options=noatime,discard,nofail', '', '[Install]'],
        'WantedBy=local-fs.target',
    ]
    const path = `/etc/systemd/system/${mountUnit(spec.mountAt)}`
    return {
        packages: ['lvm2', 'thin-provisioning-tools', 'e2fsprogs'],
        files: [{ path, content: `${unit.join('\n')}\n`, for: `the mount at ${spec.mountAt}` }],
    }
}

export function planLvm(spec: LvmSpec, seen: LvmSeen, agreed: Agreed): OwnPlan {
    const { group } = spec
    if (!seen.groups.includes(group)) {
        if (seen.groupMade) return { steps: [], findings: [missing(group, groupRecord(spec))] }
        if (!spec.disks) return { steps: [], findings: [noGroup(group)] }
        return makeGroup(spec, seen, agreed)
    }
    const steps: Step[] = []
    const begun = spec.disks?.filter(id => isBegun(target(id), agreed)) ?? []
    if (begun.length > 0 && !seen.groupMade) steps.push(noteGroup(spec, begun.map(target)))
    else if (!seen.groupMade && spec.disks) return { steps: [], findings: [foreign(group, 'the volume group')] }
    const pool = find(seen, spec, spec.thinPool)
    if (pool && pool.type !== 'thin-pool')
        return { steps: [], findings: [foreign(spec.thinPool, 'a volume, and no thin pool')] }
    if (!pool) {
        return { steps: [...steps, poolStep(spec)], deferred: [afterPool] }
    }
    const made = volumeSteps(spec, seen, pool, agreed)
    return { ...made, steps: [...steps, ...made.steps], findings: [...(made.findings ?? []), ...fullness(spec, pool)] }
}

const find = (seen: LvmSeen, { group }: LvmSpec, name: string) =>
    seen.volumes.find(one => one.group === group && one.name === name)

const afterPool = {
    reason: 'The volume is planned when the size of the thin pool is known',
    kinds: ['run' as const, 'write' as const, 'unit' as const],
}

const run = (say: string, tool: string, args: string[], marks: object = {}): Step => ({
    ...{ do: 'run', say, tool, args, deadlineMs: TOOL_MS, ...marks },
})

const write = (say: string, path: string, told: object, claims: string[]): Step => ({
    ...{ do: 'write', say, path, content: `${JSON.stringify(told)}\n`, mode: 0o600, claims },
})

const noteGroup = (spec: LvmSpec, claims: string[]): Step =>
    write(`Note that the volume group ${spec.group} is this node's`, groupRecord(spec), { group: spec.group }, claims)

const poolStep = ({ group, thinPool, size }: LvmSpec): Step =>
    run(`Make the thin pool ${thinPool} in ${group}, of ${size}`, 'lvcreate', poolArgs(group, thinPool, size))

function makeGroup(spec: LvmSpec, seen: LvmSeen, agreed: Agreed): OwnPlan {
    const choice = choose('storage.lvm.disks', spec.disks!, { all: seen.disks, agreed })
    const { chosen, fingerprints } = choice
    const findings = [...choice.findings, ...chosen.flatMap(disk => inGroup(disk, seen))]
    if (findings.some(({ severity }) => severity === 'error')) return { steps: [], findings, fingerprints }
    const held = chosen.filter(disk => !disk.blank)
    const said = chosen.map(disk => `${disk.id} (${disk.words})`).join(', ')
    const marks = {
        ...(held.length > 0 ? { destroys: held.map(disk => target(disk.id)) } : {}),
        ...(held.length < chosen.length ? { claims: chosen.filter(one => one.blank).map(one => target(one.id)) } : {}),
    }
    const clear = held.map(({ id, words }) =>
        run(`Clear ${id} (${words})`, 'wipefs', ['--all', '--force', id], { destroys: [target(id)] }),
    )
    const make = ['--yes', spec.group, ...chosen.map(disk => disk.id)]
    return {
        steps: [
            ...clear,
            run(`Make the volume group ${spec.group} of ${said}`, 'vgcreate', make, marks),
            noteGroup(
                spec,
                chosen.map(disk => target(disk.id)),
            ),
            poolStep(spec),
        ],
        deferred: [afterPool],
        ...{ findings, fingerprints },
    }
}

function volumeSteps(spec: LvmSpec, seen: LvmSeen, pool: Volume, agreed: Agreed): OwnPlan {
    const { group, thinPool, volume, mountAt } = spec
    const claim = `volume:${group}/${volume}`
    const there = find(seen, spec, volume)
    const steps: Step[] = []
    if (!seen.volumeMade) {
        const begun = isBegun(claim, agreed)
        if (there && !begun) return { steps: [], findings: [foreign(devicePath(spec), 'a volume')] }
        if (!there) {
            const say = `Make the volume ${volume} in ${thinPool}, as large as the pool`
            steps.push(run(say, 'lvcreate', volumeArgs(group, thinPool, volume, pool.sizeBytes), { claims: [claim] }))
        }
        // What it was cut off in is made again: nobody could write to it before it was noted.
        const say = `Make a file system on ${devicePath(spec)}`
        steps.push(run(say, 'mkfs.ext4', ['-q', '-F', '-E', 'nodiscard', devicePath(spec)], { claims: [claim] }))
        steps.push(
            write(`Note that ${devicePath(spec)} is this node's`, volumeRecord(spec), { group, volume }, [claim]),
        )
    } else if (!there) return { steps: [], findings: [missing(`${group}/${volume}`, volumeRecord(spec))] }
    const unit = mountUnit(mountAt)
    if (!seen.mount.enabled)
        steps.push({ do: 'unit', say: `Mount it at ${mountAt} at every boot`, unit, action: 'enable' })
    if (!seen.mount.active) steps.push({ do: 'unit', say: `Mount it at ${mountAt}`, unit, action: 'start' })
    return { steps }
}

/** A disk of another group is never taken: clearing it would break that group. */
function inGroup(disk: LvmDisk, { members }: LvmSeen): Finding[] {
    const other = members.find(one => standsOn(one.device, disk.path))
    if (!other) return []
    return [
        {
            ...{ severity: 'error', code: 'disk-in-group', at: 'storage.lvm.disks' },
            summary: 'That disk belongs to a volume group',
            detail: `${disk.id}: ${other.group}`,
            fix: 'Take it out of the group by hand (vgreduce, vgremove), or name another disk.',
        },
    ]
}

function fullness({ group, thinPool }: LvmSpec, { fullPercent }: Volume): Finding[] {
    if (fullPercent < FULL_PERCENT) return []
    return [
        {
            ...{ severity: 'warning', code: 'pool-full', at: AT, detail: `${group}/${thinPool}: ${fullPercent}%` },
            summary: 'A thin pool is nearly full',
            fix: 'Delete what is not needed, or make the pool larger: lvextend.',
        },
    ]
}

const noGroup = (group: string): Finding => ({
    ...{ severity: 'error', code: 'no-group', at: 'storage.lvm.group', detail: group },
    summary: 'There is no volume group of that name, and the document names no disks for it',
    fix: 'List its disks in storage.lvm.disks, or name a group that is there: vgs.',
})

const foreign = (what: string, kind: string): Finding => ({
    ...{ severity: 'error', code: 'lvm-foreign', at: AT, detail: `${what}: ${kind}` },
    summary: 'There is something of that name already, and it was not made by this node',
    fix: 'Choose another name in the document. To use a group that is there, leave storage.lvm.disks out.',
})

const missing = (what: string, record: string): Finding => ({
    ...{ severity: 'error', code: 'lvm-missing', at: AT, detail: what },
    summary: 'What this node had made is not there, and is not made anew',
    fix: `Look at the disks and their cables: vgs, lvs. To begin with an empty one, remove ${record}.`,
})
