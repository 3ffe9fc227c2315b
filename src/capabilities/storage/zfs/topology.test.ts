// What zpool says of its pools, and the disks that could be in one and are not.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { storageSpec } from '../spec.ts'
import { guidOf, statusOf } from './testing/pools.ts'
import { calledOf, membersOf, namesOf, parseTopology, wholeDisk } from './topology.ts'
import { unusedDisks } from './unused.ts'

const seenAt = (name: string) => {
    const text = readFileSync(join(import.meta.dirname, 'testdata-status', `${name}.json`), 'utf8')
    const [pool] = parseTopology(text)!
    return {
        state: pool!.state,
        scan: pool!.scan && [pool!.scan.what, pool!.scan.running, pool!.scan.doneBytes, pool!.scan.ofBytes],
        disks: membersOf(pool!).map(({ leaf, above }) =>
            [wholeDisk(leaf.path ?? '').slice(16), leaf.state, leaf.leastBytes, ...above.map(({ name }) => name)].join(
                ' ',
            ),
        ),
    }
}

// What OpenZFS 2.3.9 of Debian 13 said.
it('is understood as a real pool says it: offline, being replaced, gone', () => {
    expect(seenAt('offline')).toEqual({
        ...{ state: 'DEGRADED', scan: undefined },
        disks: ['virtio-DATA1 ONLINE 2017984512 mirror-0', 'virtio-DATA2 OFFLINE 2017984512 mirror-0'],
    })
    expect(seenAt('replacing')).toEqual({
        ...{ state: 'DEGRADED', scan: ['resilver', true, 0, 50913280] },
        disks: [
            'virtio-DATA1 ONLINE 2017984512 mirror-0',
            'virtio-DATA2 OFFLINE 2017984512 mirror-0 replacing-1',
            'virtio-DATA3 ONLINE 2017984512 mirror-0 replacing-1',
        ],
    })
    expect(seenAt('unavail')).toEqual({
        ...{ state: 'DEGRADED', scan: ['resilver', false, 50630656, 50864128] },
        disks: ['virtio-DATA1 ONLINE 2017984512 mirror-0', 'virtio-DATA3 UNAVAIL 2017984512 mirror-0'],
    })
})

it('is read with every disk, its place and its names', () => {
    const parts = [{ 'mirror-0 DEGRADED': ['A', { 'replacing-1 DEGRADED': ['B UNAVAIL', 'C'] }] }]
    const [pool] = parseTopology(statusOf({ tank: { state: 'DEGRADED', parts, spares: ['S AVAIL'], resilver: 25 } }))!
    expect(pool).toMatchObject({ name: 'tank', state: 'DEGRADED', scan: { what: 'resilver', running: true } })
    expect(pool!.scan!.doneBytes / pool!.scan!.ofBytes).toBe(0.25)
    const members = membersOf(pool!)
    expect(members.map(({ leaf, above }) => [calledOf(leaf), leaf.state, above.map(({ name }) => name)])).toEqual([
        ['/dev/disk/by-id/A', 'ONLINE', ['mirror-0']],
        ['/dev/disk/by-id/B', 'UNAVAIL', ['mirror-0', 'replacing-1']],
        ['/dev/disk/by-id/C', 'ONLINE', ['mirror-0', 'replacing-1']],
    ])
    expect(namesOf(members[1]!.leaf).sort()).toEqual(
        [guidOf('B'), '/dev/disk/by-id/B-part1', '/dev/disk/by-id/B', 'B-part1', 'B'].sort(),
    )
    expect(pool!.spares.map(({ state }) => state)).toEqual(['AVAIL'])
})

it('keeps every digit of a number', () => {
    const text = statusOf({ tank: { parts: ['A'] } }).replace(guidOf('A'), '18446744073709551557')
    expect(membersOf(parseTopology(text)![0]!)[0]!.leaf.guid).toBe('18446744073709551557')
})

it('is nothing where zpool is older, or says nothing', () => {
    expect(parseTopology("invalid option 'j'\nusage:\n")).toBeUndefined()
    expect(parseTopology('')).toBeUndefined()
    expect(parseTopology('{"output_version":{"command":"zpool status"},"pools":{}}')).toEqual([])
})

const disk = (id: string, more: object = {}) => ({
    ...{ id, system: false, removable: false, readOnly: false, blank: true, mountpoints: [], fingerprint: '' },
    ...{ words: '12 GiB, blank', ...more },
})

it('names what is not in the pool, and does nothing about it', () => {
    const { zfs } = storageSpec.parse({ zfs: { disks: ['/dev/a', '/dev/b'] } })
    const seen = [disk('/dev/a', { blank: false }), disk('/dev/b'), disk('/dev/c')]
    const found = unusedDisks(zfs, seen, ['/dev/a'])
    expect(found.map(({ code, detail }) => [code, detail])).toEqual([['disk-not-in-pool', '/dev/b, tank']])
    expect(found[0]!.fix).toContain('debvisor storage replace OLD /dev/b')
    const extra = storageSpec.parse({ zfs: {} }).zfs
    const more = [...seen, disk('/dev/stick', { removable: true }), disk('/dev/os', { system: true })]
    expect(unusedDisks(extra, more, ['/dev/a']).map(({ code, detail }) => [code, detail])).toEqual([
        ['disk-unused', '/dev/b (12 GiB, blank)'],
        ['disk-unused', '/dev/c (12 GiB, blank)'],
    ])
    expect(unusedDisks(extra, more, undefined)).toEqual([])
})
