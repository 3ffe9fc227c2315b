// Patterns of permissions: what holds what, tried with many.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allows, checkPattern, matches, ROLES, roleNamed, within } from './permissions.ts'

const word = fc.constantFrom('vm', 'image', 'task', 'audit', 'identity', 'view', 'power', 'pools')
const permission = fc.tuple(word, word).map(([family, verb]) => `${family}.${verb}`)
const pattern = fc.oneof(
    fc.constant('*'),
    word.map(family => `${family}.*`),
    word.map(verb => `*.${verb}`),
    permission,
)

describe('patterns', () => {
    test.each([
        ['*', 'vm.view', true],
        ['vm.*', 'vm.view', true],
        ['vm.*', 'vmx.view', false],
        ['vm.*', 'image.view', false],
        ['*.view', 'audit.view', true],
        ['*.view', 'vm.viewer', false],
        ['*.view', 'vm.power', false],
        ['vm.view', 'vm.view', true],
        ['vm.view', 'vm.view.more', false],
        ['vm.*', 'vm.a.b', false],
        ['vm.view', '*', false],
        ['', 'vm.view', false],
        ['vm.*', '', false],
        ['vm', 'vm.view', false],
        ['VM.*', 'vm.view', false],
    ])('%s holds %s: %s', (outer, inner, expected) => expect(matches(outer, inner)).toBe(expected))

    test('what lies within a scope is held by it, whatever the two are', () => {
        fc.assert(
            fc.property(fc.array(pattern, { minLength: 1 }), fc.array(pattern), permission, (scope, inner, asked) => {
                if (within(scope, inner) && allows(inner, asked)) expect(allows(scope, asked)).toBe(true)
            }),
        )
    })

    test('an exclusion wins over whatever gives', () => {
        fc.assert(
            fc.property(fc.array(pattern), permission, (given, asked) => {
                expect(allows([...given, `!${asked}`], asked)).toBe(false)
                expect(allows([`!${asked}`, ...given, '*'], asked)).toBe(false)
            }),
        )
    })

    test('no pattern at all holds nothing', () => {
        fc.assert(fc.property(permission, asked => void expect(allows([], asked)).toBe(false)))
    })

    test('an empty scope does not limit, and an empty wish is wider than any scope', () => {
        expect(within([], ['*'])).toBe(true)
        expect(within(['vm.*'], [])).toBe(false)
        expect(within(['vm.*'], ['vm.view', 'vm.power'])).toBe(true)
        expect(within(['vm.*'], ['*.view'])).toBe(false)
        expect(within(['*.view'], ['vm.*'])).toBe(false)
    })

    test.each(['', '**', '*.*', 'vm', 'vm.', '.view', 'vm.view.x', '!vm.view', 'VM.view', 'vm.v*', 'a b.c'])(
        '%j cannot be in a scope',
        text => expect(() => checkPattern(text, 'scope')).toThrow(expect.objectContaining({ code: 'invalid' })),
    )
})

describe('roles', () => {
    const may = (role: string, asked: string) => allows(roleNamed(role).permissions, asked)
    test.each([
        ['admin', 'identity.manage vm.raw image.pools anything.new', true],
        [
            'operator',
            'vm.create vm.delete console.open image.manage image.view network.view network.bridge task.cancel node.view',
            true,
        ],
        ['operator', 'vm.raw vm.host image.pools network.manage identity.view audit.view node.manage', false],
        ['operator', 'container.create container.expose stack.update', true],
        ['operator', 'container.host container.registries', false],
        ['host-operator', 'container.host container.create stack.update vm.create task.cancel', true],
        ['host-operator', 'container.registries vm.raw vm.host image.pools identity.view node.manage', false],
        ['viewer', 'container.host container.expose stack.expose', false],
        ['viewer', 'vm.view image.view task.view node.view network.view', true],
        ['viewer', 'vm.power console.open audit.view identity.view task.cancel image.download network.bridge', false],
        ['auditor', 'audit.view audit.verify identity.view task.view vm.view node.view', true],
        ['auditor', 'vm.power identity.manage console.open task.cancel', false],
    ])('%s: %s → %s', (role, list, expected) => {
        for (const asked of list.split(' ')) expect([asked, may(role, asked)]).toEqual([asked, expected])
    })

    test('what reaches beyond one VM cannot be given on one', () => {
        expect(ROLES.filter(role => role.grantable).map(role => role.name)).toEqual([
            'operator',
            'host-operator',
            'viewer',
        ])
    })
})
