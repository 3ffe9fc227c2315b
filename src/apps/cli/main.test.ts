// The command line as a person and a script meet it: words in, text or JSON out, and an exit code.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Fault } from '../../base/fault.ts'
import { verbs } from '../../capabilities/table.verbs.ts'
import { TaskService, State as TaskState } from '../../gen/proto/capabilities/task/task_pb.js'
import { State, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { connectError } from '../rpcd/errors.ts'
import { main } from './main.ts'
import { displayWidth, harmless } from './views.ts'

let folder: string
let server: Server
const calls: [string, object][] = []

beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cli-'))
    const handler = connectNodeAdapter({
        interceptors: [
            next => async request => {
                try {
                    return await next(request)
                } catch (thrown) {
                    throw connectError(thrown)
                }
            },
        ],
        routes(router) {
            router.service(VmService, {
                list(request) {
                    calls.push(['list', request])
                    return {
                        vms: [
                            {
                                name: 'web1',
                                state: State.RUNNING,
                                vcpus: 2,
                                memoryBytes: 2147483648n,
                                cpu: 0.42,
                                networks: ['default'],
                                uuid: 'u-1',
                            },
                            { name: 'evil\u001b[2J', state: State.STOPPED, vcpus: 1, memoryBytes: 536870912n },
                        ],
                    }
                },
                start(request) {
                    calls.push(['start', request])
                    if (request.vm === 'gone')
                        throw new Fault('not-found', {
                            summary: 'There is no such VM',
                            detail: 'gone',
                            fix: 'List them with: debvisor vm list',
                        })
                    return request.dryRun
                        ? { plan: [{ sentence: `Start ${request.vm}` }] }
                        : { task: request.vm === 'bad' ? 't-bad' : 't-1' }
                },
                delete(request) {
                    calls.push(['delete', request])
                    const plan = [
                        { sentence: 'Delete web1' },
                        { sentence: 'Delete its disk', destroys: 'disk:default/web1.qcow2' },
                    ]
                    return request.dryRun ? { plan } : { plan, task: 't-1' }
                },
                async *watch() {
                    yield { vms: [{ name: 'web1', uuid: 'u-1', state: State.RUNNING }], synced: true }
                },
            })
            router.service(TaskService, {
                async *watch({ id }) {
                    yield { task: { id, title: 'Start web1', state: TaskState.RUNNING, progress: 0.5 } }
                    if (id === 't-bad') {
                        const problem = {
                            code: 'precondition',
                            summary: 'The VM has no disk',
                            detail: 'bad',
                            fix: 'Add one.',
                        }
                        yield { task: { id, title: 'Start bad', state: TaskState.FAILED, problem } }
                    } else yield { task: { id, title: 'Start web1', state: TaskState.DONE, progress: 1 } }
                },
            })
        },
    })
    server = createServer(handler)
    await new Promise<void>(resolve => server.listen(join(folder, 's'), resolve))
})
afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await rm(folder, { recursive: true })
})
beforeEach(() => {
    calls.length = 0
})

async function run(line: string, answer?: string) {
    const stream = () => {
        const s = new PassThrough()
        let text = ''
        s.on('data', chunk => {
            text += chunk
        })
        return { s, text: () => text }
    }
    const [out, err] = [stream(), stream()]
    const stdin = Object.assign(new PassThrough(), answer === undefined ? {} : { isTTY: true })
    if (answer !== undefined) stdin.end(`${answer}\n`)
    const stderr = Object.assign(err.s, answer === undefined ? {} : { isTTY: true })
    const code = await main(line.split(' '), {
        stdin,
        stdout: out.s,
        stderr,
        env: { DEBVISOR_SOCKET: join(folder, 's') },
    })
    return { code, out: out.text(), err: err.text() }
}

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
        expect(calls[0]).toMatchObject(['list', { states: [State.RUNNING], tag: 'prod' }])
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
        expect(calls.every(([, request]) => (request as { dryRun?: boolean }).dryRun)).toBe(true)
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
        expect(calls.filter(([, r]) => !(r as { dryRun: boolean }).dryRun)).toEqual([])
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
    ])('%s calls nobody', async line => {
        const { code, err } = await run(line)
        expect([code, calls]).toEqual([1, []])
        expect(err.split('\n').length).toBeGreaterThanOrEqual(2)
    })

    it('no daemon is said in words', async () => {
        const { code, err } = await run('vm list --socket /nonexistent/sock')
        expect(code).toBe(1)
        expect(err).toMatch(/not running here.*\n.*make run/)
    })
})

describe('what is made from the verbs', () => {
    it('has help with examples for every verb', async () => {
        for (const verb of verbs) {
            const { code, out } = await run(`${[verb.words[0], verb.words.slice(1).join('-')].join(' ')} --help`)
            expect(code).toBe(0)
            expect(out).toContain('Usage: debvisor')
            for (const example of verb.examples ?? []) expect(out).toContain(example.line)
        }
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
        expect((await run('complete vm')).out).toContain('web1')
    })

    it('has a manual page with every option of a verb', async () => {
        const { out } = await run('man vm')
        expect(out).toMatch(/^\.TH DEBVISOR-VM 1/)
        expect(out).toContain('\\-\\-deadline')
        expect(out).toContain('\\-\\-dry\\-run')
    })
})

it('--log-file notes what was done and how it ended', async () => {
    const file = join(folder, 'log')
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
