// A real libvirtd of its own: own mount, network and process namespaces, own folder, nothing shared with the machine's.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What a world can be told to do differently. */
export interface LibvirtOptions {
    /** Lines added to qemu.conf. */
    qemuConf?: string[]
    /** Lines added to libvirtd.conf. */
    libvirtdConf?: string[]
    /** Folders outside the world's own that libvirt's guests may need are visible anyway; this names the folder. */
    name?: string
}

/** A running libvirtd and the folder it lives in. */
export interface LibvirtWorld {
    /** libvirt's own Unix socket; reachable from outside the namespaces. */
    socketPath: string
    /** `qemu+unix:///system?socket=…`, as virsh wants it. */
    uri: string
    /** The folder that holds everything; the same path inside and outside. */
    folder: string
    /** An empty folder for a `dir` pool. */
    imagesDir: string
    /** A folder for VNC sockets. */
    vncDir: string
    /** Runs virsh against this libvirtd and answers its standard output; rejects when virsh fails. */
    virsh(args: string[]): Promise<string>
    /** Runs a program inside the namespaces and answers its standard output. */
    enter(argv: string[]): Promise<string>
    /** The words to put before a command so that it runs inside the namespaces. */
    enterPrefix(): string[]
    /** Process ids, as the outside sees them, of the QEMU guests of this world. */
    qemuPids(): Promise<number[]>
    /** SIGKILL to libvirtd alone; guests go on. Resolves when it is gone. */
    kill(): Promise<void>
    /** Starts libvirtd again (after SIGKILL where it still runs). Resolves when it answers. */
    restart(): Promise<void>
    /** libvirtd's own log, for a test that failed. */
    log(): Promise<string>
    /** Ends the guests, libvirtd and the namespaces, and removes the folder. */
    stop(): Promise<void>
}

// The inner shell is process 1 of the namespaces: when it ends, the kernel ends everything in them. It reads standard
// input, which closes when the test ends in whatever way, SIGKILL included. The outer shell then removes the folder.
const outer = `
unshare --mount --net --pid --fork --kill-child --propagation private sh -eu -c "$INNER"
rm -rf "$FOLDER"
`
const inner = `
mount -t proc proc /proc
mount -t sysfs sysfs /sys
ip link set lo up
bind() { mkdir -p "$2"; mount --bind "$1" "$2"; }
bind "$FOLDER/etc" /etc/libvirt
bind "$FOLDER/lib" /var/lib/libvirt
bind "$FOLDER/run" /run/libvirt
bind "$FOLDER/cache" /var/cache/libvirt
bind "$FOLDER/log" /var/log/libvirt
# Locks of consoles are named by the number of the pty alone: every world has its own numbers.
mkdir "$FOLDER/lock"
bind "$FOLDER/lock" "$(readlink -f /var/lock)"
echo ready
cat >/dev/null
`

const libvirtdConf = (folder: string) => [
    `unix_sock_dir = "${folder}/run"`,
    'unix_sock_group = "root"',
    'unix_sock_rw_perms = "0770"',
    'auth_unix_ro = "none"',
    'auth_unix_rw = "none"',
    'max_client_requests = 5',
    `log_outputs = "3:file:${folder}/log/libvirtd.log"`,
]

// stdio_handler "file": virtlogd is a service of its own, and a world has none.
const qemuConf = [
    'user = "root"',
    'group = "root"',
    'dynamic_ownership = 0',
    'remember_owner = 0',
    'security_driver = "none"',
    'cgroup_controllers = []',
    'namespaces = []',
    'stdio_handler = "file"',
    'vnc_allow_host_audio = 0',
]

/**
 * Starts an isolated libvirtd and resolves when it answers. Needs root. Stop it with `stop()`; when the test process
 * dies without that, the world ends by itself and takes its folder with it.
 */
