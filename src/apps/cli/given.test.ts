// What is given on the command line: only that is changed, what is wrong is said before anything is done.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectError } from '../rpcd/errors.ts'
import { targetFor } from './connect.ts'
import { type FakeNode, fakeNode } from './testing/fake-node.ts'
import { rowsOf } from './views.ts'

let node: FakeNode
beforeAll(async () => {
    node = await fakeNode(connectError)
})
afterAll(() => node.close())
beforeEach(() => {
    node.calls.length = 0
})
const asked = async (line: string | string[]) => {
    const { code, err } = await node.run(line)
    expect([code, err]).toEqual([0, ''])
    return node.calls.at(-1)?.[1] as object
}

describe('a change says only what was given', () => {
    it('of the I/O limits of a disk; the others stay', async () => {
        expect(await asked('vm set-disk web1 vda --write-iops 50')).toMatchObject({
            revision: 'r1',
            limits: { readIops: 100n, writeIops: 50n, readBytesPerSecond: 1048576n, writeBytesPerSecond: 0n },
        })
        expect(await asked('vm set-disk web1 vda --read-rate 0')).toMatchObject({
            limits: { readIops: 100n, readBytesPerSecond: 0n },
        })
        const cache = await asked('vm set-disk web1 vda --cache none')
        expect(cache).toMatchObject({ cache: 'none' })
        expect(cache).not.toHaveProperty('limits')
    })

    it('of a VM', async () => {
        const { $typeName, ...notes } = (await asked('vm set web1 --notes x')) as { $typeName: string }
        expect(notes).toEqual({ vm: 'web1', revision: '', dryRun: false, notes: 'x' })
        expect(await asked('vm set web1 --no-tags')).toMatchObject({ tags: { tags: [] } })
        expect(await asked('vm set web1 --tag a --tag b')).toMatchObject({ tags: { tags: ['a', 'b'] } })
        const firmware = 'vm set web1 --secure-boot on --tpm off --machine q35 --guest-agent off --owner ben'
        expect(await asked(firmware)).toMatchObject({
            ...{ secureBoot: true, tpm: false, machine: 'q35', guestAgent: false, owner: 'ben' },
        })
        expect(await asked('vm set web1 --topology 1:4:2')).toMatchObject({
            cpu: { model: '', sockets: 1, cores: 4, threads: 2 },
        })
    })
})

it('a VM is made with all that the API has', async () => {
    const line =
        'vm create x --size 1G --cpu host-model --topology 2:2:1 --vcpus 4 --boot cdrom --boot disk --start-order 3 ' +
        '--start-delay 10 --notes n --no-agent --disk size=2G,discard=no,write-iops=5,read-rate=1M --disk 3G'
    expect(await asked(line)).toMatchObject({
        cpu: { model: 'host-model', sockets: 2, cores: 2, threads: 1 },
        ...{ bootOrder: ['cdrom', 'disk'], startOrder: 3, startDelaySeconds: 10, notes: 'n', noGuestAgent: true },
        disks: [
            { noDiscard: false },
            { noDiscard: true, limits: { writeIops: 5n, readBytesPerSecond: 1048576n, readIops: 0n } },
            { noDiscard: false, sizeBytes: 3221225472n },
        ],
    })
    expect(await asked('vm clone web1 web2 --description d --tag t')).toMatchObject({ description: 'd', tags: ['t'] })
})

describe('a value that is none', () => {
    it.each([
        ['vm shutdown web1 --deadline abc', '--deadline'],
        ['vm shutdown web1 --deadline 0', '--deadline'],
        ['vm shutdown-all --deadline 1e3', '--deadline'],
        ['audit list --limit abc', '--limit'],
        ['audit list --limit -1', '--limit'],
        ['task list --limit 1.5', '--limit'],
        ['token create x --days 400', '--days'],
        ['vm set web1 --topology 1:4', '--topology'],
        ['vm set web1 --topology 1:x:2', '--topology'],
        ['vm set web1 --tag a --no-tags', '--no-tags'],
        ['vm set-disk web1 vda --read-rate fast', '--read-rate'],
        ['vm create x --disk 1G,linked=maybe', '--disk'],
        ['login node1:8443', 'https://node1:8443'],
        ['login http://node1:8443', 'https://node1:8443'],
        ['vm list --server node1:8443', 'https://node1:8443'],
        ['vm list --server https://node1 --socket /x', 'by its socket or by HTTPS'],
        ['image import https://', 'not an address'],
        ['image import https://host/', 'no file name'],
    ])('%s ends with 1, says so, and calls nobody', async (line, words) => {
        const { code, err } = await node.run(line)
        expect([code, node.calls]).toEqual([1, []])
        expect(err).toContain(words)
        expect(err).not.toMatch(/NaN|Invalid URL|did not expect/)
    })

    it.each([
        ['vm list --state asleep', 'Allowed choices'],
        ['completion tcsh', 'Allowed choices'],
        ['grant create ben admin --tag a', 'Allowed choices'],
    ])('%s is none of the choices and ends with 64', async (line, words) => {
        const { code, err } = await node.run(line)
        expect([code, node.calls]).toEqual([64, []])
        expect(err).toContain(words)
    })
})

