// The list of disks in a document: only the disk changes, in whatever way people wrote the list.
import { expect, it } from 'vitest'
import { disksIn, withAdded, withReplaced } from './disk-list.ts'

const PATH = ['storage', 'zfs', 'disks']
const lists = {
    block: 'storage:\n  zfs:\n    disks: # two\n      - /dev/a # left\n      - "/dev/b"\n    layout: mirror\n',
    flow: 'storage: { zfs: { disks: [/dev/a, /dev/b], layout: mirror } }\n',
    'block at the end': 'storage:\n  zfs:\n    disks:\n    - /dev/a\n    - /dev/b',
}

it.each(Object.entries(lists))('is changed in place: %s', (_, text) => {
    expect(disksIn(text, PATH)).toEqual(['/dev/a', '/dev/b'])
    const replaced = withReplaced(text, PATH, { old: '/dev/b', new: '/dev/c' })
    expect(disksIn(replaced, PATH)).toEqual(['/dev/a', '/dev/c'])
    expect(replaced.replace('/dev/c', '/dev/b')).toBe(text.replace('"/dev/b"', '/dev/b'))
    const added = withAdded(text, PATH, ['/dev/b', '/dev/c', '/dev/d'])
    expect(disksIn(added, PATH)).toEqual(['/dev/a', '/dev/b', '/dev/c', '/dev/d'])
    expect(added.includes('layout: mirror')).toBe(text.includes('layout: mirror'))
    expect(added.includes('# left')).toBe(text.includes('# left'))
    expect(withAdded(added, PATH, ['/dev/c'])).toBe(added)
})

it('stays as it is where there is none', () => {
    for (const text of [
        'profile: zfs\n',
        'storage: { zfs: { disks: extra } }\n',
        'storage: { zfs: { disks: [] } }\n',
        '',
    ]) {
        expect(withReplaced(text, PATH, { old: '/dev/a', new: '/dev/b' })).toBe(text)
        expect(withAdded(text, PATH, ['/dev/a'])).toBe(text)
    }
    expect(withReplaced(lists.flow, PATH, { old: '/dev/x', new: '/dev/y' })).toBe(lists.flow)
})
