// Pools: what is wanted of which disks, and the plan in words; each a story in a folder of testdata.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { expectGolden } from '../../../../tests/golden.ts'
import { readDocument } from '../../../engine/document.ts'
import { textOf } from '../../../engine/testing/text.ts'
import type { Disk } from '../choose.ts'
import { checkStorage, storageSpec } from '../spec.ts'
import { type PoolSeen, planMemory, planPool } from './plan.ts'
import { parseDatasets, parseImportable, parsePools } from './zpool.ts'

const folder = join(import.meta.dirname, 'testdata')
const schema = z.object({ profile: z.enum(['ceph', 'zfs', 'mixed']), storage: storageSpec.prefault({}) })

interface Seen {
    /** id → what is said of it: `blank`, `system`, `removable`, `mounted`, or the signatures. */
    disks: Record<string, string>
    pools?: string
    importable?: string
    datasets?: string
    made?: boolean
    module?: boolean
    agreed?: Record<string, string | null>
}

const diskOf = ([id, said]: [string, string]): Disk => ({
    ...{ id: `/dev/disk/by-id/${id}`, system: said === 'system', removable: said === 'removable', readOnly: false },
    ...{ blank: said === 'blank' || said === 'removable', mountpoints: said === 'mounted' ? ['/mnt'] : [] },
    ...{ fingerprint: said, words: `12 GiB, ${said === 'blank' ? 'blank' : `holds ${said}`}` },
})

describe.each(readdirSync(folder))('a pool: %s', name => {
    it('is planned so', () => {
        const at = (file: string) => join(folder, name, file)
        const { document, findings } = readDocument(readFileSync(at('want.yaml'), 'utf8'), schema, [checkStorage])
        if (!document) {
            const told = findings.map(f => `line ${f.line}: ${f.at}: ${f.summary} (${f.detail ?? ''}) → ${f.fix}\n`)
            return expectGolden(at('plan.txt'), told.join(''))
        }
        const seen = JSON.parse(readFileSync(at('seen.json'), 'utf8')) as Seen
        const pool: PoolSeen = {
            disks: Object.entries(seen.disks).map(diskOf),
            ...{ pools: parsePools(seen.pools ?? ''), importable: parseImportable(seen.importable ?? '') },
            ...{ datasets: parseDatasets(seen.datasets ?? ''), made: seen.made ?? false, module: seen.module ?? true },
        }
        const agreed = new Map(
            Object.entries(seen.agreed ?? {}).map(([id, print]) => [`disk:/dev/disk/by-id/${id}`, print ?? undefined]),
        )
        expectGolden(at('plan.txt'), textOf('storage.zfs.pool', planPool(document.storage.zfs, pool, agreed), agreed))
    })
})

describe('the memory of ZFS', () => {
    const spec = storageSpec.parse({ zfs: {} }).zfs
    it('is a tenth of the machine, and at most 16 GiB', () => {
        const bytesOf = (memoryBytes: number, arcMax?: string) =>
            /- (\d+)\n/.exec(
                (planMemory({ ...spec, arcMax }, { memoryBytes }).steps[0] as { content: string }).content,
            )?.[1]
        expect(bytesOf(8 * 1024 ** 3)).toBe(String(819 * 1024 ** 2))
        expect(bytesOf(1024 ** 4)).toBe(String(16 * 1024 ** 3))
        expect(bytesOf(1024 ** 4, '4G')).toBe(String(4 * 1024 ** 3))
    })

    it('is set once', () => {
        const seen = { memoryBytes: 8 * 1024 ** 3 }
        const [write, run] = planMemory(spec, seen).steps as unknown as [{ content: string }, { args: string[] }]
        expect(run.args).toEqual(['--create', '/etc/tmpfiles.d/debvisor-zfs.conf'])
        const arcMaxBytes = 819 * 1024 ** 2
        expect(planMemory(spec, { ...seen, text: write.content, arcMaxBytes }).steps).toEqual([])
    })
})