it('an import takes the name of its source, in the default pool of the node', async () => {
    expect(await asked('image import https://host/a/debian%2013.qcow2?x=1')).toMatchObject({
        pool: '',
        name: 'debian 13.qcow2',
    })
})

it('a log file that cannot be written is said before anything is done', async () => {
    const { code, err } = await node.run(['vm', 'start', 'web1', '--log-file', join(node.folder, 'nowhere/log')])
    expect([code, node.calls]).toEqual([1, []])
    expect(err).toContain('The log file cannot be written')
})

it('what is given on the line wins over the environment and the login', async () => {
    const folder = join(node.folder, 'debvisor')
    await mkdir(folder)
    await writeFile(
        join(folder, 'login.json'),
        JSON.stringify({ server: 'https://a:8443', token: 'mine', certificate: 'c' }),
    )
    await writeFile(join(folder, 'token'), 'other\n')
    const env = { XDG_CONFIG_HOME: node.folder, DEBVISOR_SOCKET: '/env' }
    const tokenFile = join(folder, 'token')
    expect(targetFor({}, env)).toEqual({ socket: '/env' })
    expect(targetFor({ socket: '/given' }, env)).toEqual({ socket: '/given' })
    expect(targetFor({ tokenFile }, env)).toEqual({ server: 'https://a:8443', token: 'other', certificate: 'c' })
    expect(targetFor({ server: 'https://a:8443/' }, env)).toMatchObject({ token: 'mine', certificate: 'c' })
    // A token is for the node that gave it.
    expect(targetFor({ server: 'https://b:8443' }, env)).toEqual({ server: 'https://b:8443', token: '' })
})

describe('watching', () => {
    it.each([
        ['image list', /taken\.qcow2[\s\S]+There is no image yet/],
        ['pool list', /default/],
        ['network list', /lan +active[\s\S]+lan +stopped/],
        ['task list', /running 50%[\s\S]+done/],
        ['network show lan', /Name +lan/],
        ['pool show default', /Name +default/],
        ['vm show web1', /Name +web1[\s\S]+Name +web1/],
        ['task show t-1', /Start web1/],
        ['vm stats web1', /50%[\s\S]+75%/],
    ])('%s shows each change until the stream ends', async (line, words) => {
        const { code, out } = await node.run(`${line} --watch`)
        expect(code).toBe(0)
        expect(out).toMatch(words)
    })

    it.each(['image list', 'network list', 'task list', 'vm list', 'vm show web1'])(
        '%s with --json is a line for each, and nothing else',
        async line => {
            const lines = (await node.run(`${line} --watch --json`)).out.trimEnd().split('\n')
            for (const one of lines) expect(Object.keys(JSON.parse(one))).not.toEqual([])
        },
    )
})

it('figures and what the guest says', async () => {
    expect((await node.run('vm stats web1')).out).toMatch(/CPU +25% of its vCPUs\nMemory +512 MiB of 1 GiB/)
    const { out } = await node.run('vm guest web1')
    expect(out).toMatch(/eth0 +192\.168\.122\.10/)
    expect(out).toMatch(/\/ +1 GiB of 3 GiB, ext4/)
})

it('a screenshot replaces no file unasked', async () => {
    const file = join(node.folder, 'shot.png')
    await writeFile(file, 'mine')
    expect((await node.run(['vm', 'screenshot', 'web1', file])).code).toBe(1)
    expect(await readFile(file, 'utf8')).toBe('mine')
    expect((await node.run(['vm', 'screenshot', 'web1', file, '--overwrite'])).code).toBe(0)
    expect(await readFile(file, 'utf8')).toBe('a picture')
    const { err } = await node.run(['vm', 'screenshot', 'web1', join(node.folder, 'nowhere/a.png')])
    expect(err).toContain('The file cannot be written')
})

it('a console that is fed from a pipe ends with it', async () => {
    expect((await node.run('vm console web1', { pipe: 'hello\n' })).code).toBe(0)
})

it('rows of a terminal count what wraps', () => {
    expect(rowsOf('abc\n\nabcdef\n', 4)).toBe(4)
    expect(rowsOf('\u001b[1mabcd\u001b[0m\n', 4)).toBe(1)
    expect(rowsOf('abc\nabcdef\n', 0)).toBe(2)
})
