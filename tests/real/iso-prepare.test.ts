// Answers in a copy of an ISO, by the real command and the real xorriso. The ISO is small, with what its shape needs:
// tests/iso boots the whole one.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../../scripts/stages.ts'
import { tool } from './world-cache.ts'

const run = promisify(execFile)
const HASH = `$6$saltsalt$${'a'.repeat(86)}`
const GOOD = `profile: zfs\ninstall: { machine: any, disks: [smallest], passwords: { root: ${HASH} } }\n`
let folder = ''
const at = (name: string) => join(folder, name)

async function debvisor(words: string[], input = '') {
    const argv = ['--import', 'tsx', 'src/apps/cli/main.ts', ...words]
    const running = run(process.execPath, argv, { cwd: root })
    running.child.stdin!.end(input)
    const child = running.catch((trouble: { code: number; stdout: string; stderr: string }) => trouble)
    const { stdout, stderr, ...rest } = await child
    return { code: 'code' in rest ? rest.code : 0, stdout, stderr }
}

beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dv-iso-'))
    await mkdir(at('tree/node'), { recursive: true })
    await writeFile(at('tree/node/node.squashfs'), 'x'.repeat(100_000))
    await mkdir(at('tree/live'))
    for (const name of ['vmlinuz-6.12-amd64', 'initrd.img-6.12-amd64', 'filesystem.squashfs'])
        await writeFile(at(`tree/live/${name}`), name)
    await writeFile(at('tree/boot.img'), Buffer.alloc(2048, 1))
    const boot = ['-b', 'boot.img', '-no-emul-boot', '-boot-load-size', '4']
    await tool([
        'xorriso',
        '-as',
        'mkisofs',
        '-quiet',
        '-J',
        '-r',
        '-V',
        'DebVisor 1',
        ...boot,
        '-o',
        at('in.iso'),
        at('tree'),
    ])
    await tool(['xorriso', '-as', 'mkisofs', '-quiet', '-o', at('other.iso'), at('tree/node')])
    await writeFile(at('good.yaml'), GOOD)
    await writeFile(at('bad.yaml'), GOOD.replace('zfs', 'raid'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const prepare = (iso: string, answers: string, output: string) =>
    debvisor(['iso', 'prepare', at(iso), '--answers', at(answers), '-o', at(output)])

it('has them on it, root’s alone by number, and boots as it did', async () => {
    const { code, stdout } = await prepare('in.iso', 'good.yaml', 'out.iso')
    expect(code).toBe(0)
    expect(stdout).toMatch(/out\.iso is written\. These answers are whole: one disk, profile zfs, for any machine\./)
    await tool(['xorriso', '-osirrox', 'on', '-indev', at('out.iso'), '-extract', '/debvisor/answers.yaml', at('read')])
    expect(await readFile(at('read'), 'utf8')).toBe(GOOD)
    const torito = (iso: string) => tool(['xorriso', '-indev', at(iso), '-report_el_torito', 'plain'])
    const images = (text: string) => text.split('\n').filter(line => /^El Torito (boot img|img path)/.test(line))
    const [before, after] = [images(await torito('in.iso')), images(await torito('out.iso'))]
    expect(before.length).toBeGreaterThan(0)
    expect(after.length).toBe(before.length)
    expect(await tool(['xorriso', '-indev', at('out.iso'), '-lsl', '/debvisor'])).toMatch(/-rw-------.* 0 +0 /)
}, 60_000)

it.each([
    ['answers with a mistake', 'in.iso', 'bad.yaml', /line 1: profile/],
    ['an ISO that is another’s', 'other.iso', 'good.yaml', /That is no ISO of DebVisor/],
    ['a file that is no ISO', 'good.yaml', 'good.yaml', /That is no ISO of DebVisor/],
    ['answers that are not there', 'in.iso', 'none.yaml', /The file cannot be read/],
])(
    'refuses %s, and writes nothing',
    async (_, iso, answers, words) => {
        const { code, stderr } = await prepare(iso, answers, 'refused.iso')
        expect([code, stderr]).toEqual([1, expect.stringMatching(words)])
        expect(existsSync(at('refused.iso'))).toBe(false)
    },
    60_000,
)

it('never writes over a file', async () => {
    await writeFile(at('there.iso'), 'mine')
    expect((await prepare('in.iso', 'good.yaml', 'there.iso')).stderr).toMatch(/There is something already/)
    expect(await readFile(at('there.iso'), 'utf8')).toBe('mine')
}, 60_000)

it('the hashes that it prints are those that answers take', async () => {
    const typed = 'glacier tulip marzipan\nglacier tulip marzipan\n'
    const { stdout } = await debvisor(['iso', 'password', 'ann', '--panel'], typed)
    expect(stdout).not.toContain('marzipan')
    const lines = stdout
        .trimEnd()
        .split('\n')
        .map(line => `  ${line}\n`)
    const text = `profile: zfs\ninstall:\n  machine: any\n  disks: [smallest]\n${lines.join('')}users: { administrators: [{ name: ann }] }\n`
    await writeFile(at('ann.yaml'), text)
    expect((await debvisor(['iso', 'validate', at('ann.yaml')])).stderr).toBe('')
    // The library that checks logins agrees on what the hash is of.
    const hash = /ann: (\$6\$\S+)/.exec(stdout)![1]!
    const crypt = ['perl', '-e', 'print crypt($ARGV[0], $ARGV[1])', 'glacier tulip marzipan', hash]
    expect(await tool(crypt)).toBe(hash)
}, 60_000)

describe('what machines boot over the network', () => {
    const netboot = (iso: string, url: string, output: string, ...more: string[]) =>
        debvisor(['iso', 'netboot', at(iso), '--url', url, '-o', at(output), ...more])
    const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex')

    it('is taken from the ISO, and each file is named with its checksum', async () => {
        const { code, stdout } = await netboot('in.iso', 'http://10.0.0.2/dv/', 'net', '--answers', at('good.yaml'))
        expect(code).toBe(0)
        expect(stdout).toContain('Let machines boot http://10.0.0.2/dv/boot.ipxe.')
        expect(await readFile(at('net/vmlinuz'), 'utf8')).toBe('vmlinuz-6.12-amd64')
        expect(await readFile(at('net/initrd.img'), 'utf8')).toBe('initrd.img-6.12-amd64')
        expect(await readFile(at('net/answers.yaml'), 'utf8')).toBe(GOOD)
        const script = await readFile(at('net/boot.ipxe'), 'utf8')
        for (const [name, word] of [
            ['live.squashfs', 'debvisor.live.sha256'],
            ['node.squashfs', 'debvisor.image.sha256'],
            ['answers.yaml', 'debvisor.sha256'],
        ]) {
            expect(script).toContain(`http://10.0.0.2/dv/${name}`)
            expect(script).toContain(`${word}=${sha256(await readFile(at(`net/${name}`)))}`)
        }
    })

    it('has no entry that asks nothing where there are no answers', async () => {
        expect((await netboot('in.iso', 'https://example.org/dv', 'asks')).code).toBe(0)
        expect(await readFile(at('asks/boot.ipxe'), 'utf8')).not.toContain('automatic')
        expect(existsSync(at('asks/answers.yaml'))).toBe(false)
    })

    it.each([
        ['another ISO', 'other.iso', 'http://10.0.0.2/dv', [], /no ISO of DebVisor/],
        ['an address with a password', 'in.iso', 'http://ann:secret@10.0.0.2/dv', [], /no address of a folder/],
        ['no address', 'in.iso', '10.0.0.2/dv', [], /no address of a folder/],
        ['wrong answers', 'in.iso', 'http://10.0.0.2/dv', ['--answers', 'bad.yaml'], /profile/],
    ])('%s is refused, and leaves nothing', async (_, iso, url, more, words) => {
        const files = more.map(word => (word.startsWith('-') ? word : at(word)))
        const { code, stderr } = await netboot(iso, url, 'refused', ...files)
        expect(code).toBe(1)
        expect(stderr).toMatch(words)
        expect(existsSync(at('refused'))).toBe(false)
    })

    it('is never written over something', async () => {
        await mkdir(at('there'))
        const { code, stderr } = await netboot('in.iso', 'http://10.0.0.2/dv', 'there')
        expect(code).not.toBe(0)
        expect(stderr).toContain('There is something already where the files would be written')
    })
})
