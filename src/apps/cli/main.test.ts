// The command line as a person and a script meet it: words in, text or JSON out, and an exit code.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { topics, verbs } from '../../capabilities/table.verbs.ts'
import { State } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { connectError } from '../rpcd/errors.ts'
import { allVerbs } from './main.ts'
import { program } from './parse.ts'
import { type FakeNode, fakeNode } from './testing/fake-node.ts'
import { displayWidth, harmless } from './views.ts'

let node: FakeNode
beforeAll(async () => {
    node = await fakeNode(connectError)
})
afterAll(() => node.close())
beforeEach(() => {
    node.calls.length = 0
})
const run = (line: string, answer?: string) => node.run(line, answer === undefined ? {} : { terminal: `${answer}\n` })

describe('looking', () => {
    it('shows a table for people', async () => {
        const { code, out } = await run('vm list')
        expect(code).toBe(0)
        expect(out).toContain('NAME')
        expect(out).toMatch(/web1 +running +2 +2 GiB +42% +default/)
    })

    it('shows JSON for programs', async () => {
        const { out } = await run('vm list --json')
        expect(JSON.parse(out).vms[0]).toMatchObject({ name: 'web1', state: 'RUNNING', memoryBytes: '2147483648' })
    })

    it('lets no name talk to the terminal', async () => {
        expect((await run('vm list')).out).not.toContain('\u001b')
    })

    it('passes filters on', async () => {
        await run('vm list --state running --tag prod')
        expect(node.calls[0]).toMatchObject(['list', { states: [State.RUNNING], tag: 'prod' }])
    })

    it('watches until the stream ends', async () => {
        expect((await run('vm list --watch')).out).toContain('web1')
    })
})

describe('changing', () => {
    it('follows the task and ends with 0', async () => {
        expect(await run('vm start web1')).toMatchObject({ code: 0, err: '' })
    })

    it('ends with 1 and the words of the task that failed', async () => {
        expect(await run('vm start bad')).toMatchObject({ code: 1, err: 'The VM has no disk: bad\nAdd one.\n' })
    })

    it('tells what is wrong and what to do', async () => {
        expect(await run('vm start gone')).toMatchObject({
            code: 1,
            err: 'There is no such VM: gone\nList them with: debvisor vm list\n',
        })
    })

    it('tells it as data with --json', async () => {
        expect(JSON.parse((await run('vm start gone --json')).err)).toMatchObject({
            error: { code: 'not-found', detail: 'gone' },
        })
    })

    it('--dry-run shows the plan and changes nothing', async () => {
        const { code, out } = await run('vm start web1 --dry-run')
        expect([code, out]).toEqual([0, 'Would be done:\n  · Start web1\n'])
        expect(node.calls.every(([, request]) => (request as { dryRun?: boolean }).dryRun)).toBe(true)
    })

    it('--check ends with 2 when there is something to do', async () => {
        expect((await run('vm start web1 --check')).code).toBe(2)
    })

    it('--no-wait says how to follow', async () => {
        expect((await run('vm start web1 --no-wait')).err).toContain('debvisor task follow t-1')
    })
})

describe('consent', () => {
    it('without a terminal and --yes nothing dies, and the code is 3', async () => {
        const { code, out, err } = await run('vm delete web1 --disks')
        expect(code).toBe(3)
        expect(err).toContain('destroys disk:default/web1.qcow2')
        expect(out + err).toContain('--yes')
        expect(node.calls.filter(([, r]) => !(r as { dryRun: boolean }).dryRun)).toEqual([])
    })

    it('the name has to be typed', async () => {
        expect((await run('vm delete web1 --disks', 'web2')).code).toBe(3)
        expect((await run('vm delete web1 --disks', 'web1')).code).toBe(0)
    })

    it('--yes agrees', async () => {
        expect((await run('vm delete web1 --disks --yes')).code).toBe(0)
    })
})

describe('a wrong command line', () => {
    it.each([
        ['vm frobnicate', 'unknown command'],
        ['vm start', 'missing required argument'],
        ['vm list --colour', 'unknown option'],
        ['vm list --state asleep', 'Allowed choices'],
    ])('%s ends with 64 and says so', async (line, words) => {
        const { code, err } = await run(line)
        expect(code).toBe(64)
        expect(err).toContain(words)
    })

    it.each([
        'vm create x',
        'vm create x --size 10apples',
        'vm create x --size 1G --vcpus -1',
        'vm create x --size 1G --vcpus 1.5',
    ])('%s node.calls nobody', async line => {
        const { code, err } = await run(line)
        expect([code, node.calls]).toEqual([1, []])
        expect(err.split('\n').length).toBeGreaterThanOrEqual(2)
    })

    it('no daemon is said in words', async () => {
        const { code, err } = await run('vm list --socket /nonexistent/sock')
        expect(code).toBe(1)
        expect(err).toMatch(/not running here.*\n.*make run/)
    })
})