export async function startLibvirt(options: LibvirtOptions = {}): Promise<LibvirtWorld> {
    if (process.getuid?.() !== 0) throw new Error('an isolated libvirtd needs root: run the tests as root')
    const folder = await mkdtemp(join(tmpdir(), `dv-${options.name ?? 'world'}-`))
    await chmod(folder, 0o755)
    await lay(folder, options)
    const holder = spawn('sh', ['-eu', '-c', outer], {
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
        env: { ...process.env, INNER: inner, FOLDER: folder },
    })
    const said = await firstLine(holder, 10_000)
    if (said !== 'ready') throw new Error(`the namespaces were not made: ${said}`)
    const initPid = await innermostChild(holder.pid!)
    const socketPath = join(folder, 'run/libvirt-sock')
    const uri = `qemu+unix:///system?socket=${socketPath}`
    const enterPrefix = () => ['nsenter', '--target', String(initPid), '--mount', '--net', '--pid', '--']
    const pidsOf = (command: string) => pidsInside(initPid, command)
    const enter = async (argv: string[]) => {
        const [program, ...rest] = [...enterPrefix(), ...argv]
        return (await run(program!, rest, { maxBuffer: 64 << 20 })).stdout
    }

    let daemon: ChildProcess | undefined
    const start = async () => {
        const [program, ...rest] = [
            ...enterPrefix(),
            'libvirtd',
            ...['--config', `${folder}/etc/libvirtd.conf`],
            ...['--pid-file', `${folder}/run/libvirtd.pid`],
        ]
        const out = openSync(join(folder, 'log/stderr.log'), 'a')
        daemon = spawn(program!, rest, { stdio: ['ignore', out, out] })
        closeSync(out)
        const began = daemon
        await until('libvirtd to answer', 20_000, async () => {
            if (began.exitCode !== null)
                throw new Error(`libvirtd ended at once:\n${await readFile(join(folder, 'log/stderr.log'), 'utf8')}`)
            return (await answers(socketPath)) && (await virsh(['uri']).catch(() => '')) !== ''
        })
    }
    const virsh = async (args: string[]) =>
        (await run('virsh', ['--quiet', '--connect', uri, ...args], { maxBuffer: 64 << 20 })).stdout
    const kill = async () => {
        for (const pid of await pidsOf('libvirtd')) signal(pid, 'SIGKILL')
        await until('libvirtd to be gone', 10_000, async () => (await pidsOf('libvirtd')).length === 0)
    }
    const stop = async () => {
        const ended = holder.exitCode === null ? new Promise(resolve => holder.once('close', resolve)) : undefined
        holder.stdin!.end()
        await ended
        await rm(folder, { recursive: true, force: true })
    }

    try {
        await start()
    } catch (trouble) {
        await stop()
        throw trouble
    }
    return {
        socketPath,
        uri,
        folder,
        imagesDir: join(folder, 'images'),
        vncDir: join(folder, 'vnc'),
        virsh,
        enter,
        enterPrefix,
        qemuPids: () => pidsOf('qemu-system-'),
        kill,
        restart: async () => {
            await kill()
            await start()
        },
        log: () => readFile(join(folder, 'log/libvirtd.log'), 'utf8'),
        stop,
    }
}

/** The world's folder tree and configuration, before anything runs. */
async function lay(folder: string, options: LibvirtOptions) {
    for (const name of ['etc/qemu/networks/autostart', 'lib', 'run', 'cache', 'log', 'images', 'vnc'])
        await mkdir(join(folder, name), { recursive: true })
    // Copied rather than written: the packages' own network and filters are what a real node has. Autostart is not.
    await run('cp', ['-a', '/etc/libvirt/nwfilter', join(folder, 'etc/')]).catch(() => undefined)
    await run('cp', ['/etc/libvirt/qemu/networks/default.xml', join(folder, 'etc/qemu/networks/')]).catch(
        () => undefined,
    )
    const lines = (...parts: string[][]) => `${parts.flat().join('\n')}\n`
    await writeFile(join(folder, 'etc/libvirtd.conf'), lines(libvirtdConf(folder), options.libvirtdConf ?? []))
    await writeFile(join(folder, 'etc/qemu.conf'), lines(qemuConf, options.qemuConf ?? []))
}

/** Resolves when the condition holds; rejects with what was waited for after the deadline. */
export async function until(what: string, deadlineMs: number, holds: () => Promise<boolean> | boolean) {
    const end = Date.now() + deadlineMs
    while (!(await holds())) {
        if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms for ${what}`)
        await new Promise(resolve => setTimeout(resolve, 50))
    }
}

/** True when something accepts a connection on the Unix socket. */
export function answers(socketPath: string): Promise<boolean> {
    return new Promise(resolve => {
        const socket = createConnection(socketPath)
        socket.once('connect', () => {
            socket.destroy()
            resolve(true)
        })
        socket.once('error', () => resolve(false))
    })
}

function firstLine(child: ChildProcess, deadlineMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
        let errors = ''
        const timer = setTimeout(() => reject(new Error(`nothing said within ${deadlineMs} ms: ${errors}`)), deadlineMs)
        child.stderr!.on('data', chunk => {
            errors += chunk
        })
        child.stdout!.once('data', chunk => {
            clearTimeout(timer)
            resolve(String(chunk).trim())
        })
        child.once('close', code => {
            clearTimeout(timer)
            reject(new Error(`ended with ${code}: ${errors}`))
        })
    })
}

/** outer sh → unshare → inner sh: the last of the line is process 1 of the namespaces. */
async function innermostChild(pid: number): Promise<number> {
    for (let at = pid, depth = 0; ; depth++) {
        if (depth === 2) return at
        const children = (await readFile(`/proc/${at}/task/${at}/children`, 'utf8')).trim().split(' ')
        at = Number(children[0])
    }
}

async function pidsInside(initPid: number, command: string): Promise<number[]> {
    const namespace = await readlink(`/proc/${initPid}/ns/pid`).catch(() => undefined)
    if (!namespace) return []
    const found: number[] = []
    for (const name of await readdir('/proc')) {
        if (!/^\d+$/.test(name)) continue
        try {
            if ((await readlink(`/proc/${name}/ns/pid`)) !== namespace) continue
            const line = await readFile(`/proc/${name}/stat`, 'utf8')
            const [, comm, state] = /\((.*)\) (\S)/.exec(line) ?? []
            if (comm?.startsWith(command) && state !== 'Z') found.push(Number(name))
        } catch {
            // It ended while it was looked at.
        }
    }
    return found
}

function signal(pid: number, name: NodeJS.Signals) {
    try {
        process.kill(pid, name)
    } catch {
        // Already gone, which is what was wanted.
    }
}
