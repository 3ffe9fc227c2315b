// The part of node.yaml about storage: which disks go to what, and how each is laid out.
import { z } from 'zod'
import type { Finding } from '../../base/finding.ts'

const diskId = z
    .string()
    .regex(/^\/dev\/[A-Za-z0-9/_.:+-]+$/, 'Use a path such as /dev/disk/by-id/ata-…')
    .describe('A disk, by the name that stays: debvisor node disks lists them.')

const zfsSpec = z
    .strictObject({
        pool: z
            .string()
            .regex(
                /^(?!(mirror|raidz|draid|spare|log)\b)[a-z][a-z0-9_-]{0,30}$/,
                'Use small letters, digits, dashes; no word of ZFS',
            )
            .default('tank')
            .describe('Name of the pool.'),
        disks: z
            .union([z.literal('extra'), z.array(diskId)])
            .default('extra')
            .describe(
                "Its disks: a list, which may be empty, or `extra` for every blank one that is not the system's.",
            ),
        layout: z
            .enum(['auto', 'stripe', 'mirror', 'raidz1', 'raidz2', 'raidz3'])
            .default('auto')
            .describe('auto: a mirror of 2, raidz1 of 3 to 5, raidz2 of 6 and more.'),
        ashift: z
            .int()
            .min(9)
            .max(16)
            .default(12)
            .describe('Sector size as a power of two; it cannot be changed later.'),
        compression: z.enum(['lz4', 'zstd', 'off']).default('lz4').describe('Of all datasets.'),
        autotrim: z.boolean().default(true).describe('Tell disks what is free, as it becomes so.'),
        mountAt: z
            .string()
            .regex(/^\/[A-Za-z0-9/_.-]+$/, 'Use an absolute path')
            .default('/srv')
            .describe('The folder below which datasets are mounted.'),
        datasets: z
            .array(z.string().regex(/^[a-z][a-z0-9_-]{0,40}$/))
            .default(['vm', 'docker', 'k8s'])
            .describe('Datasets of the pool, one for each use.'),
        arcMax: z
            .string()
            .regex(/^[1-9][0-9]*[MG]$/, 'Use a size such as 4G')
            .optional()
            .describe("The most memory that ZFS caches with; a tenth of the machine's, at most 16G, otherwise."),
        scrub: z
            .string()
            .regex(/^[A-Za-z0-9 *:,/.~-]+$/)
            .default('Sun 02:00')
            .describe('When all data is read and checked, as a calendar of systemd.'),
    })
    .describe('The ZFS pool of the profiles zfs and mixed.')

const cephSpec = z
    .strictObject({
        disks: z
            .union([z.literal('extra'), z.array(diskId)])
            .default('extra')
            .describe(
                "Disks that become OSDs: a list, which may be empty, or `extra` for every blank one that is not the system's.",
            ),
        fsid: z
            .string()
            .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'Use a UUID in small letters')
            .optional()
            .describe('Id of the cluster; chosen once and kept otherwise.'),
        address: z
            .union([z.ipv4(), z.ipv6()])
            .optional()
            .describe('Where the daemons listen; the address of the default route otherwise. It must stay the same.'),
        failureDomain: z
            .enum(['osd', 'host'])
            .default('osd')
            .describe('What two copies never share: osd on one host, host when there are as many hosts as copies.'),
        deviceClass: z
            .enum(['any', 'hdd', 'ssd', 'nvme'])
            .default('any')
            .describe('The kind of OSDs that the pools are kept on.'),
        size: z
            .union([z.literal('auto'), z.int().min(1).max(5)])
            .default('auto')
            .describe('How many copies of everything are kept; auto: as many as there are OSDs, at most 3.'),
        pool: z
            .string()
            .regex(/^[a-z][a-z0-9_-]{0,40}$/, 'Use small letters, digits, dashes')
            .default('vm-pool')
            .describe('The pool for disks of VMs, in Ceph and in libvirt.'),
        mountAt: z
            .string()
            .regex(/^(\/[A-Za-z0-9_.-]+)+$/, 'Use an absolute path')
            .default('/srv/cephfs')
            .describe('Where CephFS is mounted.'),
        osdMemory: z
            .string()
            .regex(/^[1-9][0-9]*[MG]$/, 'Use a size such as 2G')
            .optional()
            .describe(
                "Memory that an OSD aims at; a third of the machine's for all of them otherwise, 896M to 4G each.",
            ),
    })
    .describe('The Ceph cluster of the profiles ceph and mixed.')

const lvmName = z.string().regex(/^[A-Za-z][A-Za-z0-9_.+]{0,60}$/, 'Use letters, digits, dots, underscores')

