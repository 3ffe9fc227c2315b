// A real journald, in a mount namespace of its own, read as rootd reads it: filtered, searched, followed.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Entry, type JournalWish, readJournal } from '../../src/capabilities/node/journal.ts'
import type { Probe } from '../../src/ports/ports.ts'
import { realClock, realSystem } from '../../src/ports/real.ts'
import { until } from './world.ts'

const all: JournalWish = { unit: '', text: '', lines: 0, follow: false }
let journald: ChildProcess
let folder: string
let machine: Probe

const inside = (...argv: string[]): string[] => ['--target', String(journald.pid), '--mount', ...argv]
/** A program writes a line of that priority into the journal. */
const write = (text: string, priority = 'info'): void =>
    void execFileSync('nsenter', inside('systemd-cat', '-t', 'demo', '-p', priority), { input: `${text}\n` })

beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dv-journal-'))
    const script = [
        'set -e',
        'mount -t tmpfs tmpfs /run',
        'mount -t tmpfs tmpfs /var/log',
        'mkdir -p /run/systemd/journal /run/log/journal',
        'exec /lib/systemd/systemd-journald',
    ].join('\n')
    journald = spawn('unshare', ['--mount', 'sh', '-c', script], { stdio: ['ignore', 'ignore', 'inherit'] })
    const real = realSystem()
    machine = {
        ...real,
        query: run => real.query({ ...run, argv: ['nsenter', ...inside(...run.argv)] }),
    }
    await until('journald to listen', 20_000, () => existsSync(`/proc/${journald.pid}/root/run/systemd/journal/stdout`))
})
afterAll(async () => {
    const gone = new Promise(resolve => journald.once('exit', resolve))
    journald.kill('SIGTERM')
    await gone
    rmSync(folder, { recursive: true, force: true })
})

async function read(wish: Partial<JournalWish>): Promise<Entry[]> {
    const entries: Entry[] = []
    const stop = new AbortController()
    for await (const some of readJournal({ machine, clock: realClock() }, { ...all, ...wish }, stop.signal))
        entries.push(...some)
    return entries
}

test('by priority and by text, which is no pattern', async () => {
    write('all is well')
    write('something broke (really)', 'err')
    await expect
        .poll(() => read({ priority: 3 }).then(list => list.map(e => e.text)), { timeout: 10_000 })
        .toEqual(['something broke (really)'])
    expect(await read({ text: 'BROKE (' })).toMatchObject([{ source: 'demo', priority: 3 }])
    write('it broke (again)', 'warning')
    const broken = () => read({ text: 'broke (' }).then(list => list.map(e => e.text))
    await expect.poll(broken, { timeout: 10_000 }).toEqual(['something broke (really)', 'it broke (again)'])
    expect(await read({ text: 'b.oke' })).toEqual([])
    expect(await read({ unit: 'nothing-there.service' })).toEqual([])
    const [last] = await read({ lines: 1 })
    expect(Math.abs(Date.now() - last!.atMs)).toBeLessThan(120_000)
})

test('what comes is told as it comes, also where nothing fitted before', async () => {
    const stop = new AbortController()
    const wish = { ...all, text: 'later on', follow: true }
    const reader = readJournal({ machine, clock: realClock() }, wish, stop.signal)
    expect((await reader.next()).value).toEqual([])
    const next = reader.next()
    write('something else')
    write('said later on')
    expect((await next).value).toMatchObject([{ text: 'said later on' }])
    const last = reader.next()
    stop.abort()
    expect((await last).done).toBe(true)
})
