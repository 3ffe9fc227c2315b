// What completion offers at a cursor, also where the text is only half there.
import { describe, expect, it } from 'vitest'
import { choicesAt, placeAt, type Schema } from './yaml-place.ts'

const schema: Schema = {
    properties: {
        profile: { enum: ['ceph', 'zfs', 'mixed'], description: 'What VMs are stored on.' },
        node: {
            properties: {
                hostname: { type: 'string' },
                updates: { type: 'string', enum: ['security', 'none'], default: 'security' },
            },
        },
        users: {
            properties: {
                admins: {
                    type: 'array',
                    items: { properties: { name: { type: 'string' }, sudo: { type: 'boolean' } } },
                },
            },
        },
        storage: {
            anyOf: [{ properties: { disks: { items: { type: 'string', enum: ['auto'] } } } }, { type: 'null' }],
        },
    },
}
/** The labels at the bar. */
const at = (text: string) => {
    const place = placeAt(text.split('|')[0]!)
    return place && choicesAt(schema, place).map(one => one.label)
}

describe('keys', () => {
    it('of the top', () => {
        expect(at('|')).toEqual(['profile', 'node', 'users', 'storage'])
        expect(at('pro|')).toContain('profile')
    })
    it('not those that stand already', () => {
        expect(at('profile: zfs\nnode:\n  hostname: a\n|')).toEqual(['users', 'storage'])
    })
    it('of a block, whatever stands before it', () => {
        expect(at('profile: zfs\n\n# words: here\nnode:\n  hostname: a\n  |')).toEqual(['updates'])
    })
    it('begins an item where a list belongs', () => {
        expect(at('users:\n  admins:\n    |')).toEqual(['-'])
    })
    it('of an item of a list, indented or not', () => {
        expect(at('users:\n  admins:\n    - |')).toEqual(['name', 'sudo'])
        expect(at('users:\n  admins:\n    - name: ada\n      |')).toEqual(['sudo'])
        expect(at('users:\n  admins:\n  - name: ada\n    |')).toEqual(['sudo'])
        expect(at('users:\n  admins:\n    - name: ada\n    - |')).toEqual(['name', 'sudo'])
    })
    it('bring their colon, and a blank where a value follows on the line', () => {
        const keys = choicesAt(schema, placeAt('')!)
        expect(keys.map(one => one.apply)).toEqual(['profile: ', 'node:', 'users:', 'storage:'])
        expect(keys[0]).toMatchObject({ detail: 'choice', info: 'What VMs are stored on. (ceph, zfs, mixed)' })
    })
})

describe('values', () => {
    it('of a choice, a switch and a list, with the default named', () => {
        expect(at('profile: |')).toEqual(['ceph', 'zfs', 'mixed'])
        expect(at('node:\n  updates: se|')).toEqual(['security', 'none'])
        expect(choicesAt(schema, placeAt('node:\n  updates: ')!)[0]!.detail).toBe('default')
        expect(at('users:\n  admins:\n    - sudo: |')).toEqual(['true', 'false'])
        expect(at('storage:\n  disks:\n    - |')).toEqual(['auto'])
    })
    it('none for what may be any text', () => {
        expect(at('node:\n  hostname: |')).toEqual([])
    })
})

it('offers nothing in comments, in the middle of words, and under keys that do not exist', () => {
    expect(at('# prof|')).toBeUndefined()
    expect(at('node: # |')).toBeUndefined()
    expect(at('node:\n  hostname: two words|')).toBeUndefined()
    expect(at('nothing:\n  |')).toEqual([])
})
