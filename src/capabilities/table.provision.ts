// What a document can say, and what becomes of it: the sections of node.yaml, the resources, and the tools of their steps.
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Check } from '../engine/document.ts'
import type { HealthCheck } from '../engine/health.ts'
import { kitOf } from '../engine/kit.ts'
import type { Resource } from '../engine/resource.ts'
import { sampleOf } from '../engine/sample.ts'
import type { Probe } from '../ports/ports.ts'
import { cockpitResources } from './cockpit/resources.ts'
import { cockpitSpec } from './cockpit/spec.ts'
import { diskWords, fingerprintOf } from './disks/disk.ts'
import { disksHealth } from './disks/health.ts'
import { seeDisks } from './disks/observe.ts'
import { dockerNetworks, dockerResources } from './docker/resources.ts'
import { checkDocker, dockerSpec } from './docker/spec.ts'
import { fail2banResources } from './fail2ban/resources.ts'
import { fail2banSpec } from './fail2ban/spec.ts'
import { firewallGuard } from './firewall/guard.ts'
import { firewallKernel } from './firewall/plan.ts'
import { firewallResources, firewallTools } from './firewall/resources.ts'
import { checkFirewall, firewallSpec } from './firewall/spec.ts'
import { checkInstall, installSpec } from './install/spec-answers.ts'
import { kubernetesKernel } from './kubernetes/plan-host.ts'
import { kubernetesResources, kubernetesTools } from './kubernetes/resources.ts'
import { checkKubernetes, kubernetesSpec } from './kubernetes/spec.ts'
import { monitoringResources } from './monitoring/resources.ts'
import { monitoringSpec } from './monitoring/spec.ts'
import { contains, formatAddress, overlaps, parseAddress, parseCidr } from './network/cidr.ts'
import { definedNetworks } from './network/defined.ts'
import { checkNetworkSpec } from './network/host/check.ts'
import { networkGuard } from './network/host/checkpoint.ts'
import { seeCards } from './network/host/observe.ts'
import { hostBridges, hostNetworkResources, hostNetworkTools, hostSubnets } from './network/host/resources.ts'
import { networkSample } from './network/host/sample.ts'
import { networkSpec } from './network/host/spec.ts'
import { nodeHealth } from './node/health.ts'
import { seeMachine } from './node/machine.ts'
import { fqdnOf } from './node/plan.ts'
import { nodeResources, nodeSample, nodeTools } from './node/resources.ts'
import { checkNode, nodeSpec } from './node/spec.ts'
import { notifyResources, notifyTools } from './notify/resources.ts'
import { checkNotify, notifySpec } from './notify/spec.ts'
import { cephTools } from './storage/ceph/ceph.ts'
import { cephDriver } from './storage/ceph/driver.ts'
import { cephHealth } from './storage/ceph/health.ts'
import { cephResources } from './storage/ceph/resources.ts'
import type { StorageDriver } from './storage/driver.ts'
import { lvmTools } from './storage/lvm/lvm.ts'
import { lvmResources } from './storage/lvm/resources.ts'
import { previewStorage } from './storage/preview.ts'
import { checkStorage, storageSpec } from './storage/spec.ts'
import { together } from './storage/together.ts'
import { zfsDriver } from './storage/zfs/driver.ts'
import { zfsHealth } from './storage/zfs/health.ts'
import { zfsResources } from './storage/zfs/resources.ts'
import { zfsTools } from './storage/zfs/zpool.ts'
import { usersResources, usersTools } from './users/resources.ts'
import { checkUsers, usersSpec } from './users/spec.ts'
import { vmResources } from './vm/resources.ts'
import { vmHostSpec } from './vm/spec-host.ts'
import { virshTool } from './vm/virsh.ts'

