// `make run` as a person sees it, in namespaces of its own: it starts all, finds what exists, ends clean, cleans up.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
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
function script(name: string, env: Record<string, string> = {}) {
    const shell = 'cd "$1" && exec "$2" --import tsx "scripts/run/$3"'
    const command = ['sh', '-c', shell, 'sh', root, process.execPath, name]
    const [program, ...words] = [...world.enterPrefix(), ...command]
    const child: ChildProcess = spawn(program!, words, { env: { ...process.env, DEBVISOR_STATE: state, ...env } })
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

const debvisor = (...words: string[]) =>
    world.enter(['env', `DEBVISOR_SOCKET=${state}/rpcd.sock`, process.execPath, `${root}dist/debvisor.mjs`, ...words])
const virsh = async (...words: string[]) =>
    (await world.enter(['virsh', '--quiet', '--connect', 'qemu:///system', ...words])).trim()
/** Files below the state folder that hold the text. */
const holding = (text: string) =>
    world.enter([
        'sh',
        '-c',
        'grep --recursive --files-with-matches --fixed-strings -- "$1" "$2" || :',
        'sh',
        text,
        state,
    ])

const daemons = async () =>
    (await world.enter(['ps', '-e', '-o', 'comm='])).split('\n').filter(name => /etcd|libvirtd/.test(name))
const linksIn = (text: string) => text.match(/https:\S+#\/first\/\S+/g) ?? []
const linkIn = (text: string) => linksIn(text)[0]
const fingerprintIn = (text: string) => /SHA-256 ([0-9A-F:]{95})/.exec(text)?.[1]
const send = (signal: string) => world.enter(['pkill', `-${signal}`, '-f', 'scripts/run/main.ts$'])
const interrupt = () => send('INT')

async function started(env: Record<string, string> = {}) {
    const run = script('main.ts', env)
    await until('`make run` to be up', 120_000, () => run.heard.over || run.heard.text.includes('Ctrl-C stops'))
    expect(run.heard.text).toContain('DebVisor runs.')
    return run
}

async function cleaned() {
    const clean = script('clean.ts')
    expect(await clean.ended, clean.heard.text).toBe(0)
    return clean.heard.text
}

it('starts what is missing, is found by a second one, survives a crash and stops only by Ctrl-C', async () => {
    const first = await started()
    const quiet = ['--silent', '--insecure', '--output', '/dev/null', '--write-out', '%{http_code}']
    expect(await world.enter(['curl', ...quiet, 'https://127.0.0.1:8443/'])).toBe('200')
    const link = linkIn(first.heard.text)
    expect(link).toBeDefined()
    expect(await holding(link!.split('/').at(-1)!)).toBe('')

    const second = script('main.ts')
    expect(await second.ended).toBe(0)
    expect(second.heard.text).toContain('runs already')
    expect(fingerprintIn(second.heard.text)).toBe(fingerprintIn(first.heard.text))
    expect(linkIn(second.heard.text)).toBeDefined()
    expect(linkIn(second.heard.text)).not.toBe(link)

    await world.enter(['pkill', '-KILL', '-x', 'etcd'])
    await until('etcd to be started again', 20_000, () => first.heard.text.includes('etcd ended (SIGKILL)'))
    await until('etcd to run again', 20_000, async () => (await daemons()).includes('etcd'))

    // The links that rpcd gave before are gone with it.
    await world.enter(['pkill', '-KILL', '-f', 'dist/rpcd.mjs'])
    await until('a new link', 30_000, () => linksIn(first.heard.text).length === 2)
    expect(linksIn(first.heard.text)[1]).not.toBe(link)
    for (const one of linksIn(first.heard.text)) expect(await holding(one.split('/').at(-1)!)).toBe('')

    await interrupt()
    expect(await first.ended).toBe(0)
    expect(await daemons()).toEqual([])

    const again = await started()
    expect(fingerprintIn(again.heard.text)).toBe(fingerprintIn(first.heard.text))
    await cleaned()
    expect(await again.ended).toBe(0)
    expect(existsSync(state)).toBe(false)
    expect(await daemons()).toEqual([])
    expect(await world.enter(['sh', '-c', 'ls /etc/libvirt/storage/*.xml 2>/dev/null || :'])).toBe('')
})

it('starts at once after it was killed, and without a qemu.conf of the machine', async () => {
    rmSync(join(world.folder, 'etc/qemu.conf'))
    const killed = await started()
    await send('KILL')
    await killed.ended
    const next = await started()
    // What the killed one left is gone: each of these is a child of the new one, and there is one of each.
    expect((await daemons()).sort()).toEqual(['etcd', 'libvirtd'])
    expect(next.heard.text).toContain('started as a child (no systemd here)')
    expect(next.heard.text).not.toContain('found running')
    await interrupt()
    expect(await next.ended).toBe(0)
    expect(existsSync(join(world.folder, 'etc/qemu.conf'))).toBe(false)
    await cleaned()
})

it('leaves nothing behind when it is interrupted while it starts', async () => {
    for (const seen of ['libvirtd', 'etcd']) {
        const run = script('main.ts')
        // In one shell, since a look from outside takes longer than the start.
        const early = 'until pgrep -x "$1" >/dev/null; do :; done; pkill -INT -f "scripts/run/main.ts$"'
        await world.enter(['timeout', '60', 'sh', '-c', early, 'sh', seen])
        expect(await run.ended, run.heard.text).toBe(0)
        expect(run.heard.text).not.toContain('DebVisor runs.')
        expect(await daemons()).toEqual([])
    }
    await cleaned()
})

it('neither takes nor removes a folder that it did not make', async () => {
    mkdirSync(state)
    writeFileSync(join(state, 'thesis.txt'), 'years of work')
    const run = script('main.ts')
    expect(await run.ended).toBe(1)
    expect(run.heard.text).toContain('is not a state folder of DebVisor: it holds thesis.txt')
    const clean = script('clean.ts')
    expect(await clean.ended).toBe(1)
    expect(clean.heard.text).toContain('Nothing was removed')
    // The checkout itself: what `DEBVISOR_STATE=.` says.
    const here = script('clean.ts', { DEBVISOR_STATE: '.' })
    expect(await here.ended).toBe(1)
    expect(readdirSync(state)).toEqual(['thesis.txt'])
    expect(existsSync(join(root, 'package.json'))).toBe(true)
    rmSync(state, { recursive: true })
})

it('imports from the folder that it names, and from those that it is told', async () => {
    const elsewhere = join(world.folder, 'elsewhere')
    mkdirSync(elsewhere)
    writeFileSync(join(elsewhere, 'b.raw'), Buffer.alloc(1 << 20))
    const usual = await started()
    writeFileSync(join(state, 'import/a.raw'), Buffer.alloc(1 << 20))
    await debvisor('image', 'import', join(state, 'import/a.raw'), 'default/a.raw', '--format', 'raw')
    await interrupt()
    await usual.ended
    const told = await started({ IMPORT_FOLDER: elsewhere, REFUSE_NETWORK: '10.9.0.0/16' })
    expect(told.heard.text).toContain(elsewhere)
    await debvisor('image', 'import', join(elsewhere, 'b.raw'), 'default/b.raw', '--format', 'raw')
    await expect(debvisor('image', 'import', 'http://10.9.1.1/c.raw', 'default/c.raw')).rejects.toThrow(/10\.9\./)
    await interrupt()
    await told.ended
    // What a person put there is theirs.
    expect(await cleaned()).toContain('Left: import')
    expect(readdirSync(join(state, 'import'))).toEqual(['a.raw'])
    rmSync(join(state, 'import'), { recursive: true })
    await cleaned()
    expect(existsSync(state)).toBe(false)
})

it('cleans up what libvirt knows of it, and says what stays and why', async () => {
    const run = await started()
    await debvisor('network', 'create', 'lab', '--address', '10.20.0.1/24')
    await debvisor('vm', 'create', 'web1', '--size', '64M', '--firmware', 'uefi', '--network', 'default', '--start')
    expect(await virsh('net-list', '--name')).toContain('default')
    const refused = script('clean.ts')
    expect(await refused.ended).toBe(3)
    await virsh('managedsave', 'web1')
    await virsh('vol-create-as', 'default', 'other', '1M')
    await virsh('net-define', await networkFile('theirs'))
    const outside = join(world.imagesDir, 'outside.raw')
    writeFileSync(outside, Buffer.alloc(1 << 20))
    await debvisor('vm', 'create', 'both', '--size', '64M', '--network', 'lab')
    await virsh('attach-disk', 'both', outside, 'vdz', '--config')

    const said = await cleaned()
    expect(await run.ended).toBe(0)
    expect(said).toContain("Removed the VM 'web1'")
    expect(said).toContain("Removed the storage pool 'default'")
    expect(said).toContain("'default' from the running networks")
    expect(said).toContain(`Left: the VM 'both', whose disk ${outside} lies elsewhere`)
    expect(said).toContain("Left: the network 'lab', which both use")
    expect(existsSync(state)).toBe(false)
    await world.restart()
    expect((await world.virsh(['list', '--all', '--name'])).trim()).toBe('both')
    expect((await world.virsh(['net-list', '--all', '--name'])).trim().split('\n')).toEqual([
        'default',
        'lab',
        'theirs',
    ])
    expect((await world.virsh(['net-list', '--name'])).trim()).toBe('lab')
    expect(await world.enter(['find', '/var/lib/libvirt/qemu', '-name', 'web1*'])).toBe('')
    await world.kill()
})

async function networkFile(name: string): Promise<string> {
    const path = join(world.folder, `${name}.xml`)
    writeFileSync(path, `<network><name>${name}</name></network>`)
    return path
}
