// `make run` where systemd is process 1: units instead of children, libvirt's own user for guests, nothing left at the end.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { until } from './world-libvirt.ts'
import { type SystemdWorld, startSystemd, whyNoSystemd } from './world-systemd.ts'

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const inside = '/srv/debvisor'
const state = '/var/lib/dv-run'
const missing = whyNoSystemd()
let node: SystemdWorld | undefined

beforeAll(async () => {
    if (!missing) node = await startSystemd(`${root}:${inside}`)
}, 960_000)
afterAll(() => node?.stop())

const shell = (text: string, ...words: string[]) =>
    node!.enter(['sh', '-c', `cd ${inside} && export DEBVISOR_STATE=${state} && ${text}`, 'sh', ...words])

/** Runs a script of scripts/run in the node, as root or another user. */
function script(name: string, user = 'root') {
    const command = `cd ${inside} && exec env DEBVISOR_STATE=${state} node --import tsx scripts/run/${name}`
    // Not runuser, which kills what it runs two seconds after a signal.
    const as = ['setpriv', `--reuid=${user}`, '--clear-groups', '--', 'sh', '-c', command]
    const [program, ...words] = [...node!.enterPrefix(), ...as]
    const child: ChildProcess = spawn(program!, words)
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

async function started() {
    const made = script('main.ts')
    await until('`make run` to be up', 120_000, () => made.heard.over || made.heard.text.includes('Ctrl-C stops'))
    expect(made.heard.text).toContain('DebVisor runs.')
    return made
}

const send = (signal: string) => node!.enter(['pkill', `-${signal}`, '-f', 'scripts/run/main.ts$'])
const linksIn = (text: string) => text.match(/https:\S+#\/first\/\S+/g) ?? []
const active = async (...units: string[]) => {
    const said = await node!.enter(['systemctl', 'is-active', ...units]).catch(trouble => String(trouble.stdout))
    return said.trim().split('\n')
}
const daemon = ['libvirtd.service', 'libvirtd.socket', 'libvirtd-ro.socket', 'libvirtd-admin.socket']
const ours = ['debvisor-dev-etcd.service', 'debvisor-dev-rpcd.service']

it('says to an ordinary user why it needs root, and makes nothing', async ({ skip }) => {
    if (missing) skip(missing)
    await node!.enter(['useradd', '--create-home', 'ann'])
    const refused = script('main.ts', 'ann')
    expect(await refused.ended).toBe(1)
    expect(refused.heard.text).toContain('run it as root')
    await expect(node!.enter(['test', '-e', state])).rejects.toThrow()
})

it('starts units, outlives its own death, stops only what it started, and cleans up', async ({ skip }) => {
    if (missing) skip(missing)
    await node!.enter(['systemctl', 'stop', ...daemon])
    const first = await started()
    expect(first.heard.text).toContain('started as libvirtd.service')
    expect(first.heard.text).toContain('started as debvisor-dev-etcd.service')
    expect(await active(...ours)).toEqual(['active', 'active'])

    // A guest with a display starts as Debian's own user, and the daemon reaches the display.
    await shell('scripts/debvisor vm create web1 --size 64M --no-network --start')
    expect(await node!.enter(['ps', '-o', 'user:20=', '-C', 'qemu-system-x86'])).toContain('libvirt-qemu')

    await node!.enter(['pkill', '-KILL', '-f', 'dist/rpcd.mjs'])
    await until('a new link', 60_000, () => linksIn(first.heard.text).length === 2)
    const links = linksIn(first.heard.text)
    expect(links[1]).not.toBe(links[0])
    for (const link of links) {
        const look =
            'journalctl --quiet --no-pager --grep "$1" || :; grep --recursive --files-with-matches "$1" "$2" || :'
        expect(await shell(look, link.split('/').at(-1)!, state)).toBe('')
    }

    // Units live on when `make run` is killed; the next one takes over and ends them.
    await send('KILL')
    await first.ended
    expect(await active(...ours)).toEqual(['active', 'active'])
    const second = await started()
    expect(second.heard.text).toContain('started as debvisor-dev-etcd.service')
    expect(await shell('scripts/debvisor vm list')).toMatch(/web1\s+running/)

    const refused = script('clean.ts')
    expect(await refused.ended).toBe(3)
    await shell('scripts/debvisor vm delete web1 --disks --force --yes')
    await send('INT')
    expect(await second.ended).toBe(0)
    expect(await active(...ours)).toEqual(['inactive', 'inactive'])

    const clean = script('clean.ts')
    expect(await clean.ended, clean.heard.text).toBe(0)
    expect(clean.heard.text).toContain("Removed the storage pool 'default'")
    await expect(node!.enter(['test', '-e', state])).rejects.toThrow()
    expect(await node!.enter(['virsh', '--quiet', 'pool-list', '--all', '--name'])).toBe('')
})

it('stops the libvirtd that it was just starting when it is interrupted', async ({ skip }) => {
    if (missing) skip(missing)
    await node!.enter(['systemctl', 'stop', ...daemon])
    const run = script('main.ts')
    const early = 'until systemctl --quiet is-active libvirtd.service; do :; done; pkill -INT -f "scripts/run/main.ts$"'
    await node!.enter(['timeout', '90', 'sh', '-c', early])
    expect(await run.ended).toBe(0)
    expect(run.heard.text).not.toContain('DebVisor runs.')
    expect(await active(...daemon, ...ours)).toEqual(Array.from({ length: 6 }, () => 'inactive'))
})
