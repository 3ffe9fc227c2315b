// What a document can say, and what becomes of it: the sections of node.yaml, the resources, and the tools of their steps.
import { z } from 'zod'
import type { Check } from '../engine/document.ts'
import { kitOf } from '../engine/kit.ts'
import type { Resource } from '../engine/resource.ts'
import { sampleOf } from '../engine/sample.ts'
import type { Probe } from '../ports/ports.ts'
import { diskWords, fingerprintOf } from './disks/disk.ts'
import { seeDisks } from './disks/observe.ts'
import { nodeResources, nodeSample, nodeTools } from './node/resources.ts'
import { checkNode, nodeSpec } from './node/spec.ts'
import { checkStorage, storageSpec } from './storage/spec.ts'
import { zfsResources } from './storage/zfs/resources.ts'
import { zfsTools } from './storage/zfs/zpool.ts'
import { vmResources } from './vm/resources.ts'
import { vmHostSpec } from './vm/spec-host.ts'
import { virshTool } from './vm/virsh.ts'

/** node.yaml, whole. What is not said has its default, so that `profile: zfs` is a document. */
export const documentSchema = z
    .strictObject({
        version: z.literal(1).default(1).describe('The version of this form of document.'),
        profile: z.enum(['ceph', 'zfs', 'mixed']).describe('What VMs and containers are stored on.'),
        node: nodeSpec.prefault({}),
        storage: storageSpec.prefault({}),
        vm: vmHostSpec.prefault({}),
    })
    .describe('What a DebVisor node should be.')

export type NodeDocument = z.infer<typeof documentSchema>

export const checks: readonly Check<NodeDocument>[] = [checkNode, checkStorage]

/** The disks as the storage family needs to know them. */
const freeDisks = async (machine: Probe) =>
    (await seeDisks(machine)).map(disk => ({ ...disk, fingerprint: fingerprintOf(disk), words: diskWords(disk) }))

/** Where disks of VMs belong, unless the document says. */
function imagesPath({ profile, storage: { zfs } }: NodeDocument): string {
    return profile !== 'ceph' && zfs.datasets.includes('vm') ? `${zfs.mountAt}/vm` : '/var/lib/libvirt/images'
}

/** In the order in which a plan shows them, where they do not need one another. */
export const resources: readonly Resource[] = [
    ...nodeResources(() => []),
    ...zfsResources({ disks: freeDisks }),
    ...vmResources({ pathOf: imagesPath }),
] as Resource[]

export const kit = kitOf([...nodeTools, ...zfsTools, virshTool])

/** A document for the machine that is looked at, with a comment above each key. */
export async function sample(probe: Probe, profile: string): Promise<string> {
    return sampleOf(documentSchema, { profile, node: await nodeSample(probe) })
}

/** Headings of a plan. */
export const titles: Readonly<Record<string, string>> = {
    node: 'This machine',
    'storage.zfs': 'Storage on ZFS',
    vm: 'Virtual machines',
}
