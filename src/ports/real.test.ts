// The real ports against the real machine: files that are whole, tools that end, a log that keeps secrets.
import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Fault } from '../base/fault.ts'
import { fakeClock, fakeSystem } from './fake.ts'
import { pinoLog, realClock, realSystem } from './real.ts'

const system = realSystem()
let folder = ''
beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dv-ports-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const faultOf = (promise: Promise<unknown>) =>
    promise.then(
        () => undefined,
        thrown => (thrown instanceof Fault ? thrown : undefined),
    )

test('a file is written whole, with its mode, and nothing else is left in the folder', async () => {
    const own = join(folder, 'whole')
    await system.makeDirectory(own, 0o700)
    await system.writeFile(join(own, 'a'), 'one', 0o600)
    await system.writeFile(join(own, 'a'), 'two', 0o600)
    expect(await system.readText(join(own, 'a'))).toBe('two')
    expect((await stat(join(own, 'a'))).mode & 0o777).toBe(0o600)
    expect((await stat(own)).mode & 0o777).toBe(0o700)
    expect(await readdir(own)).toEqual(['a'])
})

test('what is not there is undefined, and other troubles are Faults', async () => {
    expect(await system.readText(join(folder, 'none'))).toBeUndefined()
    expect(await system.look(join(folder, 'none'))).toBeUndefined()
    expect(await system.list(join(folder, 'none'))).toEqual([])
    expect(await system.resolve(join(folder, 'none'))).toBeUndefined()
    expect((await faultOf(system.readText(folder)))?.code).toBe('invalid')
    expect((await faultOf(system.writeFile('/proc/none/x', '')))?.code).toBe('not-found')
})

test('a full disk is exhausted', async () => {
    const file = await system.openWritable('/dev/full')
    expect((await faultOf(file.write(Buffer.from('x'), 0)))?.code).toBe('exhausted')
    await file.close()
})

test('links are looked at, not followed, and are refused for writing', async () => {
    await writeFile(join(folder, 'target'), 'x')
    await symlink(join(folder, 'target'), join(folder, 'link'))
    expect((await system.look(join(folder, 'link')))?.kind).toBe('link')
    expect(await system.resolve(join(folder, 'link'))).toBe(join(folder, 'target'))
    expect((await faultOf(system.openWritable(join(folder, 'link'))))?.code).toBe('denied')
})

test('ranges and streams give just the bytes asked for', async () => {
    const path = join(folder, 'bytes')
    const file = await system.openWritable(path)
    await file.write(Buffer.from('world'), 5)
    await file.write(Buffer.from('hello'), 0)
    await file.sync()
    await file.close()
    expect(Buffer.from(await system.readRange(path, 3, 4)).toString()).toBe('lowo')
    const seen: string[] = []
    for await (const chunk of system.readStream(path, 2, 6)) seen.push(Buffer.from(chunk).toString())
    expect(seen.join('')).toBe('llowor')
    expect((await system.look(path))?.sizeBytes).toBe(10)
})

test('a file is opened first and judged afterwards: links, pipes and folders are refused without waiting', async () => {
    const own = join(folder, 'open')
    await system.makeDirectory(join(own, 'deep'))
    await writeFile(join(own, 'deep', 'file'), 'hello world')
    await symlink(join(own, 'deep'), join(own, 'way'))
    await symlink(join(own, 'deep', 'file'), join(own, 'link'))
    execFileSync('mkfifo', [join(own, 'pipe')])
    expect((await faultOf(system.openReadable(join(own, 'link'))))?.code).toBe('denied')
    expect((await faultOf(system.openReadable(join(own, 'pipe'))))?.code).toBe('invalid')
    expect((await faultOf(system.openReadable(join(own, 'deep'))))?.code).toBe('invalid')
    expect((await faultOf(system.openReadable(join(own, 'none'))))?.code).toBe('not-found')
    const file = await system.openReadable(join(own, 'way', 'file'))
    expect(file).toMatchObject({ path: join(own, 'deep', 'file'), sizeBytes: 11 })
    // Another file under its name afterwards is not what is read.
    await system.writeFile(join(own, 'deep', 'file'), 'other bytes')
    const seen: string[] = []
    for await (const chunk of file.read(6)) seen.push(Buffer.from(chunk).toString())
    for await (const chunk of file.read(0, 5)) seen.push(Buffer.from(chunk).toString())
    expect(seen).toEqual(['world', 'hello'])
    await file.close()
})

