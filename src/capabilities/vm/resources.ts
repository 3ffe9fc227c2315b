// VMs for the engine: what the machine needs to run them, and the pool for their disks.
import { LOOK_MS } from '../../base/look.ts'
import { resource } from '../../engine/resource.ts'
import type { Probe } from '../../ports/ports.ts'
import * as plan from './plan-host.ts'
import type { VmHostSpec } from './spec-host.ts'
import * as virsh from './virsh.ts'

interface Doc {
    vm: VmHostSpec
}

/** `pathOf` says where disks belong by the document's profile. */
export const vmResources = <D extends Doc>({ pathOf }: { pathOf(document: D): string }) => {
    const want = (document: D): plan.HostWant | undefined =>
        document.vm.enabled ? { spec: document.vm, path: document.vm.poolPath ?? pathOf(document) } : undefined
    return [
        resource<D, plan.HostWant, undefined>({
            ...{ name: 'vm.host', phases: ['image', 'boot'], provides: ['libvirt'], want, basics: plan.hostBasics },
        }),
        resource<D, plan.HostWant, plan.PoolSeen>({
            ...{ name: 'vm.pool', phases: ['boot'], needs: ['libvirt', 'storage'], want, basics: plan.poolBasics },
            observe: ({ machine }, { spec }) => seePool(machine, spec.pool),
            plan: plan.planStoragePool,
        }),
    ]
}

async function seePool(machine: Probe, name: string): Promise<plan.PoolSeen> {
    const nothing = { exists: false, active: false, autostart: false }
    // Before its packages are there, there is no pool.
    if (!(await machine.look(virsh.virshTool.program))) return nothing
    const ask = async (argv: [string, ...string[]]) => (await machine.query({ argv, deadlineMs: LOOK_MS })).stdout
    if (!virsh.parseNames(await ask(virsh.listPools)).includes(name)) return nothing
    const [info, xml] = [await ask(virsh.poolInfo(name)), await ask(virsh.poolXml(name))]
    return { exists: true, ...virsh.parsePoolInfo(info), path: virsh.parsePoolPath(xml) }
}