/** node.yaml, whole. What is not said has its default, so that `profile: zfs` is a document. */
export const documentSchema = z
    .strictObject({
        version: z.literal(1).default(1).describe('The version of this form of document.'),
        profile: z.enum(['ceph', 'zfs', 'mixed']).describe('What VMs and containers are stored on.'),
        node: nodeSpec.prefault({}),
        users: usersSpec.prefault({}),
        network: networkSpec.optional(),
        storage: storageSpec.prefault({}),
        vm: vmHostSpec.prefault({}),
        docker: dockerSpec.prefault({}),
        kubernetes: kubernetesSpec.prefault({}),
        firewall: firewallSpec.prefault({}),
        cockpit: cockpitSpec.prefault({}),
        fail2ban: fail2banSpec.prefault({}),
        monitoring: monitoringSpec.prefault({}),
        notify: notifySpec.prefault({}),
    })
    .describe('What a DebVisor node should be.')

export type NodeDocument = z.infer<typeof documentSchema>

export const checks: readonly Check<NodeDocument>[] = [
    ...[checkNode, checkUsers, checkNetworkSpec, checkStorage],
    ...[checkDocker, checkKubernetes, checkFirewall, checkNotify],
]

/** The answers of an installation: the document, and what only the installer has to know. */
export const answersSchema = documentSchema.extend({ install: installSpec })

export const answersChecks: readonly Check<z.infer<typeof answersSchema>>[] = [...checks, checkInstall]

const describedDisks = async (machine: Probe) =>
    (await seeDisks(machine)).map(disk => ({ ...disk, fingerprint: fingerprintOf(disk), words: diskWords(disk) }))

/** The disks as the storage family needs to know them. */
const freeDisks = together(describedDisks)

/** Where disks of VMs belong, unless the document says. */
function imagesPath({ profile, storage: { zfs, lvm } }: NodeDocument): string {
    if (profile !== 'ceph' && zfs.datasets.includes('vm')) return `${zfs.mountAt}/vm`
    return lvm ? `${lvm.mountAt}/images` : '/var/lib/libvirt/images'
}

/** Where volumes of pods belong. */
function volumesOf({ profile, storage: { zfs } }: NodeDocument): { path: string; on: string } {
    return profile !== 'ceph' && zfs.datasets.includes('k8s')
        ? { path: `${zfs.mountAt}/k8s`, on: 'on ZFS' }
        : { path: '/var/lib/kubernetes-volumes', on: 'on the system disk' }
}

type OneResource = Resource<NodeDocument>

/** Kernel settings and modules that capabilities need. */
const kernelNeeds = ({ firewall, kubernetes }: NodeDocument) => [firewallKernel(firewall), kubernetesKernel(kubernetes)]

const overlap = (one: string, other: string) => overlaps(parseCidr(one)!, parseCidr(other)!)

const docker = dockerResources<NodeDocument>({
    taken: document => [
        ...[...document.firewall.cluster, ...hostSubnets(document)],
        ...[document.kubernetes.podNetwork, document.kubernetes.serviceNetwork].filter(one => one !== undefined),
    ],
    addresses: {
        overlap,
        first: network => {
            const { version, first } = parseCidr(network)!
            return `${formatAddress(version, first + 1n)}/24`
        },
    },
})

const kubernetes = kubernetesResources<NodeDocument>({
    want: document => ({
        ...{ spec: document.kubernetes, hostname: document.node.hostname, fqdn: fqdnOf(document.node) },
        taken: [...document.firewall.cluster, ...document.docker.addressPools, ...hostSubnets(document)],
        administrators: document.users.administrators.map(({ name }) => name),
        volumes: volumesOf(document),
    }),
    defined: async root => [
        ...(await dockerNetworks(root)).map(network => ({ network, by: 'Docker' })),
        ...(await definedNetworks(root)).map(({ network, name }) => ({ network, by: `network ${name} of libvirt` })),
    ],
    overlap,
})

/**
 * In the order in which a plan shows them, where they do not need one another. The firewall comes last: it is handed
 * what all others open.
 */
const behindFirewall = [
    ...nodeResources(document => kernelNeeds(document as NodeDocument)),
    ...usersResources,
    ...hostNetworkResources,
    ...zfsResources({ disks: freeDisks }),
    ...cephResources({ disks: freeDisks }),
    ...lvmResources({ disks: freeDisks }),
    ...vmResources<NodeDocument>({ pathOf: imagesPath }),
    ...docker,
    ...cockpitResources,
    ...fail2banResources<NodeDocument>(({ cockpit }) => cockpit.enabled),
    ...monitoringResources,
    ...notifyResources,
    // Last: what it waits for keeps nothing else of the node back.
    ...kubernetes,
] as readonly unknown[] as OneResource[]

