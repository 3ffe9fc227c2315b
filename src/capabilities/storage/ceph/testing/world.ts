// A node in memory with Ceph's tools: its document applied, its power cut, its plan asked for.
import { z } from 'zod'
import { apply } from '../../../../engine/apply.ts'
import type { Consent } from '../../../../engine/consent.ts'
import { kitOf } from '../../../../engine/kit.ts'
import { makePlan } from '../../../../engine/plan.ts'
import type { Resource } from '../../../../engine/resource.ts'
import { survey } from '../../../../engine/survey.ts'
import { type SimulatedNode, simulatedNode } from '../../../../engine/testing/node.ts'
import { fakeClock } from '../../../../ports/fake.ts'
import type { ReplaceWish } from '../../driver.ts'
import { storageSpec } from '../../spec.ts'
import { cephTools } from '../ceph.ts'
import { cephDriver } from '../driver.ts'
import { askCluster } from '../observe.ts'
import { cephResources } from '../resources.ts'
import { type FakeCluster, fakeCluster, PROGRAMS } from './cluster.ts'

export const DISK = '/dev/disk/by-id/virtio-'
const PROCESS = { '/proc/1/stat': `1 (x) ${'0 '.repeat(30)}`, '/proc/meminfo': 'MemTotal: 4000000 kB\n' }
export const kit = kitOf([...cephTools, { name: 'virsh', program: '/usr/bin/virsh', half: 'machine' }])

export function cephNode(holds: Record<string, string>, storage: object = {}) {
    const named = Object.fromEntries(Object.entries(holds).map(([name, held]) => [`${DISK}${name}`, held]))
    let node: SimulatedNode
    const cluster: FakeCluster = fakeCluster(() => node, named)
    const programs = Object.fromEntries(PROGRAMS.map(path => [path, '']))
    const util = { '/usr/share/ceph/mgr/mgr_util.py': 'import os\nimport bcrypt\nimport errno\n' }
    node = simulatedNode({
        files: { ...PROCESS, ...programs, ...util, '/etc/machine-id': '0123456789abcdef\n' },
        tools: cluster.tools,
    })
    const resources = cephResources({ disks: async () => cluster.disks() }) as readonly unknown[] as Resource[]
    const disks = async () => cluster.disks().map(disk => ({ ...disk, sizeBytes: 2 ** 31 }))
    const driver = cephDriver({ disks }, { disks, cluster: askCluster })
    const document = {
        ...{ profile: 'ceph', node: { hostname: 'node1' }, vm: { enabled: true } },
        storage: z.object({ storage: storageSpec }).parse({ storage }).storage,
    }
    const wish = { document, text: '', by: 'test', signal: new AbortController().signal }
    const deps = { resources, kit, touch: node.touch, clock: fakeClock(), pid: 1 }
    return {
        ...{ node, cluster },
        apply: (consents: Consent[] = []) => apply(deps, { ...wish, consents }),
        plan: async () => makePlan(resources, await survey(resources, document, node.touch), new Map()),
        looked: () => driver.look(node.touch.machine),
        planReplace: async (of: ReplaceWish) =>
            makePlan([driver.replace(of)], await survey([driver.replace(of)], document, node.touch), new Map()),
        replace: (of: ReplaceWish, consents: Consent[] = []) =>
            apply({ ...deps, resources: [driver.replace(of)] }, { ...wish, consents }),
        /** What is enabled runs after it; the lock of the dead process is gone. */
        reboot: async () => {
            for (const unit of node.units.values()) unit.active = unit.enabled
            await node.system.remove('/run/debvisor')
        },
    }
}

export const poolsOf = ({ pools }: FakeCluster) =>
    pools.map(one => [one.pool_name, one.size, one.min_size].join(' ')).sort()

/** What DebVisor itself keeps, with what is in it. */
export const toldBy = ({ system }: SimulatedNode): [string, string][] =>
    [...system.files]
        .filter(([path]) => path.startsWith('/var/lib/debvisor'))
        .map(([path, data]) => [path, Buffer.from(data ?? '').toString()])
