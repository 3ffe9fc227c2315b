// Ceph for the engine: its packages, monitor and manager, OSDs, pools with CephFS, libvirt's pool, and its health.
import type { Basics } from '../../../engine/basics.ts'
import { type Opening, resource } from '../../../engine/resource.ts'
import { named, type StorageSpec } from '../spec.ts'
import { healthBasics } from './health.ts'
import type { CephWant } from './identity.ts'
import { type LibvirtSeen, planLibvirt } from './libvirt.ts'
import { type MonSeen, planMon } from './mon.ts'
import { mountFiles } from './mount.ts'
import { askCluster, type Eyes, seeLibvirt, seeMon, seeOsds, seePools } from './observe.ts'
import { type OsdSeen, planOsds } from './osd.ts'
import { type PoolsSeen, planPools } from './pools.ts'

interface Doc {
    profile: 'ceph' | 'zfs' | 'mixed'
    storage: StorageSpec
    node: { hostname: string }
    vm: { enabled: boolean }
}

const PACKAGES = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'ceph-mds', 'ceph-volume', 'ceph-common', 'lvm2']
const LIBVIRT_PACKAGES = ['libvirt-daemon-driver-storage-rbd', 'qemu-block-extra']

export function cephWant({ profile, storage: { ceph, zfs, lvm }, node, vm }: Doc): CephWant | undefined {
    if (profile === 'zfs') return undefined
    // A disk that is named for something else is none of the others.
    const except = [...(profile === 'mixed' ? named(zfs.disks) : []), ...(lvm?.disks ?? [])]
    return { ...ceph, hostname: node.hostname, except, vms: vm.enabled }
}

/** Other nodes of the cluster reach the daemons; nobody else has to. */
export const cephOpenings = (): Opening[] => [
    { port: 3300, protocol: 'tcp', from: 'cluster', why: 'monitors of Ceph' },
    { port: 6789, protocol: 'tcp', from: 'cluster', why: 'monitors of Ceph, for older clients and the kernel' },
    { port: '6800-7568', protocol: 'tcp', from: 'cluster', why: 'OSDs and other daemons of Ceph' },
]

/** Crash reports of Debian's manager tell of modules that it cannot load: as news of the cluster they would be a false alarm. */
const toolBasics = (): Basics => ({
    packages: PACKAGES,
    units: [{ unit: 'ceph-crash.service', enabled: false, active: false }],
})

const phases = ['boot'] as const
const want = (document: Doc) => cephWant(document)

/** `disks` are those of the machine, as capability `disks` tells them. */
export const cephResources = ({ disks }: Pick<Eyes, 'disks'>, eyes: Eyes = { disks, cluster: askCluster }) => [
    resource<Doc, CephWant, undefined>({
        ...{ name: 'storage.ceph.tools', phases, want, basics: toolBasics },
    }),
    resource<Doc, CephWant, MonSeen>({
        // The daemons are called as the machine is.
        ...{ name: 'storage.ceph.mon', phases, needs: ['node.name', 'storage.ceph.tools'], want },
        openings: cephOpenings,
        observe: (look, wish) => seeMon(look, wish, eyes),
        plan: planMon,
    }),
    resource<Doc, CephWant, OsdSeen>({
        ...{ name: 'storage.ceph.osd', phases, needs: ['storage.ceph.mon'], want },
        observe: look => seeOsds(look, eyes),
        plan: planOsds,
    }),
    resource<Doc, CephWant, PoolsSeen>({
        ...{ name: 'storage.ceph.pools', phases, needs: ['storage.ceph.osd'], want },
        basics: ({ mountAt }) => ({ files: mountFiles(mountAt) }),
        observe: (look, wish) => seePools(look, wish, eyes),
        plan: planPools,
    }),
    resource<Doc, CephWant, LibvirtSeen>({
        ...{ name: 'storage.ceph.libvirt', phases, needs: ['storage.ceph.pools', 'libvirt'] },
        want: document => (document.vm.enabled ? cephWant(document) : undefined),
        basics: () => ({ packages: LIBVIRT_PACKAGES }),
        observe: (look, wish) => seeLibvirt(look, wish, eyes),
        plan: planLibvirt,
    }),
    resource<Doc, CephWant, undefined>({
        ...{ name: 'storage.ceph.health', phases, needs: ['storage.ceph.tools'], want, basics: healthBasics },
    }),
]
