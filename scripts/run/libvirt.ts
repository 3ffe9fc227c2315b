// libvirtd with the QEMU driver: the one that runs already, the system's unit, or a supervised child.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { keepRunning, type Service } from './supervise.ts'
import { isBooted, startUnit, stopUnits } from './systemd.ts'
import { knock, waitFor } from './wait.ts'

const run = promisify(execFile)

export interface Libvirt {
    socketPath: string
    /** For people: found, or how it was started. */
    how: string
    /** Stops what was started here; guests go on. */
    stop(): Promise<void>
    /** The child, when it is one. */
    service?: Service
}

const socketPath = '/run/libvirt/libvirt-sock'
// virtlogd and virtlockd are not among them: guests that go on write their logs through virtlogd.
const family = ['libvirtd.service', 'libvirtd.socket', 'libvirtd-ro.socket', 'libvirtd-admin.socket']

// What a machine without systemd, AppArmor and delegated cgroups needs; guests write to files of their own, so that they
// do not depend on a log daemon that ends with us.
const qemuConf = [
    'user = "root"',
    'group = "root"',
    'security_driver = "none"',
    'cgroup_controllers = []',
    'namespaces = []',
    'remember_owner = 0',
    'stdio_handler = "file"',
]

/** A libvirtd that answers; rejects with what to do when none does and none can be started. */
export async function ensureLibvirt(state: string, onEnd: (how: string) => void): Promise<Libvirt> {
    const seen = await knock(socketPath)
    if (seen === 'denied')
        throw new Error(
            `${socketPath} may not be opened by this user: add it to the group libvirt (adduser NAME libvirt), log in again`,
        )
    if (seen === 'open') return { socketPath, how: 'found running', stop: async () => {} }
    if (isBooted()) {
        const started = await startUnit('libvirtd.service', family)
        await waitFor('libvirtd to answer', 30_000, async () => (await knock(socketPath)) === 'open')
        return { socketPath, how: 'started as libvirtd.service', stop: () => stopUnits(started) }
    }
    if (process.getuid?.() !== 0)
        throw new Error('libvirtd does not run, and starting it without systemd needs root: run `make run` as root')
    return startChild(state, onEnd)
}

async function startChild(state: string, onEnd: (how: string) => void): Promise<Libvirt> {
    const folder = join(state, 'libvirt')
    mkdirSync(join(folder, 'log'), { recursive: true })
    // The machine's own file stays as it is: libvirtd reads ours through a mount that only it and its guests see.
    const original = existsSync('/etc/libvirt/qemu.conf') ? '/etc/libvirt/qemu.conf' : undefined
    const conf = join(folder, 'qemu.conf')
    if (original) cpSync(original, conf)
    const kept = original ? readFileSync(original, 'utf8') : ''
    writeFileSync(conf, `${kept}\n# Added for a machine without systemd:\n${qemuConf.join('\n')}\n`)
    const daemonConf = join(folder, 'libvirtd.conf')
    writeFileSync(
        daemonConf,
        [
            'unix_sock_group = "libvirt"',
            'unix_sock_rw_perms = "0770"',
            'auth_unix_ro = "none"',
            'auth_unix_rw = "none"',
            '',
        ]
            .concat([`log_outputs = "3:file:${join(folder, 'log/libvirtd.log')}"`, ''])
            .join('\n'),
    )
    const script = 'mount --bind "$1" /etc/libvirt/qemu.conf && exec libvirtd --config "$2"'
    const service = keepRunning({
        name: 'libvirtd',
        argv: ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', script, 'sh', conf, daemonConf],
        logPath: join(folder, 'log/output.log'),
        onEnd,
    })
    try {
        await waitFor('libvirtd to answer', 30_000, async () => (await knock(socketPath)) === 'open')
    } catch (trouble) {
        await service.stop()
        throw new Error(`${(trouble as Error).message}; its words are in ${folder}/log`)
    }
    return { socketPath, how: 'started as a child (no systemd here)', stop: () => service.stop(), service }
}

/** Names of the guests that run now; empty when libvirt does not answer. */
export async function runningGuests(): Promise<string[]> {
    const listed = await run('virsh', ['--quiet', '--connect', 'qemu:///system', 'list', '--name']).catch(
        () => undefined,
    )
    return listed?.stdout.split('\n').filter(Boolean) ?? []
}