const lvmSpec = z
    .strictObject({
        group: lvmName.describe('The volume group: one that is there, or the name of one that is made of the disks.'),
        disks: z
            .array(diskId)
            .min(1)
            .optional()
            .describe('What the group is made of, when it is not there. Left out: it is there already.'),
        thinPool: lvmName.default('thin').describe('Name of the thin pool in the group.'),
        size: z
            .string()
            .regex(/^([1-9][0-9]?%FREE|[1-9][0-9]*[GT])$/, 'Use a size such as 100G, or a share such as 90%FREE')
            .default('95%FREE')
            .describe('How much of the group the pool takes; something stays free for its own bookkeeping.'),
        volume: lvmName.default('vm').describe('Name of the volume in the pool, with a file system for disks of VMs.'),
        mountAt: z
            .string()
            .regex(/^(\/[A-Za-z0-9_.-]+)+$/, 'Use an absolute path')
            .default('/srv/lvm')
            .describe('Where it is mounted.'),
    })
    .describe('A thin pool of LVM; only where the document asks for it.')

export const storageSpec = z
    .strictObject({ zfs: zfsSpec.prefault({}), ceph: cephSpec.prefault({}), lvm: lvmSpec.optional() })
    .describe('Where VMs and containers are stored.')

export type StorageSpec = z.infer<typeof storageSpec>
export type ZfsSpec = z.infer<typeof zfsSpec>
export type CephSpec = z.infer<typeof cephSpec>
export type LvmSpec = z.infer<typeof lvmSpec>

interface Doc {
    profile: 'ceph' | 'zfs' | 'mixed'
    storage: StorageSpec
}

const LEAST: Record<string, number> = { mirror: 2, raidz1: 2, raidz2: 3, raidz3: 4 }

/** What a schema alone cannot say. */
export function checkStorage({ profile, storage }: Doc): Finding[] {
    const { zfs, ceph } = storage
    const findings: Finding[] = []
    if (profile !== 'zfs') {
        findings.push({
            ...{ severity: 'warning', code: 'ceph-new', at: 'profile', detail: profile },
            summary: 'Ceph is new in this version of DebVisor, and was tried in parts only',
            fix: 'Try it on a machine without data that is needed, or use the profile zfs.',
        })
    }
    if (profile === 'mixed' && zfs.disks === 'extra' && ceph.disks === 'extra') {
        findings.push({
            ...{ severity: 'error', code: 'which-disks', at: 'storage.zfs.disks' },
            summary: 'With the profile mixed, the document says which disk goes where',
            fix: 'List the disks of the ZFS pool, or those of Ceph; the other one gets the rest.',
        })
    }
    const uses: [string, readonly string[]][] = [
        ['storage.zfs.disks', profile === 'ceph' ? [] : named(zfs.disks)],
        ['storage.ceph.disks', profile === 'zfs' ? [] : named(ceph.disks)],
        ['storage.lvm.disks', storage.lvm?.disks ?? []],
    ]
    for (const [index, [at, disks]] of uses.entries()) {
        const both = disks.find(disk => uses.slice(0, index).some(([, others]) => others.includes(disk)))
        if (!both) continue
        findings.push({
            ...{ severity: 'error', code: 'disk-for-two', at, detail: both },
            summary: 'A disk is named for two kinds of storage',
            fix: 'Name it for one of them.',
        })
    }
    findings.push(...twice('storage.zfs.disks', zfs.disks), ...twice('storage.ceph.disks', ceph.disks))
    findings.push(...twice('storage.lvm.disks', storage.lvm?.disks ?? []))
    const least = LEAST[zfs.layout] ?? 1
    // An empty list means none, on purpose.
    if (Array.isArray(zfs.disks) && zfs.disks.length > 0 && zfs.disks.length < least) {
        findings.push({
            ...{ severity: 'error', code: 'too-few-disks', at: 'storage.zfs.layout' },
            summary: 'The layout needs more disks',
            detail: `${zfs.layout} needs ${least}, and ${zfs.disks.length} are named`,
            fix: 'Name more disks, or choose another layout.',
        })
    }
    if (ceph.failureDomain === 'host' && ceph.size === 'auto') {
        findings.push({
            ...{ severity: 'error', code: 'copies', at: 'storage.ceph.size' },
            summary: 'With copies on different hosts, the document says how many',
            fix: 'Set storage.ceph.size: 3, when there are three hosts with OSDs or more.',
        })
    }
    return findings
}

/** The disks that are named. */
export const named = (disks: 'extra' | readonly string[]): readonly string[] => (disks === 'extra' ? [] : disks)

function twice(at: string, disks: 'extra' | readonly string[]): Finding[] {
    const list = named(disks)
    const disk = list.find((one, index) => list.indexOf(one) !== index)
    if (!disk) return []
    return [
        {
            ...{ severity: 'error', code: 'disk-twice', at, detail: disk },
            summary: 'A disk is named twice',
            fix: 'Name each disk once.',
        },
    ]
}
