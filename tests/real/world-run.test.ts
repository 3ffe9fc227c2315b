// `make run` as a person sees it, in namespaces of its own: it starts all, finds what exists, ends clean, cleans up.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LibvirtWorld, startLibvirt, until } from './world.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
let world: LibvirtWorld
let state: string

beforeAll(async () => {
    world = await startLibvirt({ name: 'run' })
    state = join(world.folder, 'state')
    // `make run` shall find none and start its own.
    await world.kill()
})
afterAll(() => world?.stop())

/** Runs a script of scripts/run inside the namespaces. */
function script(name: string) {
    const command = [
        'sh',
        '-c',
        'cd "$1" && exec "$2" --import tsx "scripts/run/$3"',
        'sh',
        root,
        process.execPath,
        name,
    ]
    const [program, ...words] = [...world.enterPrefix(), ...command]
    const child: ChildProcess = spawn(program!, words, { env: { ...process.env, DEBVISOR_STATE: state } })
    const heard = { text: '', over: false }
    for (const stream of [child.stdout!, child.stderr!])
        stream.on('data', chunk => {
            heard.text += chunk
        })
    const ended = new Promise<number | null>(resolve =>
        child.once('close', code => {
            heard.over = true
            resolve(code)
        }),
    )
    return { heard, ended }
}

const daemons = async () =>
    (await world.enter(['ps', '-e', '-o', 'comm='])).split('\n').filter(name => /etcd|libvirtd/.test(name))
const linkIn = (text: string) => /https:\S+#\/first\/\S+/.exec(text)?.[0]
const fingerprintIn = (text: string) => /SHA-256 ([0-9A-F:]{95})/.exec(text)?.[1]
const interrupt = () => world.enter(['pkill', '-INT', '-f', 'scripts/run/main.ts$'])

async function started() {
    const run = script('main.ts')
    await until('`make run` to be up', 120_000, () => run.heard.over || run.heard.text.includes('Ctrl-C stops'))
    expect(run.heard.text).toContain('DebVisor runs.')
    return run
}

it('starts what is missing, is found by a second one, survives a crash and stops only by Ctrl-C', async () => {
    const first = await started()
    const page = await world.enter([
        'curl',
        '--silent',
        '--insecure',
        '--output',
        '/dev/null',
        '--write-out',
        '%{http_code}',
        'https://127.0.0.1:8443/',
    ])
    expect(page).toBe('200')
    const link = linkIn(first.heard.text)
    expect(link).toBeDefined()
    for (const name of await readdir(join(state, 'log')))
        expect(readFileSync(join(state, 'log', name), 'utf8'), name).not.toContain('#/first/')

    const second = script('main.ts')
    expect(await second.ended).toBe(0)
    expect(second.heard.text).toContain('runs already')
    expect(fingerprintIn(second.heard.text)).toBe(fingerprintIn(first.heard.text))
    expect(linkIn(second.heard.text)).toBeDefined()
    expect(linkIn(second.heard.text)).not.toBe(link)

    await world.enter(['pkill', '-KILL', '-x', 'etcd'])
    await until('etcd to be started again', 20_000, () => first.heard.text.includes('etcd ended (SIGKILL)'))
    await until('etcd to run again', 20_000, async () => (await daemons()).includes('etcd'))

    await interrupt()
    expect(await first.ended).toBe(0)
    expect(await daemons()).toEqual([])

    const again = await started()
    expect(fingerprintIn(again.heard.text)).toBe(fingerprintIn(first.heard.text))
    const clean = script('clean.ts')
    expect(await clean.ended).toBe(0)
    expect(await again.ended).toBe(0)
    expect(existsSync(state)).toBe(false)
    expect(await daemons()).toEqual([])
    expect(await world.enter(['sh', '-c', 'ls /etc/libvirt/storage/*.xml 2>/dev/null || :'])).toBe('')
})