/** Of every file that has verbs; none of them is run. */
const everyVerb = () =>
    allVerbs({ stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough(), env: {} })

describe('what is made from the verbs', () => {
    it('has help with at least one example for every verb', async () => {
        for (const verb of everyVerb().filter(v => !v.hidden)) {
            const command = [verb.words[0], verb.words.slice(1).join('-')].filter(Boolean)
            const { code, out } = await node.run([...command, '--help'])
            expect([command, code]).toEqual([command, 0])
            expect(out).toContain('Usage: debvisor')
            expect([command, verb.examples?.length ?? 0]).not.toEqual([command, 0])
            for (const example of verb.examples!) {
                expect(out).toContain(example.line)
                expect(example.line).toMatch(new RegExp(`^debvisor ${command.join(' ')}\\b`))
            }
        }
        // The whole command line is built for each of them: on a busy machine that takes its time.
    }, 60_000)

    it('has only examples that can be read as a command line', async () => {
        for (const verb of everyVerb().filter(v => !v.hidden)) {
            for (const { line } of verb.examples ?? []) {
                const words = (line.split(/ [|>] /)[0] ?? '').split(' ').slice(1)
                let found: string | undefined
                const command = program(everyVerb(), topics, parsed => (found = parsed.verb.words.join(' ')), {
                    out: () => undefined,
                    err: () => undefined,
                })
                await command.parseAsync(words, { from: 'user' }).catch(() => undefined)
                expect([line, found]).toEqual([line, verb.words.join(' ')])
            }
        }
    }, 60_000)

    it('has --watch on every list and show that has a stream', async () => {
        const streamless = ['audit', 'certificate', 'node', 'user', 'token', 'grant', 'session']
        const looking = everyVerb().filter(
            v => ['list', 'show'].includes(v.words[1] ?? '') && !streamless.includes(v.words[0]),
        )
        expect(looking.filter(v => !v.watches).map(v => v.words.join(' '))).toEqual([])
    })

    it('lists every topic, exit codes in help, and the version of the package', async () => {
        const { out } = await run('--help')
        for (const noun of new Set(verbs.map(v => v.words[0]))) expect(out).toMatch(new RegExp(`^  ${noun} `, 'm'))
        expect(out).toMatch(/^ {2}64 +the command line/m)
        expect(out).not.toContain('complete ')
        const { version } = JSON.parse(await readFile('package.json', 'utf8'))
        expect((await run('--version')).out).toBe(`${version}\n`)
    })

    it('has no two verbs of one name, and no summary that ends in a full stop', () => {
        const names = verbs.map(v => v.words.join(' '))
        expect(new Set(names).size).toBe(names.length)
        expect(verbs.filter(v => v.summary.endsWith('.')).map(v => v.words.join(' '))).toEqual([])
    })

    it.each(['bash', 'zsh', 'fish'])('has completion for %s', async shell => {
        const { out } = await run(`completion ${shell}`)
        expect(out).toContain('shutdown')
        expect(out).toContain('deadline')
    })

    it('completes names from the node', async () => {
        // A name with control characters is offered to no shell.
        expect((await run('complete vm')).out).toBe('web1\n')
        expect((await run('complete snapshot -- web1')).out).toBe('clean\n')
        expect((await run('complete disk -- web1')).out).toBe('vda\n')
        expect((await run('complete toString')).code).toBe(1)
    })

    it('has a manual page with every option of a verb', async () => {
        const { out } = await run('man vm')
        expect(out).toMatch(/^\.TH DEBVISOR-VM 1/)
        expect(out).toContain('\\-\\-deadline')
        expect(out).toContain('\\-\\-dry\\-run')
        expect((await run('man')).out).toMatch(/EXIT STATUS[\s\S]+\.B 64/)
        expect((await run('man')).out).not.toMatch(/debvisor complete/)
    })
})

it('--log-file notes what was done and how it ended', async () => {
    const file = join(node.folder, 'log')
    await run(`vm start web1 --log-file ${file}`)
    await run(`vm start gone --log-file ${file}`)
    const lines = (await readFile(file, 'utf8')).trim().split('\n')
    expect(lines[0]).toMatch(/debvisor vm start: done$/)
    expect(lines[1]).toMatch(/failed: not-found/)
})

it('widths and marks', () => {
    expect([displayWidth('abc'), displayWidth('日本'), displayWidth('e\u0301')]).toEqual([3, 4, 1])
    expect(harmless('a\u001b[2Jb\nc')).toBe('a\ufffd[2Jb ⏎ c')
})
