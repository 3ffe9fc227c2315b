// Ceph for the verbs of storage: the OSDs of this node with their disks, and the plan of a replacement.
import { LOOK_MS } from '../../../base/look.ts'
import { DOCUMENT } from '../../../engine/provision.ts'
import { type Look, type Resource, resource } from '../../../engine/resource.ts'
import type { Probe } from '../../../ports/ports.ts'
import type { ReplaceWish, StorageDriver, StorageSet } from '../driver.ts'
import type { DiskSeen } from '../placing.ts'
import { seePools, seeReal, steady } from '../zfs/see.ts'
import type { Copying } from './ceph.ts'
import { askCluster, type Eyes, seeOsds } from './observe.ts'
import { calledOf, mayGoArgs, membersOf, namesOf, type OsdMember, planReplace, type ReplaceSeen } from './replace.ts'

export interface CephDriverDeps {
    disks(machine: Probe): Promise<DiskSeen[]>
}

export const cephDriver = ({ disks }: CephDriverDeps, eyes: Eyes = { disks, cluster: askCluster }): StorageDriver => ({
    name: 'ceph',
    async look(machine) {
        const osds = await seeOsds({ phase: 'boot', root: machine, machine }, eyes)
        if (!osds.record) return []
        const answers = osds.made ? await eyes.cluster(machine) : undefined
        const members = membersOf(osds)
        if (!answers) {
            const disks = members.map(member => ({ ...diskOf(member), state: 'unknown' }))
            return [{ name: 'ceph', state: 'does not answer', whole: false, disks }]
        }
        const { health, copying } = answers.status
        return [
            {
                ...{ name: 'ceph', state: health, whole: health === 'HEALTH_OK', disks: members.map(diskOf) },
                ...(copying ? { work: { words: 'copies between its OSDs', percent: percentOf(copying) } } : {}),
            } satisfies StorageSet,
        ]
    },
    replace: wish =>
        resource<unknown, ReplaceWish, ReplaceSeen>({
            ...{ name: 'storage.ceph.replace', phases: ['boot'], want: () => wish },
            observe: look => see(look, wish, { disks, eyes }),
            plan: (_, seen, agreed) => planReplace(wish, seen, agreed, DOCUMENT),
        }) as Resource,
})

async function see(look: Look, wish: ReplaceWish, { disks, eyes }: CephDriverDeps & { eyes: Eyes }) {
    const { root, machine } = look
    const [osds, pools, all, text] = await Promise.all([
        seeOsds(look, eyes),
        seePools(machine),
        disks(machine),
        root.readText(DOCUMENT),
    ])
    const real = await seeReal(machine, pools ?? [], [wish.new ?? wish.old])
    const old = membersOf(osds).find(member => namesOf(member).includes(wish.old))?.osd
    const mayGo = new Set(old && !old.in && (await isSafe(machine, old.id)) ? [old.id] : [])
    return { ...osds, topology: { pools: pools?.map(steady), disks: all, real, text }, mayGo }
}

async function isSafe(machine: Probe, id: number): Promise<boolean> {
    const argv: [string, ...string[]] = ['/usr/bin/ceph', ...mayGoArgs(id)]
    return (await machine.query({ argv, deadlineMs: LOOK_MS })).exitCode === 0
}

function diskOf(member: OsdMember) {
    const { osd, disk } = member
    const state = osd ? `${osd.up ? 'up' : 'down'}${osd.in ? '' : ', out'}` : 'unknown'
    return {
        ...{ id: disk ?? calledOf(member), names: namesOf(member), state, works: osd?.up === true && osd.in },
        ...{ part: disk && osd ? calledOf(member) : '', errors: 0 },
    }
}

/** What is where it should be. */
const percentOf = ({ left, of }: Copying) => (of > 0 ? Math.max(0, 100 - (100 * left) / of) : 0)