test('lines are appended', async () => {
    const path = join(folder, 'lines')
    const lines = await system.openLines(path)
    await lines.append('one')
    await lines.append('two')
    await lines.close()
    expect(await system.readText(path)).toBe('one\ntwo\n')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
})

test('a tool answers what it said, without our environment', async () => {
    process.env.PORTS_TEST_SECRET = 'x'
    const heard: string[] = []
    const result = await system.run({
        argv: ['sh', '-c', 'cat; env; echo bad >&2; exit 3'],
        stdin: 'in\n',
        deadlineMs: 5000,
        onOutput: c => heard.push(c),
    })
    delete process.env.PORTS_TEST_SECRET
    expect(result.exitCode).toBe(3)
    expect(result.stdout).toMatch(/^in\n/)
    expect(result.stdout).not.toContain('PORTS_TEST_SECRET')
    expect(result.stderr).toBe('bad\n')
    expect(heard.join('')).toBe(result.stdout)
})

test('a deadline and an abort end a tool and its children', async () => {
    const began = Date.now()
    expect((await faultOf(system.run({ argv: ['sh', '-c', 'sleep 60 & wait'], deadlineMs: 100 })))?.code).toBe(
        'deadline',
    )
    const abort = new AbortController()
    const running = faultOf(system.run({ argv: ['sleep', '60'], deadlineMs: 60_000, signal: abort.signal }))
    abort.abort()
    expect((await running)?.code).toBe('cancelled')
    expect((await faultOf(system.run({ argv: ['sleep', '60'], deadlineMs: 60_000, signal: abort.signal })))?.code).toBe(
        'cancelled',
    )
    expect(Date.now() - began).toBeLessThan(5000)
})

test('a program that is not there says so', async () => {
    expect((await faultOf(system.run({ argv: ['no-such-program'], deadlineMs: 1000 })))?.code).toBe('precondition')
})

test('the log hides secrets and keeps the stack of errors', () => {
    const written: string[] = []
    const log = pinoLog({ level: 'debug', to: { write: line => void written.push(line) } }).child({ part: 'x' })
    log.error('it failed', { password: 'hunter2', err: new Error('outer', { cause: new Error('inner') }) })
    log.debug('quiet')
    const [first, second] = written.map(line => JSON.parse(line))
    expect(first).toMatchObject({
        level: 50,
        part: 'x',
        msg: 'it failed',
        password: '[hidden]',
        err: { message: 'outer', cause: { message: 'inner' } },
    })
    expect(first.err.stack).toContain('real.test')
    expect(second.msg).toBe('quiet')
})

test('the real clock calls, and can be told not to', async () => {
    const clock = realClock()
    const calls: string[] = []
    const takeBack = clock.after(1, () => calls.push('never'))
    takeBack()
    const hold = setTimeout(() => {}, 1000)
    await new Promise<void>(resolve => {
        const end = clock.every(2, () => {
            if (calls.push('tick') < 2) return
            end()
            resolve()
        })
    })
    clearTimeout(hold)
    expect(calls).toEqual(['tick', 'tick'])
    expect(clock.ticks()).toBeGreaterThan(0)
})

test('the fake machine refuses what was not announced', async () => {
    const fake = fakeSystem({
        files: { '/etc/x': 'y' },
        tools: [{ argv: ['id', '-u'], answer: { stdout: '0\n' } }],
        writable: ['/var/lib/x'],
    })
    expect((await fake.run({ argv: ['id', '-u'], deadlineMs: 1 })).stdout).toBe('0\n')
    await expect(fake.run({ argv: ['id', '-g'], deadlineMs: 1 })).rejects.toThrow('did not expect: the tool id -g')
    await expect(fake.writeFile('/etc/x', 'z')).rejects.toThrow('did not expect: a write to /etc/x')
    await fake.writeFile('/var/lib/x/a', 'b')
    expect(await fake.list('/var/lib/x')).toEqual(['a'])
})

test('the fake clock calls what comes due, in order', async () => {
    const clock = fakeClock(0)
    const calls: string[] = []
    clock.after(20, () => calls.push(`after ${clock.now()}`))
    const end = clock.every(15, () => calls.push(`every ${clock.now()}`))
    await clock.advance(30)
    end()
    await clock.advance(100)
    expect(calls).toEqual(['every 15', 'after 20', 'every 30'])
})
