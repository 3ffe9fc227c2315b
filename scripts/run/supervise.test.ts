// A supervised child outlives a log that cannot be written, comes back when it ends, and is gone when it is stopped.
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { keepRunning, openLog } from './supervise.ts'
import { waitFor } from './wait.ts'

let folder: string
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dv-supervise-'))
})
afterEach(() => {
    vi.restoreAllMocks()
    rmSync(folder, { recursive: true })
})

it('says once that the disk is full, and goes on', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    symlinkSync('/dev/full', join(folder, 'full.log'))
    const log = openLog(join(folder, 'full.log'))
    log.write('one\n')
    log.write('two\n')
    log.close()
    log.write('after the end\n')
    expect(said).toHaveBeenCalledTimes(1)
    expect(said.mock.calls[0]![0]).toContain('ENOSPC')
})

it('keeps the child running, its words in the log, and its secret lines out of it', async () => {
    const ends: string[] = []
    const logPath = join(folder, 'log/child.log')
    const service = keepRunning({
        name: 'child',
        argv: ['sh', '-c', 'echo secret; echo plain; exit 3'],
        logPath,
        onLine: line => line === 'secret',
        onEnd: how => ends.push(how),
    })
    await waitFor('two ends', { deadlineMs: 8_000 }, async () => ends.length >= 2)
    await service.stop()
    expect(ends[0]).toBe('exit code 3')
    expect(new Set(readFileSync(logPath, 'utf8').trim().split('\n'))).toEqual(new Set(['plain']))
    expect(service.alive()).toBe(false)
})
