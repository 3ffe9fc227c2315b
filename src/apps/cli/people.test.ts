// Plans of what is no task, consent for what is replaced, and who may be meant on the command line.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectError } from '../rpcd/errors.ts'
import { type FakeNode, fakeNode } from './testing/fake-node.ts'

let node: FakeNode
beforeAll(async () => {
    node = await fakeNode(connectError)
    await writeFile(join(node.folder, 'taken.qcow2'), 'x')
})
afterAll(() => node.close())
beforeEach(() => {
    node.calls.length = 0
})
const changing = () => node.calls.filter(([, request]) => !(request as { dryRun?: boolean }).dryRun)

describe('what an overwrite destroys', () => {
    const lines = (): [string, string[]][] => [
        ['import', 'image import https://host/a.qcow2 default/taken.qcow2 --overwrite'.split(' ')],
        ['convert', 'image convert default/a.vmdk default/taken.qcow2 --overwrite'.split(' ')],
        ['upload', ['image', 'upload', join(node.folder, 'taken.qcow2'), 'default/taken.qcow2', '--overwrite']],
        ['upload to the default pool', ['image', 'upload', join(node.folder, 'taken.qcow2'), '--overwrite']],
    ]

    it.each([0, 1, 2, 3])('is not destroyed without consent (%i)', async at => {
        const [, line] = lines()[at]!
        const { code, err } = await node.run(line)
        expect(code).toBe(3)
        expect(err).toContain('This destroys volume:default/taken.qcow2')
        expect((await node.run(line, { terminal: 'yes\n' })).code).toBe(3)
        expect(changing()).toEqual([])
    })

    it.each([0, 1])('is destroyed with it (%i)', async at => {
        const [method, line] = lines()[at]!
        expect((await node.run(line, { terminal: 'default/taken.qcow2\n' })).code).toBe(0)
        expect(changing().map(([name]) => name)).toEqual([method])
    })

    it('is nothing where nothing is in the way', async () => {
        expect((await node.run('image import https://host/a.qcow2 default/a.qcow2 --overwrite')).code).toBe(0)
    })
})

describe('a plan', () => {
    it.each([
        ['user create zoe --role viewer', 'Make the user zoe with the role viewer'],
        ['user set ben --role viewer', 'Change the user ben: role viewer'],
        ['user delete ben', 'Delete the user ben'],
        ['token create backup --user ann --days 30', 'Make the token backup for ann, for 30 days'],
        ['token delete tok1', 'Delete the token tok1 (backup) of ann'],
        ['grant create ben viewer --vm web1', 'Give ben the role viewer on VM web1'],
        ['grant delete g1', 'Take from ben the role operator on tag shop'],
        ['session delete --user ann', 'End the one session that ann has'],
        ['session delete s1', 'End the session s1 of ann'],
        ['task cancel t-1', 'Cancel Start web1'],
    ])('%s says what would be done, does nothing, and --check ends with 2', async (line, words) => {
        const { code, out } = await node.run(`${line} --dry-run`)
        expect([code, node.calls]).toEqual([0, []])
        expect(out).toContain(`Would be done:\n`)
        expect(out).toContain(words)
        expect((await node.run(`${line} --check`)).code).toBe(2)
    })

    it.each([
        'user set ben',
        'user set ann --role admin',
        'grant create ben operator --tag shop',
        'session delete',
        'session delete --user ben',
        'task cancel t-ended',
    ])('%s is nothing to do, and --check ends with 0', async line => {
        const { code, out } = await node.run(`${line} --check`)
        expect([code, out, node.calls]).toEqual([0, 'Nothing to do.\n', []])
    })

    it.each([
        ['user create Zoe', 'That user name cannot be used'],
        ['user create root', 'That user name cannot be used'],
        ['user create ann', 'There is a user of that name'],
        ['user set nobody1 --lock on', 'There is no such user'],
        ['user delete nobody1', 'There is no such user'],
        ['user first-login', 'There is an administrator already'],
        ['token create x', 'Root has no tokens'],
        ['token create x --user nobody1', 'There is no such user'],
        ['token create x --user ann --scope vm..view', 'That is not a permission'],
        ['token create x --user ann --days abc', 'That is not a whole number'],
        ['token delete tok9', 'There is no such token'],
        ['grant create nobody1 viewer --tag a', 'There is no such user'],
        ['grant create ben viewer --vm web9', 'There is no such VM'],
        ['grant create ben viewer', 'A grant is on one VM or on one tag'],
        ['grant delete g9', 'There is no such grant'],
        ['session delete s9', 'There is no such session'],
    ])('%s fails as the change would', async (line, words) => {
        const { code, err } = await node.run(`${line} --dry-run`)
        expect(code).toBe(1)
        expect(err).toContain(words)
        expect(node.calls).toEqual([])
    })
})

it('a grant on a VM names it by its UUID', async () => {
    await node.run('grant create ben viewer --vm web1')
    expect(node.calls).toMatchObject([['addGrant', { vm: '6f1f7c1e-0d3c-4c3e-9a53-0f6b6f6f0001' }]])
})

it('all sessions end only when somebody agrees', async () => {
    expect((await node.run('session delete --user ann')).code).toBe(3)
    expect(node.calls).toEqual([])
    expect((await node.run('session delete --user ann --yes')).out).toBe('One session is ended.\n')
})

it('a user dies only when the name is typed', async () => {
    expect((await node.run('user delete ben', { terminal: 'ann\n' })).code).toBe(3)
    expect((await node.run('user delete ben', { terminal: 'ben\n' })).code).toBe(0)
})

it("one's own password is not changed where one is root", async () => {
    const { code, err } = await node.run('user password', { pipe: 'a\nb\n' })
    expect(code).toBe(1)
    expect(err).toContain('debvisor user set NAME --password')
})

describe('the second factor', () => {
    it('of somebody else is taken away only when somebody agrees', async () => {
        expect((await node.run('factor reset ann')).code).toBe(3)
        expect(node.calls).toEqual([])
        expect((await node.run('factor reset ann --yes')).out).toContain('The second factor of ann is taken away.')
        expect(node.calls).toMatchObject([['resetFactor', { user: 'ann' }]])
        expect((await node.run('factor reset ben')).out).toContain('ben has no second factor.')
    })

    it('is needed by the roles that are named, and what is no role is refused before anything is sent', async () => {
        expect((await node.run('factor policy')).out).toBe('A second factor is needed by: admin\n')
        expect((await node.run('factor policy --require admin,operator')).code).toBe(0)
        expect((await node.run('factor policy --require none')).code).toBe(0)
        expect(node.calls).toMatchObject([
            ['setFactorPolicy', { roles: ['admin', 'operator'] }],
            ['setFactorPolicy', { roles: [] }],
        ])
        const { code, err } = await node.run('factor policy --require wizards')
        expect(code).toBe(1)
        expect(err).toContain('There is no such role')
    })

    it.each(['enrol', 'codes', 'remove'])('is not one’s own where one is root (%s)', async verb => {
        const { code, err } = await node.run(`factor ${verb}`, { pipe: 'a\nb\n' })
        expect(code).toBe(1)
        expect(err).toContain('--server https://NODE:8443 --user NAME')
    })
})
