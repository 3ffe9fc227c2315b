// Documents with mistakes: each is told with its path, its line and what to do; and what `init` writes can be read again.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { readDocument } from './document.ts'
import { sampleOf } from './sample.ts'

const schema = z.strictObject({
    profile: z.enum(['ceph', 'zfs']).describe('What things are stored on.'),
    node: z
        .strictObject({
            hostname: z.string().default('debvisor').describe('Its name.'),
            servers: z
                .array(z.strictObject({ name: z.string() }))
                .default([])
                .describe('Servers.'),
        })
        .prefault({})
        .describe('The machine.'),
})

const told = (text: string) =>
    readDocument(text, schema).findings.map(({ line, at, code, fix }) => `${line} ${at} ${code} ${fix}`)

describe('a document', () => {
    it('is read with its defaults', () => {
        expect(readDocument('profile: zfs', schema)).toEqual({
            document: { profile: 'zfs', node: { hostname: 'debvisor', servers: [] } },
            findings: [],
        })
    })

    it('has its unknown keys told with what was probably meant, in their lines', () => {
        expect(told('profile: zfs\nnode:\n  hostnam: x\n  servers:\n    - name: a\n      nmae: b\n')).toEqual([
            '6 node.servers[0].nmae unknown-key Did you mean name?',
            '3 node.hostnam unknown-key Did you mean hostname?',
        ])
        expect(told('profile: zfs\nzzzzzzzz: 1\n')).toEqual([
            '2 zzzzzzzz unknown-key The keys here are: profile, node.',
        ])
    })

    it('has every wrong value told, not the first', () => {
        expect(told('profile: zsf\nnode:\n  hostname: 5\n  servers: a\n')).toEqual([
            '1 profile invalid-value Use one of: ceph, zfs.',
            '3 node.hostname invalid-value See: debvisor node schema, or the reference of node.yaml.',
            '4 node.servers invalid-value Write a list: each item on a line of its own after a dash.',
        ])
    })

    it('that is no YAML has its line told', () => {
        expect(told('profile: zfs\nnode:\n\thostname: x\n')[0]).toMatch(/^3 {2}yaml/)
        expect(told('- 1\n')[0]).toMatch(/^1 .*invalid-value/)
        expect(told('')[0]).toMatch(/profile invalid-value/)
    })

    it('has the findings of checks told with their lines', () => {
        const check = () => [{ severity: 'error' as const, code: 'x', at: 'node.servers[0].name', summary: 's' }]
        const text = 'profile: zfs\nnode:\n  servers:\n    - name: a\n'
        expect(readDocument(text, schema, [check])).toMatchObject({ findings: [{ line: 4 }] })
    })
})

describe('a sample', () => {
    it('has every key with its words, and can be read again', () => {
        const text = sampleOf(schema, { profile: 'zfs', node: { hostname: 'n1' } })
        expect(text).toBe(
            [
                '# What things are stored on. One of: ceph, zfs.',
                'profile: zfs',
                '',
                '# The machine.',
                'node:',
                '  # Its name.',
                '  hostname: n1',
                '  # Servers.',
                '  # servers: []',
                '',
            ].join('\n'),
        )
        expect(readDocument(text, schema).document).toMatchObject({ node: { hostname: 'n1' } })
    })
})
