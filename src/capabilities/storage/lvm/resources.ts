// LVM for the engine: a thin pool where the document asks for one.
import { LOOK_MS } from '../../../base/look.ts'
import { type Look, resource } from '../../../engine/resource.ts'
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

async function see({ root, machine }: Look, spec: LvmSpec, disks: LvmDeps['disks']): Promise<plan.LvmSeen> {
    const ask = async (argv: readonly [string, ...string[]]) => {
        if (!(await machine.look(argv[0]))) return ''
        const { exitCode, stdout } = await machine.query({ argv: [...argv], deadlineMs: LOOK_MS })
        return exitCode === 0 ? stdout : ''
    }
    const unit = [
        'systemctl',
        'show',
        '--property=Id,ActiveState,UnitFileState',
        '--',
        mountUnit(spec.mountAt),
    ] as const
    const [all, groups, members, volumes, groupMade, volumeMade, mount] = await Promise.all([
        disks(machine),
        ask(lvm.listGroups),
        ask(listMembers),
        ask(lvm.listVolumes),
        root.look(plan.groupRecord(spec)),
        root.look(plan.volumeRecord(spec)),
        machine.query({ argv: [...unit], deadlineMs: LOOK_MS }),
    ])
    return {
        ...{ disks: all, groups: lvm.parseGroups(groups), members: parseMembers(members) },
        ...{ volumes: lvm.parseVolumes(volumes), groupMade: !!groupMade, volumeMade: !!volumeMade },
        mount: {
            enabled: /^UnitFileState=(enabled|static)$/m.test(mount.stdout),
            active: /^ActiveState=active$/m.test(mount.stdout),
        },
    }
}
