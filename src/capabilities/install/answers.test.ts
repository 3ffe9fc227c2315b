// Files of answers, good and bad, against the schema of the whole document: every mistake at once, with its line.
import { describe, expect, it } from 'vitest'
import { answersChecks, answersSchema, type NodeDocument } from '../table.provision.ts'
import { MOST_BYTES, nodeTextOf, readAnswers } from './answers.ts'

const HASH = `$y$j9T$${'a'.repeat(22)}$${'b'.repeat(43)}`
const good = `# A node of the lab
profile: zfs
install:
  machine: any
  disks: [smallest]
  passwords:
    root: ${HASH}
    ann: ${HASH}
users:
  administrators: [{ name: ann }] # the only one
`
const read = (text: string) => readAnswers<NodeDocument>(text, answersSchema, answersChecks)
const told = (text: string) => {
    const { answers, findings } = read(text)
    if (answers) return 'good'
    return findings.map(({ line, at, code }) => `${line} ${at} ${code}`)
}

it('takes apart what is the node’s, with its comments, and what is the installer’s', () => {
    const { answers } = read(good)
    expect(answers!.nodeText).toBe(
        '# A node of the lab\nprofile: zfs\nusers:\n  administrators: [{ name: ann }] # the only one\n',
    )
    expect(answers!.document.install).toMatchObject({ machine: 'any', disks: ['smallest'], consent: [] })
    expect(answers!.document.node.hostname).toBe('debvisor')
})

it.each([
    ['at the end', 'profile: zfs\n# why\ninstall: { machine: any } # here', 'profile: zfs\n# why\n'],
    ['at the beginning', 'install:\n  machine: any\n  # more\n\n# then\nprofile: zfs\n', '\n# then\nprofile: zfs\n'],
    ['in one line', '{ profile: zfs, install: { machine: any } }\n', '{ profile: zfs }\n'],
    ['not at all', 'profile: zfs\n', 'profile: zfs\n'],
])('cuts out what is the installer’s %s', (_, text, left) => {
    expect(nodeTextOf(text).replace('  # more\n', '')).toBe(left)
})

it('needs six keys, no more', () => {
    const least = `profile: ceph\ninstall: { machine: any, disks: [smallest], passwords: { root: ${HASH} } }\n`
    expect(told(least)).toBe('good')
    expect(told('profile: ceph\n')).toEqual(['1 install invalid-value'])
    expect(told('profile: ceph\ninstall: {}\n')).toEqual([
        '2 install.machine invalid-value',
        '2 install.disks invalid-value',
    ])
})

describe('refuses', () => {
    it.each([
        ['an empty file', '', ['0  empty']],
        ['comments alone', '# nothing\n\n  # yet\n', ['0  empty']],
        ['a megabyte', `${good}# ${'x'.repeat(1024 ** 2)}`, ['0  too-large']],
        ['what is no text', `profile: zfs\n\0\0`, ['0  no-text']],
        ['what is no YAML', 'profile: [zfs\ninstall: }', expect.arrayContaining([expect.stringMatching(/ yaml$/)])],
        ['a sentence', 'install a node, please', ['1  invalid-value']],
        ['two documents', `${good}---\n${good}`, ['0  several-documents']],
        [
            'an unknown key',
            good.replace('disks:', 'disk:'),
            ['3 install.disks invalid-value', '5 install.disk unknown-key'],
        ],
        ['an unknown key of the node', `${good}nodes: {}\n`, ['11 nodes unknown-key']],
        ['a wrong type', good.replace('[smallest]', 'smallest'), ['5 install.disks invalid-value']],
        [
            'three disks',
            good.replace('[smallest]', '[smallest, smallest, smallest]'),
            ['5 install.disks invalid-value'],
        ],
        ['a machine that is none', good.replace('any', 'this'), ['4 install.machine invalid-value']],
        ['a card that is none', good.replace('any', '{ mac: 52:54 }'), ['4 install.machine.mac invalid-value']],
        ['a clear password', good.replace(HASH, 'open sesame'), ['7 install.passwords.root invalid-value']],
        ['an old hash', good.replace(HASH, '$1$ab$cdefgh'), ['7 install.passwords.root invalid-value']],
        [
            'a password of nobody',
            good.replace('    ann:', '    bob:'),
            ['8 install.passwords.bob no-such-account', '10 users.administrators[0] password-missing'],
        ],
        [
            'no password at all',
            'profile: zfs\ninstall: { machine: any, disks: [smallest] }\n',
            ['2 install.passwords password-missing'],
        ],
        [
            'a hash in a file of another machine',
            good.replace('name: ann', 'name: ann, passwordHash: { file: /h }'),
            ['10 users.administrators[0].passwordHash secret'],
        ],
        [
            'two first administrators',
            good.replace('  passwords', `  panel: { a: "${'x'}", b: "x" }\n  passwords`),
            ['6 install.panel.a invalid-value', '6 install.panel.b invalid-value', '6 install.panel invalid-value'],
        ],
    ])('%s', (_, text, findings) => expect(told(text)).toEqual(findings))

    it('never repeats a password', () => {
        const { findings } = read(good.replace(HASH, 'open sesame'))
        expect(JSON.stringify(findings)).not.toContain('sesame')
    })

    it('reads what is just not too large', () => {
        const filled = `${good}#${'x'.repeat(MOST_BYTES - good.length - 2)}\n`
        expect(told(filled)).toBe('good')
        expect(told(`${filled}x`)).toEqual(['0  too-large'])
    })
})
