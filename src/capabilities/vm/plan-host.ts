// What running VMs needs of the machine: libvirt and QEMU, KVM's settings, and the storage pool that disks are made in.
import type { Basics } from '../../engine/basics.ts'
import type { OwnPlan } from '../../engine/resource.ts'
import type { Step } from '../../engine/step.ts'
import type { VmHostSpec } from './spec-host.ts'
import { virshArgs } from './virsh.ts'

export interface HostWant {
    spec: VmHostSpec
    /** Of the pool, by the profile. */
    path: string
}

const PACKAGES = [
    ...['libvirt-daemon-system', 'libvirt-daemon-driver-qemu', 'libvirt-clients', 'qemu-system-x86', 'qemu-utils'],
    ...['ovmf', 'swtpm', 'swtpm-tools'],
]

export function hostBasics({ spec }: HostWant): Basics {
    const nested = spec.nested ? 1 : 0
    const content = `options kvm_intel nested=${nested}\noptions kvm_amd nested=${nested}\n`
    return {
        packages: PACKAGES,
        files: [{ path: '/etc/modprobe.d/debvisor-kvm.conf', content, for: 'KVM in guests, from the next boot on' }],
        units: [
            { unit: 'libvirtd.service', enabled: true, active: true },
            { unit: 'virtlogd.socket', enabled: true, active: true },
        ],
    }
}

export interface PoolSeen {
    exists: boolean
    active: boolean
    autostart: boolean
    /** Undefined where it is no folder. */
    path?: string
}

export const poolFile = (pool: string): string => `/etc/debvisor/libvirt/pool-${pool}.xml`

export function poolBasics({ spec, path }: HostWant): Basics {
    const lines = [
        "<pool type='dir'>",
        `  <name>${spec.pool}</name>`,
        `  <target><path>${path}</path></target>`,
        '</pool>',
    ]
    return {
        folders: [{ path, mode: 0o711 }],
        files: [{ path: poolFile(spec.pool), content: `${lines.join('\n')}\n`, for: 'the storage pool' }],
    }
}

/** Defining a pool anew changes where libvirt looks; what is in the folders stays. */
export function planStoragePool({ spec, path }: HostWant, seen: PoolSeen): OwnPlan {
    const { pool } = spec
    const run = (say: string, ...words: string[]): Step => ({
        ...{ do: 'run', say, tool: 'virsh', args: virshArgs(...words), deadlineMs: 60_000 },
    })
    const steps: Step[] = []
    const other = seen.exists && seen.path !== path
    if (other) {
        if (seen.active)
            steps.push(run(`Stop the storage pool ${pool} at ${seen.path ?? 'another place'}`, 'pool-destroy', pool))
        steps.push(run(`Forget where the storage pool ${pool} was; what is in it stays`, 'pool-undefine', pool))
    }
    const fresh = !seen.exists || other
    if (fresh) steps.push(run(`Define the storage pool ${pool} at ${path}`, 'pool-define', poolFile(pool)))
    if (fresh || !seen.active) steps.push(run(`Start the storage pool ${pool}`, 'pool-start', pool))
    if (fresh || !seen.autostart)
        steps.push(run(`Start the storage pool ${pool} at every boot`, 'pool-autostart', pool))
    return { steps }
}
