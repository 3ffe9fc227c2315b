// Disks of pools: what a replacement or one more disk plans, and why not; each a story in a folder of testdata-disks.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectGolden } from '../../../../tests/golden.ts'
import { textOf } from '../../../engine/testing/text.ts'
import type { AddWish, ReplaceWish } from '../driver.ts'
import type { DiskSeen, TopologySeen } from '../placing.ts'
import { planAdd } from './add.ts'
import { planReplace } from './replace.ts'
import { type PoolWords, statusOf } from './testing/pools.ts'
import { parseTopology } from './topology.ts'

const folder = join(import.meta.dirname, 'testdata-disks')
const GIB = 1024 ** 3
const DOCUMENT = '/etc/debvisor/node.yaml'

interface Story {
    replace?: ReplaceWish
    add?: AddWish
    pools?: Record<string, PoolWords>
    /** id → `blank`, `system`, `mounted`, `small`, or the signatures. */
    disks: Record<string, string>
    text?: string
    agreed?: Record<string, string | null>
}

const diskOf = ([id, said]: [string, string], at: number): DiskSeen => ({
    ...{ id: `/dev/disk/by-id/${id}`, path: `/dev/sd${String.fromCharCode(97 + at)}`, system: said === 'system' },
    ...{ removable: false, readOnly: said === 'read-only', blank: said === 'blank' || said === 'small' },
    ...{ mountpoints: said === 'mounted' ? ['/mnt'] : [], sizeBytes: (said === 'small' ? 8 : 12) * GIB },
    ...{
        fingerprint: said,
        words: `${said === 'small' ? 8 : 12} GiB, ${said === 'blank' || said === 'small' ? 'blank' : `holds ${said}`}`,
    },
})

/** Partitions are there only where ZFS has made them. */
function seenOf({ pools, disks: words, text }: Story): TopologySeen {
    const disks = Object.entries(words).map(diskOf)
    const real = disks.flatMap(({ id, path, blank }) => [[id, path], ...(blank ? [] : [[`${id}-part1`, `${path}1`]])])
    return { pools: pools && parseTopology(statusOf(pools)), disks, real: Object.fromEntries(real), text }
}

const planOf = (story: Story, seen: TopologySeen) =>
    story.replace
        ? planReplace(story.replace, seen, DOCUMENT)
        : planAdd(story.add!, seen, { pool: 'tank', path: DOCUMENT })

describe.each(readdirSync(folder))('the disks of a pool: %s', name => {
    it('are changed so', () => {
        const story = JSON.parse(readFileSync(join(folder, name, 'seen.json'), 'utf8')) as Story
        const agreed = new Map(
            Object.entries(story.agreed ?? {}).map(([id, print]) => [`disk:/dev/disk/by-id/${id}`, print ?? undefined]),
        )
        const own = planOf(story, seenOf(story))
        expectGolden(join(folder, name, 'plan.txt'), textOf('storage.zfs', own, agreed))
        // What speaks against it leaves nothing to do; and whoever is refused is told what to do.
        const errors = (own.findings ?? []).filter(({ severity }) => severity === 'error')
        if (errors.length > 0) expect(own.steps).toEqual([])
        for (const { fix } of errors) expect(fix).toMatch(/\S/)
    })
})

describe('after a replacement', () => {
    const before: Story = {
        replace: { old: 'B', new: 'C' },
        pools: { tank: { state: 'DEGRADED', parts: [{ 'mirror-0 DEGRADED': ['A', 'B UNAVAIL'] }] } },
        disks: { A: 'zfs_member', C: 'blank' },
        text: 'profile: zfs\nstorage:\n  zfs:\n    disks: # two\n      - /dev/disk/by-id/A # first\n      - /dev/disk/by-id/B\n',
    }
    const texts = (story: Story) => planOf(story, seenOf(story)).steps.map(step => step.do)
    const written = (story: Story) =>
        planOf(story, seenOf(story)).steps.flatMap(step => (step.do === 'write' ? [step.content as string] : []))[0]

    it('only the document is left to do when the power went between the two steps, then nothing', () => {
        expect(texts(before)).toEqual(['run', 'write'])
        const running: Story = {
            ...before,
            pools: {
                tank: {
                    state: 'DEGRADED',
                    parts: [{ 'mirror-0 DEGRADED': ['A', { 'replacing-1 DEGRADED': ['B UNAVAIL', 'C'] }] }],
                    resilver: 12,
                },
            },
            disks: { A: 'zfs_member', C: 'zfs_member' },
        }
        expect(texts(running)).toEqual(['write'])
        const whole: Story = { ...running, pools: { tank: { parts: [{ 'mirror-0': ['A', 'C'] }] } } }
        expect(texts(whole)).toEqual(['write'])
        const text = written(whole)!
        expect(text).toBe(before.text!.replace('by-id/B', 'by-id/C'))
        expect(texts({ ...running, text })).toEqual([])
        expect(texts({ ...whole, text })).toEqual([])
        expect(planOf(whole, seenOf({ ...whole, text })).findings).toBeUndefined()
    })

    it('a disk that ZFS had begun to label is ours, and is taken over what is on it', () => {
        const half: Story = { ...before, disks: { A: 'zfs_member', C: 'gpt' } }
        const [step] = planOf(half, seenOf(half)).steps
        expect(step).toMatchObject({ destroys: ['disk:/dev/disk/by-id/C'] })
        expect((step as unknown as { args: string[] }).args.slice(0, 3)).toEqual(['replace', '-f', 'tank'])
    })
})
