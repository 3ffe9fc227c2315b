// LVM for the engine: a thin pool where the document asks for one.
import { LOOK_MS } from '../../../base/look.ts'
import { type Look, resource } from '../../../engine/resource.ts'
import { seeUnits } from '../../../engine/see-basics.ts'
import type { Probe } from '../../../ports/ports.ts'
import { listMembers, parseMembers } from '../lvm-report.ts'
import { mountUnit } from '../mount-unit.ts'
import type { LvmSpec, StorageSpec } from '../spec.ts'
import * as lvm from './lvm.ts'
import * as plan from './plan.ts'

interface Doc {
    storage: StorageSpec
}

export interface LvmDeps {
    disks(machine: Probe): Promise<plan.LvmDisk[]>
}

export const lvmResources = ({ disks }: LvmDeps) => [
    resource<Doc, LvmSpec, plan.LvmSeen>({
        ...{ name: 'storage.lvm.pool', phases: ['boot'], provides: ['storage'] },
        want: ({ storage }) => storage.lvm,
        basics: plan.lvmBasics,
        observe: (look, spec) => see(look, spec, disks),
        plan: plan.planLvm,
    }),
]

async function see(look: Look, spec: LvmSpec, disks: LvmDeps['disks']): Promise<plan.LvmSeen> {
    const { root, machine } = look
    const ask = async (argv: readonly [string, ...string[]]) => {
        if (!(await machine.look(argv[0]))) return ''
        const { exitCode, stdout } = await machine.query({ argv: [...argv], deadlineMs: LOOK_MS })
        return exitCode === 0 ? stdout : ''
    }
    const unit = mountUnit(spec.mountAt)
    const [all, groups, members, volumes, groupMade, volumeMade, units] = await Promise.all([
        disks(machine),
        ask(lvm.listGroups),
        ask(listMembers),
        ask(lvm.listVolumes),
        root.look(plan.groupRecord(spec)),
        root.look(plan.volumeRecord(spec)),
        seeUnits(look, [unit]),
    ])
    return {
        ...{ disks: all, groups: lvm.parseGroups(groups), members: parseMembers(members) },
        ...{ volumes: lvm.parseVolumes(volumes), groupMade: !!groupMade, volumeMade: !!volumeMade },
        mount: units.get(unit) ?? { enabled: false, active: false },
    }
}
