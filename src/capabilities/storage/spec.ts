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
            .union([z.literal('extra'), z.array(diskId).min(1)])
            .default('extra')
            .describe("Its disks: a list, or `extra` for every blank one that is not the system's."),
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

export const storageSpec = z
    .strictObject({ zfs: zfsSpec.prefault({}) })
    .describe('Where VMs and containers are stored.')

export type StorageSpec = z.infer<typeof storageSpec>
export type ZfsSpec = z.infer<typeof zfsSpec>

interface Doc {
    profile: 'ceph' | 'zfs' | 'mixed'
    storage: StorageSpec
}

const LEAST: Record<string, number> = { mirror: 2, raidz1: 2, raidz2: 3, raidz3: 4 }

/** What a schema alone cannot say. */
export function checkStorage({ profile, storage }: Doc): Finding[] {
    const { zfs } = storage
    const findings: Finding[] = []
    if (profile !== 'zfs') {
        findings.push({
            ...{ severity: 'warning', code: 'no-ceph', at: 'profile' },
            summary: 'This version of DebVisor does not set up Ceph',
            detail: profile === 'ceph' ? 'VMs are stored in a folder of the system disk' : 'VMs are stored on ZFS',
            fix: 'Use the profile zfs, or wait for the version that does.',
        })
    }
    if (profile === 'mixed' && zfs.disks === 'extra') {
        findings.push({
            ...{ severity: 'error', code: 'which-disks', at: 'storage.zfs.disks' },
            summary: 'With the profile mixed, the document says which disk goes where',
            fix: 'List the disks of the ZFS pool.',
        })
    }
    if (Array.isArray(zfs.disks)) {
        const twice = zfs.disks.find((disk, at) => zfs.disks.indexOf(disk) !== at)
        if (twice) {
            findings.push({
                ...{ severity: 'error', code: 'disk-twice', at: 'storage.zfs.disks', detail: twice },
                summary: 'A disk is named twice',
                fix: 'Name each disk once.',
            })
        }
        const least = LEAST[zfs.layout] ?? 1
        if (zfs.disks.length < least) {
            findings.push({
                ...{ severity: 'error', code: 'too-few-disks', at: 'storage.zfs.layout' },
                summary: 'The layout needs more disks',
                detail: `${zfs.layout} needs ${least}, and ${zfs.disks.length} are named`,
                fix: 'Name more disks, or choose another layout.',
            })
        }
    }
    return findings
}
