// Stages of the ISO's build: one that fails is named with its last words, a mirror is asked again, Ctrl-C leaves no mount.
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { root } from '../stages.ts'

let folder = ''
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dv-stage-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A build with these stages. */
function script(...lines: string[]): string {
    const path = join(folder, 'build.sh')
    const settings = [
        `out=${folder} work=${folder} version=1 arch=amd64 mirror=http://x`,
        `. ${root}scripts/iso/stage.sh`,
    ]
    writeFileSync(path, ['#!/bin/bash', 'set -Eeuo pipefail', ...settings, ...lines].join('\n'))
    chmodSync(path, 0o755)
    return path
}
const run = (...lines: string[]) => {
    const { status, stdout, stderr } = spawnSync(script(...lines), { encoding: 'utf8' })
    return { status, stdout, stderr }
}
const log = () => readFileSync(join(folder, 'debvisor-1-amd64.build.log'), 'utf8')

it('are timed, and what they say is in the log alone', () => {
    const { status, stdout } = run('one() { echo inside; }', 'begin_log', "stage 'first one' one", 'end_log')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^first one +\d+ s\ntotal +\d+ s\n$/)
    expect(log()).toMatch(/=== first one ===\ninside\n[\s\S]*seconds of each stage ===\nfirst one +\d+ s/)
})

it('end the build when one fails, at its first command that does', () => {
    const lines = ['bad() { echo before; false; echo went on; }', 'never() { echo never; }']
    const { status, stderr } = run(...lines, 'begin_log', 'stage bad bad', 'stage never never')
    expect(status).toBe(1)
    expect(stderr).toContain('before')
    expect(stderr).not.toContain('went on')
    expect(stderr).toContain('Stage "bad" failed (exit code 1)')
    expect(log()).not.toContain('never')
})

it('ask again after a pause, and give up after the fourth time', () => {
    const lines = [
        'sleep() { echo "pause $1"; }',
        `third() { echo >>${folder}/tries; [ "$(wc -l <${folder}/tries)" = 3 ]; false; }`,
        `twice() { echo >>${folder}/tries; [ "$(wc -l <${folder}/tries)" = 2 ]; echo whole; }`,
    ]
    const second = run(...lines, 'again twice')
    expect(second.stdout.match(/pause \d+|whole/g)).toEqual(['pause 5', 'whole'])
    const never = run(...lines, 'again third')
    expect(never.stdout.match(/pause \d+/g)).toEqual(['pause 5', 'pause 20', 'pause 60'])
    expect(never.status).toBe(1)
})

it.for(['SIGINT', 'SIGTERM'] as const)(
    'leave neither a mount nor a process behind after %s',
    async (signal, { skip }) => {
        if (process.getuid?.() !== 0) skip('mounting needs root')
        const at = join(folder, 'mounted')
        mkdirSync(at)
        const path = script(
            `slow() { mount -t tmpfs tmpfs ${at}; touch ${at}/inside; echo mounted >${folder}/there; sleep 600; }`,
            ...['apart "$0" "$@"', 'begin_log', 'stage slow slow'],
        )
        // A group of its own, as a terminal would have it: Ctrl-C goes to all of it.
        const child = spawn(path, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
        let said = ''
        child.stderr.on('data', chunk => {
            said += chunk
        })
        const ended = new Promise(resolve => child.once('close', resolve))
        for (const end = Date.now() + 8000; Date.now() < end; await pause(50))
            if (spawnSync('test', ['-e', join(folder, 'there')]).status === 0) break
        process.kill(-child.pid!, signal)
        await ended
        expect(said).toContain('Interrupted while: slow')
        expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(at)
        expect(spawnSync('pgrep', ['-f', path]).stdout.toString()).toBe('')
    },
)
