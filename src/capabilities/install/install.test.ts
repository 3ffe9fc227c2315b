// Which disk is meant, and how it is laid out: each case a folder of testdata with what was asked, what is there, what is planned.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { expectGolden } from '../../../tests/golden.ts'
import { textOf } from '../../engine/testing/text.ts'
import { type Image, namesOf, noteFile, partition, planTarget, type TargetWant } from './plan.ts'
import { type Disk, selectDisks, targetSpec } from './spec.ts'

const folder = join(import.meta.dirname, 'testdata')
const GIB = 1024 ** 3

interface Seen {
    /** id → size in GiB, model, and `blank`, `system`, `removable`, `mounted` or what it holds. */
    disks: Record<string, [number, string, string]>
    agreed?: Record<string, string | null>
    note?: string
    /** Where the system comes from, when not from the medium. */
    image?: Image
    rootFs?: TargetWant['rootFs']
}

function diskOf([id, [gib, model, said]]: [string, [number, string, string]]): Disk {
    const blank = said === 'blank' || said === 'removable'
    return {
        ...{
            id: id.startsWith('/') ? id : `/dev/disk/by-id/${id}`,
            path: `/dev/${id}`,
            serial: id.replace(/^.*[-_]/, ''),
        },
        ...{ model, sizeBytes: gib * GIB, system: said === 'system', removable: said === 'removable', readOnly: false },
        ...{ blank, mountpoints: said === 'mounted' ? ['/mnt'] : [], fingerprint: said },
        words: `${gib} GiB ${model}, ${blank ? 'blank' : `holds ${said}`}`,
    }
}

const ids = { root: '11111111-1111-4111-8111-111111111111', boot: '22222222-2222-4222-8222-222222222222' }
const MEDIUM = '/run/live/medium/node/node.squashfs'
const wantOf = (disks: readonly Disk[], { image = MEDIUM, rootFs = 'ext4' }: Partial<Seen> = {}): TargetWant => ({
    ...{ disks, image, mountAt: '/target', rootFs },
    ids: { ...ids, esp: ['AAAA-0001', 'AAAA-0002'] },
    names: namesOf(),
    before: { holders: [], parts: {} },
})

describe.each(readdirSync(folder))('a target: %s', name => {
    it('is planned so', () => {
        const at = (file: string) => join(folder, name, file)
        const spec = targetSpec.parse(parse(readFileSync(at('want.yaml'), 'utf8')))
        const seen = JSON.parse(readFileSync(at('seen.json'), 'utf8')) as Seen
        const { chosen, findings } = selectDisks(spec, Object.entries(seen.disks).map(diskOf))
        if (findings.length > 0) {
            const told = findings.map(one => `${one.at}: ${one.summary} (${one.detail ?? ''})\n  ${one.fix}\n`)
            return expectGolden(at('plan.txt'), told.join(''))
        }
        const agreed = new Map(
            Object.entries(seen.agreed ?? {}).map(([id, print]) => [`disk:/dev/disk/by-id/${id}`, print ?? undefined]),
        )
        const plan = planTarget(wantOf(chosen, seen), seen, agreed)
        expectGolden(at('plan.txt'), textOf('install.target', plan, agreed))
    })
})

it('every case has a plan', () => {
    for (const name of readdirSync(folder)) expect(existsSync(join(folder, name, 'plan.txt'))).toBe(true)
})

it.each([
    ['/dev/disk/by-id/nvme-X_1', '/dev/disk/by-id/nvme-X_1-part3'],
    ['/dev/disk/by-path/pci-0000:00:04.0', '/dev/disk/by-path/pci-0000:00:04.0-part3'],
    ['/dev/sda', '/dev/sda3'],
    ['/dev/nvme0n1', '/dev/nvme0n1p3'],
])('the third partition of %s is %s', (id, part) => expect(partition({ id }, 3)).toBe(part))

it('has nothing to do where it came to its end, and everything where it was cut off', () => {
    const disk = diskOf(['virtio-A', [40, 'QEMU', 'LVM2_member']])
    const steps = (note?: string) => planTarget(wantOf([disk]), { note }, new Map()).steps
    const last = steps().at(-1)!
    expect(last).toMatchObject({ do: 'write', path: noteFile('/target') })
    expect(steps((last as { content: string }).content)).toEqual([])
    expect(steps('{"root":"another"}\n')).toEqual(steps())
})

it('lets go of an older system, from the top, and clears its partitions before udev sees them again', () => {
    const disk = diskOf(['virtio-A', [40, 'QEMU', 'LVM2_member']])
    const before = {
        holders: [
            { path: '/dev/mapper/old-root', by: 'dmsetup' as const },
            { path: '/dev/md127', by: 'mdadm' as const },
        ],
        parts: { [disk.id]: ['/dev/vda1', '/dev/vda2'] },
    }
    const { steps } = planTarget({ ...wantOf([disk]), before }, {}, new Map())
    expect(steps.slice(0, 4).map(step => (step.do === 'run' ? [step.tool, ...step.args] : []))).toEqual([
        ['dmsetup', 'remove', '--retry', '/dev/mapper/old-root'],
        ['mdadm', '--stop', '/dev/md127'],
        ['wipefs', '--all', '--force', '/dev/vda1', '/dev/vda2', disk.id],
        expect.arrayContaining(['sgdisk']),
    ])
})

it('destroys nothing that was not named: each step that does says which disk', () => {
    const [one, two] = [diskOf(['virtio-A', [40, 'QEMU', 'ext4']]), diskOf(['virtio-B', [40, 'QEMU', 'blank']])]
    const { steps } = planTarget(wantOf([one, two]), {}, new Map())
    const touching = steps.filter(step => step.do === 'run' && ['wipefs', 'sgdisk'].includes(step.tool))
    for (const step of touching) expect([...(step.destroys ?? []), ...(step.claims ?? [])].length).toBe(1)
    expect(new Set(steps.flatMap(step => step.destroys ?? []))).toEqual(new Set(['disk:/dev/disk/by-id/virtio-A']))
})

it.each([
    ['no disk at all', { disks: [] }],
    ['three disks', { disks: ['smallest', 'smallest', 'smallest'] }],
    ['an empty wish', { disks: [{}] }],
    ['a size that is none', { disks: [{ minSize: 'large' }] }],
    ['an unknown key', { disks: [{ vendor: 'X' }] }],
])('refuses %s', (_, given) => expect(targetSpec.safeParse(given).success).toBe(false))
