// Completion scripts run in a real shell: what the node calls its VMs is offered, quoted, and never run.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { verbs } from '../../capabilities/table.verbs.ts'
import { bash, zsh } from './completion-scripts.ts'

let folder: string
const run = promisify(execFile)
const hostile = () => [
    `$(touch ${folder}/ran)`,
    `\`touch ${folder}/ran\``,
    `a;touch ${folder}/ran`,
    "it's",
    'two words',
    '*',
    '~root',
    '$HOME',
]

beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'completion-'))
    await writeFile(join(folder, 'names'), `${hostile().join('\n')}\nweb1\n`)
    // Stands in for the program: names of VMs, and for the rest what it was asked.
    const program = `#!/bin/bash\nif [ "$2" = vm ]; then cat '${folder}/names'; else echo "$*"; fi\n`
    await writeFile(join(folder, 'debvisor'), program)
    await chmod(join(folder, 'debvisor'), 0o755)
    await writeFile(join(folder, 'bash'), bash(verbs))
})
afterAll(() => rm(folder, { recursive: true }))

/** What bash offers behind these words; the last one is being typed. */
async function offered(...words: string[]): Promise<string[]> {
    const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _debvisor; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await run('bash', ['-c', script, 'bash', join(folder, 'bash'), 'debvisor', ...words], {
        env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
    })
    return stdout.split('\n').filter(line => line !== '')
}

it('offers hostile names without running what they say', async () => {
    const names = await offered('vm', 'start', '')
    expect(names).toHaveLength(hostile().length + 1)
    expect(existsSync(join(folder, 'ran'))).toBe(false)
})

it('quotes them, so that the line that was completed means the name and nothing else', async () => {
    for (const quoted of await offered('vm', 'start', '')) {
        const { stdout } = await run('bash', ['-c', `printf %s ${quoted}`])
        expect([...hostile(), 'web1']).toContain(stdout)
    }
    expect(existsSync(join(folder, 'ran'))).toBe(false)
})

it('offers only what begins as the word that is typed', async () => {
    expect(await offered('vm', 'start', 'we')).toEqual(['web1'])
    expect(await offered('vm', 'star')).toEqual(['start'])
    expect(await offered('vm', 'list', '--sta')).toEqual(['--state'])
})

it('offers the choices of an option and of an argument', async () => {
    const states = ['running', 'paused', 'stopped', 'crashed']
    expect(await offered('vm', 'list', '--state', '')).toEqual(states)
    expect(await offered('vm', 'list', '--state', '=')).toEqual(states)
    expect(await offered('vm', 'list', '--state', '=', 'p')).toEqual(['paused'])
    expect(await offered('grant', 'create', 'ann', '')).toEqual(['operator', 'host-operator', 'viewer'])
})

it('asks the node for the names of an option, and for those that hang on the VM before', async () => {
    expect(await offered('vm', 'create', 'x', '--pool', '')).toEqual(['complete\\ pool\\ --\\ x'])
    expect(await offered('vm', 'revert', '--start', 'web1', '')).toEqual(['complete\\ snapshot\\ --\\ web1'])
    expect(await offered('vm', 'eject', 'web1', '')).toEqual(['complete\\ disk\\ --\\ web1'])
})

it('offers files where a file is meant', async () => {
    expect(await offered('vm', 'list', '--log-file', join(folder, 'na'))).toEqual([join(folder, 'names')])
})

it('the script for zsh uses none of the names that zsh has for itself', () => {
    expect(zsh(verbs)).not.toMatch(/\b(local|for)\b.*\b(path|words|options|status)\b|\b(path|words|options|status)=/)
})
