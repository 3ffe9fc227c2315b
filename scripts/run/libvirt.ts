// libvirtd with the QEMU driver: the one that runs already, the system's unit, or a supervised child.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

interface How {
    onEnd: (how: string) => void
    signal?: AbortSignal
}

const socketPath = '/run/libvirt/libvirt-sock'
const confPath = '/etc/libvirt/qemu.conf'
const placeholder = '# Empty: made by DebVisor, which removes it again.\n'
const startMs = 30_000
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

/** A libvirtd that answers; rejects with what to do when none does and none can be started, and leaves none started. */
export async function ensureLibvirt(state: string, how: How): Promise<Libvirt> {
    const seen = await knock(socketPath)
    if (seen === 'denied')
        throw new Error(
            `${socketPath} may not be opened by this user: add it to the group libvirt (adduser NAME libvirt), log in again`,
        )
    if (seen === 'open') return { socketPath, how: 'found running', stop: async () => {} }
    if (isBooted()) return startSystemUnit(how)
    if (process.getuid?.() !== 0)
        throw new Error('libvirtd does not run, and starting it without systemd needs root: run `make run` as root')
    return startChild(state, how)
}

const answers = (signal?: AbortSignal) =>
    waitFor('libvirtd to answer', { deadlineMs: startMs, signal }, async () => (await knock(socketPath)) === 'open')

async function startSystemUnit({ signal }: How): Promise<Libvirt> {
    const started = await startUnit('libvirtd.service', family)
    try {
        await answers(signal)
    } catch (trouble) {
        await stopUnits(started)
        throw trouble
    }
    return { socketPath, how: 'started as libvirtd.service', stop: () => stopUnits(started) }
}

/** Removes the empty qemu.conf that a mount needed, unless somebody has written into it. */
export function removePlaceholder(): void {
    if (existsSync(confPath) && readFileSync(confPath, 'utf8') === placeholder) rmSync(confPath)
}

async function startChild(state: string, { onEnd, signal }: How): Promise<Libvirt> {
    const folder = join(state, 'libvirt')
    mkdirSync(join(folder, 'log'), { recursive: true })
    // The machine's own file stays as it is: libvirtd reads ours through a mount that only it and its guests see. A mount
    // needs something to stand on.
    if (!existsSync(confPath)) writeFileSync(confPath, placeholder)
    const conf = join(folder, 'qemu.conf')
    const kept = readFileSync(confPath, 'utf8')
    writeFileSync(conf, `${kept}\n# Added for a machine without systemd:\n${qemuConf.join('\n')}\n`)
    const daemonConf = join(folder, 'libvirtd.conf')
    const lines = [
        'unix_sock_group = "libvirt"',
        'unix_sock_rw_perms = "0770"',
        'auth_unix_ro = "none"',
        'auth_unix_rw = "none"',
        `log_outputs = "3:file:${join(folder, 'log/libvirtd.log')}"`,
    ]
    writeFileSync(daemonConf, `${lines.join('\n')}\n`)
    const script = 'mount --bind "$1" "$2" && exec libvirtd --config "$3"'
    const service = keepRunning({
        name: 'libvirtd',
        argv: ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', script, 'sh', conf, confPath, daemonConf],
        logPath: join(folder, 'log/output.log'),
        onEnd,
    })
    const stop = async () => {
        await service.stop()
        removePlaceholder()
    }
    try {
        await answers(signal)
    } catch (trouble) {
        await stop()
        throw new Error(`${(trouble as Error).message}; its words are in ${folder}/log`)
    }
    return { socketPath, how: 'started as a child (no systemd here)', stop, service }
}

/** Names of the guests that run now; empty when libvirt does not answer. */
export async function runningGuests(): Promise<string[]> {
    const listed = await run('virsh', ['--quiet', '--connect', 'qemu:///system', 'list', '--name']).catch(
        () => undefined,
    )
    return listed?.stdout.split('\n').filter(Boolean) ?? []
}