const firewall = firewallResources<NodeDocument>({
    openings: document =>
        behindFirewall.flatMap(one => {
            const want = one.want(document)
            return want === undefined ? [] : (one.openings?.(want) ?? [])
        }),
    bridges: hostBridges,
    admits: (networks, address) => {
        const value = parseAddress(address)
        return value !== undefined && networks.some(text => contains(parseCidr(text)!, value))
    },
})

export const resources = [...behindFirewall, ...firewall] as readonly unknown[] as readonly Resource[]

export const kit = kitOf(
    [
        ...[...nodeTools, ...usersTools, ...hostNetworkTools, ...zfsTools, ...cephTools, ...lvmTools, virshTool],
        ...[...firewallTools, ...kubernetesTools, ...notifyTools],
    ],
    [firewallGuard, networkGuard],
)

/**
 * What an installer needs of all this. Of the resources those without which nobody could log in, or be reached, when the
 * first boot fails: it carries out the whole document, and says on the console what it does.
 */
export const installing = {
    ...{ schema: documentSchema, checks, kit, disks: describedDisks, preview: previewStorage },
    resources: resources.filter(({ name }) => /^(node|users|network)\./.test(name)),
}

/** What the verbs of `storage` know of disks; a disk is replaced by the one that has it. */
export const storageDrivers: readonly StorageDriver[] = [
    zfsDriver({ disks: freeDisks }),
    cephDriver({ disks: freeDisks }),
]

/** What may be wrong on a node and no plan can mend. */
export const healthChecks: readonly HealthCheck[] = [nodeHealth, disksHealth, zfsHealth, cephHealth]

/** The machine as a document speaks of it, with the names that stay. */
export async function facts(probe: Probe) {
    const look = { phase: 'boot' as const, root: probe, machine: probe }
    const [machine, disks, network] = await Promise.all([
        seeMachine(probe),
        seeDisks(probe),
        seeCards(look).catch(() => undefined),
    ])
    const cards = (network?.cards ?? []).flatMap(name => {
        const link = network!.links.find(one => one.name === name)
        if (!link) return []
        const { cardMac: mac, carrier, mtu, master, global } = link
        const path = network!.paths[name]
        const addresses = global.map(({ address }) => address)
        return [{ name, mac, ...(path ? { path } : {}), carrier, mtu, ...(master ? { master } : {}), addresses }]
    })
    return { ...machine, cards, disks }
}

/** A document for the machine that is looked at, with a comment above each key. */
export async function sample(
    probe: Probe,
    profile: string,
    disks: { zfs?: readonly string[] | undefined; ceph?: readonly string[] | undefined } = {},
): Promise<string> {
    const [node, network] = await Promise.all([nodeSample(probe), networkSample(probe)])
    // Chosen here, so that it is the document's; a document without it gets one from the machine.
    const storage = {
        ...(disks.zfs && { zfs: { disks: disks.zfs } }),
        ...(profile !== 'zfs' && { ceph: { fsid: randomUUID(), ...(disks.ceph && { disks: disks.ceph }) } }),
    }
    const given = Object.keys(storage).length > 0 ? { storage } : {}
    return sampleOf(documentSchema, { profile, node, ...(network ? { network } : {}), ...given })
}

export { networkSample }

/** Headings of a plan. */
export const titles: Readonly<Record<string, string>> = {
    node: 'This machine',
    users: 'Who can log in',
    network: 'Network',
    'storage.zfs': 'Storage on ZFS',
    'storage.ceph': 'Storage on Ceph',
    'storage.lvm': 'Storage on LVM',
    vm: 'Virtual machines',
    firewall: 'What others may reach',
    docker: 'Docker',
    kubernetes: 'Kubernetes',
    cockpit: 'Cockpit',
    fail2ban: 'Guessed passwords',
    monitoring: 'Figures for Prometheus',
    notify: 'What people are told',
}
