// The verbs of the document over the API: the same words as on the node itself, and never without a password.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { connectError } from '../../capabilities/problem.ts'
import { type FakeNode, fakeNode } from './testing/fake-node.ts'
import { PASSWORD } from './testing/fake-provision.ts'

let node: FakeNode
beforeAll(async () => {
    node = await fakeNode(connectError)
})
afterAll(() => node.close())
beforeEach(() => {
    node.calls.length = 0
})
const run = (line: string, typed = {}) => node.run(`${line} --socket ${node.socket}`, typed)
const asked = (name: string) => node.calls.filter(([call]) => call === name).map(([, request]) => request)
async function fileOf(text: string): Promise<string> {
    const path = join(node.folder, 'node.yaml')
    await writeFile(path, text)
    return path
}

it('plans what stands on the node, or a file; --check ends with 2', async () => {
    const { out, code } = await run('node plan')
    expect([out, code]).toEqual(['Pool:\n  > Make the pool\n', 0])
    expect(asked('plan')).toMatchObject([{ text: 'note: on the node\n' }])
    const file = await fileOf('note: mine\n')
    await run(`node plan --file ${file}`)
    expect(asked('plan')[1]).toMatchObject({ text: 'note: mine\n' })
    expect((await run('node apply --check')).code).toBe(2)
    expect(asked('apply')).toEqual([])
})

it('applies what was shown, with the password that is asked for', async () => {
    const { out, err, code } = await run('node apply --yes', { pipe: `${PASSWORD}\n` })
    expect([out, code]).toEqual(['Done. The machine is what its document says.\n', 0])
    expect(err).toContain('> Make the pool')
    expect(asked('apply')).toMatchObject([
        { text: 'note: on the node\n', hash: 'hash of note: on the node', destroy: [], confirmationToken: 'proof' },
    ])
    expect(JSON.stringify(node.calls.filter(([name]) => name !== 'confirm'))).not.toContain(PASSWORD)
})

it('does nothing with a wrong password, without one, and without a yes', async () => {
    expect(await run('node apply --yes', { pipe: 'wrong\n' })).toMatchObject({ code: 1 })
    expect(await run('node apply --yes', { pipe: '' })).toMatchObject({ code: 1 })
    expect(await run('node apply', { pipe: `${PASSWORD}\n` })).toMatchObject({ code: 3 })
    expect(asked('apply')).toEqual([])
})

it('takes a disk only by its name, or leaves it', async () => {
    const file = await fileOf('disk: a\n')
    const target = 'disk:/dev/disk/by-id/ata-A'
    const refused = await run(`node apply ${file} --yes`, { pipe: `${PASSWORD}\n` })
    expect(refused).toMatchObject({ code: 3, err: expect.stringContaining(`--destroy ${target}`) })
    await run(`node apply ${file} --yes --destroy ${target}`, { pipe: `${PASSWORD}\n` })
    await run(`node apply ${file} --yes --leave-withheld`, { pipe: `${PASSWORD}\n` })
    expect(asked('apply')).toMatchObject([
        { destroy: [target], leaveWithheld: false, hash: `hash of disk: a ${target}` },
        { destroy: [], leaveWithheld: true },
    ])
})

it('says the hash of a plan that was saved, and takes no other file for one', async () => {
    const out = join(node.folder, 'plan.json')
    await run(`node plan --out ${out}`)
    expect(JSON.parse(await readFile(out, 'utf8'))).toMatchObject({ hash: 'hash of note: on the node' })
    const file = await fileOf('note: other\n')
    await run(`node apply ${file} --yes --plan ${out}`, { pipe: `${PASSWORD}\n` })
    expect(asked('apply')).toMatchObject([{ text: 'note: other\n', hash: 'hash of note: on the node' }])
    expect(await run(`node apply --yes --plan ${file}`)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/saved plan/),
    })
})

it('verifies, tells the status and the history, drafts and takes back', async () => {
    expect(await run('node verify')).toMatchObject({ code: 2, out: expect.stringContaining('  pool: Make the pool') })
    expect((await run('node status')).out).toMatch(/Now +debvisor node apply\nLast apply +2026-a: interrupted, 3 done/)
    expect((await run('node history')).out).toMatch(/2026-a .*ada +interrupted +3 +1/)
    expect((await run('node history 2026-a')).out).toBe('  done    Make the pool\nIt ended: interrupted\n')
    expect((await run('node history 2026-a --verbose')).out).toContain('| zpool ended with 0')
    expect((await run('node init --profile ceph')).out).toContain('profile: ceph')
    await run('node rollback 2026-a --yes', { pipe: `${PASSWORD}\n` })
    expect(asked('rollback')).toMatchObject([{ apply: '2026-a', hash: 'hash of note', confirmationToken: 'proof' }])
})
