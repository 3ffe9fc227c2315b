// A real dockerd of Debian 13 of its own, with registry and Compose: own namespaces and folder, nothing of the machine's.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { debianMirror } from '../../scripts/mirror.ts'
import { cached, tool } from './world-cache.ts'
import { answers, until } from './world-libvirt.ts'

const run = promisify(execFile)

const packages = ['docker.io', 'docker-cli', 'docker-compose', 'docker-registry', 'busybox-static'].concat([
    'iptables',
    'iproute2',
    'procps',
    'ca-certificates',
])
const settings = ['--aptopt=APT::Install-Recommends "false"', '--dpkgopt=force-unsafe-io'].concat(
    ['doc', 'man', 'locale'].map(name => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
)
/** Folders of the tree that a world puts its own in the place of, by their names in the world's folder. */
const own = { data: 'var/lib/docker', registry: 'var/lib/docker-registry', etc: 'etc/docker', opt: 'opt' }
// A kept tree must not name the mirror that it was made from.
const hooks = ['rm -f "$1/etc/apt/sources.list" "$1"/etc/apt/sources.list.d/*'].concat(
    Object.values(own).map(path => `mkdir -p "$1/${path}"`),
)

export interface DockerWorld {
    /** The daemon's Unix socket; reachable from outside the namespaces. */
    socketPath: string
    folder: string
    /** Runs Debian's docker command against this daemon, as somebody beside us would; answers its standard output. */
    docker(args: string[], options?: { stdin?: string }): Promise<string>
    /** Runs a program in the namespaces and the tree. */
    enter(argv: string[], stdin?: string): Promise<string>
    /** Debian 13's docker-compose in the tree, which needs nothing of it: it runs on this host as well. */
    composeProgram: string
    enterPrefix(): string[]
    /** Its network namespace alone, by its file. */
    network: string
    /** Makes an image of busybox by `docker import`, with a command that stays. */
    image(name: string, how?: { changes?: string[]; files?: Record<string, string> }): Promise<void>
    /** Debian's docker-registry on the loopback of the world; answers its address, such as 127.0.0.1:5000. */
    startRegistry(how?: { user: string; password: string }): Promise<string>
    /** SIGKILL to dockerd alone; containers go on (live-restore). */
    kill(): Promise<void>
    /** Ends dockerd in order. */
    end(): Promise<void>
    start(): Promise<void>
    /** SIGSTOP or SIGCONT to dockerd: it accepts, and answers nothing. */
    freeze(frozen: boolean): Promise<void>
    log(): Promise<string>
    stop(): Promise<void>
}

/** Why no dockerd can run on this machine; empty when one can. */
export function whyNoDocker(): string {
    if (process.getuid?.() !== 0) return 'an isolated dockerd needs root'
    return existsSync('/usr/bin/mmdebstrap') ? '' : 'mmdebstrap is not installed'
}

// As in world-libvirt: the inner shell is process 1 of the namespaces and ends when its standard input closes.
const outer = `
unshare --mount --net --pid --uts --fork --kill-child --propagation private sh -eu -c "$INNER"
rm -rf "$FOLDER"
# The control groups that dockerd made for its containers, empty by now.
find /sys/fs/cgroup -depth -type d -path "*/$(basename "$FOLDER")*" -exec rmdir {} + || :
`
const inner = `
[ "$DISK_MB" = 0 ] || mount -t tmpfs -o "size=\${DISK_MB}m" data "$FOLDER/data"
mount --bind "$BASE" "$FOLDER/root"
mount -o remount,bind,ro "$FOLDER/root"
mount -t proc proc "$FOLDER/root/proc"
mount -t sysfs sysfs "$FOLDER/root/sys"
mount --rbind /dev "$FOLDER/root/dev"
mount --rbind /sys/fs/cgroup "$FOLDER/root/sys/fs/cgroup"
mount --bind "$FOLDER/run" "$FOLDER/root/run"
mount --bind "$FOLDER/tmp" "$FOLDER/root/tmp"
${Object.entries(own)
    .map(([name, path]) => `mount --bind "$FOLDER/${name}" "$FOLDER/root/${path}"`)
    .join('\n')}
ip link set lo up
# The root of the namespace itself, not a chroot in it: what runc executes in a container would else land in the old root.
cd "$FOLDER/root"
pivot_root . mnt
exec chroot . sh -eu -c 'umount -l /mnt; echo ready; cat >/dev/null'
`

/**
 * Starts an isolated dockerd and resolves when it answers; with `diskMb` its images have so much room and no more. It
 * ends, with all in it, when the test process does.
 */
export async function startDocker({ diskMb = 0 } = {}): Promise<DockerWorld> {
    const why = whyNoDocker()
    if (why) throw new Error(why)
    const base = join(await cached('docker-node', JSON.stringify([packages, settings, hooks]), make), 'root')
    const folder = await mkdtemp(join(tmpdir(), 'dv-docker-'))
    await chmod(folder, 0o755)
    for (const name of ['root', 'run', 'tmp', ...Object.keys(own)]) await mkdir(join(folder, name))
    await chmod(join(folder, 'tmp'), 0o1777)
    const holder = spawn('sh', ['-eu', '-c', outer], {
        stdio: ['pipe', 'pipe', 'inherit'],
        detached: true,
        env: { ...process.env, INNER: inner, FOLDER: folder, BASE: base, DISK_MB: String(diskMb) },
    })
    await new Promise<void>((resolve, reject) => {
        holder.stdout!.once('data', () => resolve())
        holder.once('close', code => reject(new Error(`the namespaces were not made (${code})`)))
    })
    const initPid = await innermost(holder)
    const group = `/${basename(folder)}`
    const socketPath = join(folder, 'run/docker.sock')
    const enterPrefix = () => [
        ...['nsenter', '--target', String(initPid), '--mount', '--net', '--pid', '--uts', '--wdns=/', '--'],
        ...['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/tmp', 'LANG=C.UTF-8'],
    ]
    const enter = async (argv: string[], stdin?: string) => {
        const [program, ...rest] = [...enterPrefix(), ...argv]
        const running = run(program!, rest, { maxBuffer: 256 << 20 })
        if (stdin !== undefined) running.child.stdin!.end(stdin)
        return (await running).stdout
    }
    const pid = async () => Number((await readFile(join(folder, 'run/docker.pid'), 'utf8').catch(() => '')).trim() || 0)
    const signal = async (name: string) => {
        const one = await pid()
        if (one > 0) await enter(['kill', '-s', name, String(one)]).catch(() => undefined)
    }

    let daemon: ChildProcess | undefined
    const start = async () => {
        await rm(join(folder, 'run/docker.pid'), { force: true })
        const options = ['--live-restore', '--cgroup-parent', group, '--host', 'unix:///run/docker.sock']
        const [program, ...rest] = [...enterPrefix(), 'sh', '-c', 'exec dockerd "$@" >>/tmp/dockerd.log 2>&1', 'sh']
        daemon = spawn(program!, [...rest, ...options], { stdio: 'ignore' })
        const began = daemon
        await until('dockerd to answer', 60_000, async () => {
            if (began.exitCode !== null) throw new Error(`dockerd ended at once:\n${(await log()).slice(-2000)}`)
            return (await answers(socketPath)) && (await enter(['docker', 'version']).catch(() => '')) !== ''
        })
    }
    const gone = async () => {
        const ending = daemon
        if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
        await new Promise(resolve => ending.once('exit', resolve))
    }
    const log = () => readFile(join(folder, 'tmp/dockerd.log'), 'utf8').catch(() => '')
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
        folder,
        docker: (args, options) => enter(['docker', ...args], options?.stdin),
        enter,
        enterPrefix,
        network: `/proc/${initPid}/ns/net`,
        composeProgram: join(base, 'usr/libexec/docker/cli-plugins/docker-compose'),
        async image(name, { changes = [], files = {} } = {}) {
            const at = `/tmp/image-${Math.random().toString(36).slice(2)}`
            const links =
                'for a in sh ls cat sleep echo httpd wget ps dd yes head id env test mkdir stty; do ln -s busybox $0/bin/$a; done'
            await enter(['sh', '-c', `mkdir -p $0/bin $0/tmp $0/etc && cp /bin/busybox $0/bin/ && ${links}`, at])
            for (const [path, text] of Object.entries(files)) {
                await mkdir(join(folder, at, path, '..'), { recursive: true })
                await writeFile(join(folder, at, path), text)
            }
            const said = ['CMD ["sleep","1000000"]', ...changes].flatMap(change => ['--change', change])
            const words = said.map(word => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
            await enter(['sh', '-c', `tar -C $0 -c . | docker import ${words} - ${name} && rm -rf $0`, at])
        },
        async startRegistry(how) {
            const lines = ['version: 0.1', 'storage:', '  filesystem:', '    rootdirectory: /var/lib/docker-registry']
            const http = ['http:', '  addr: 127.0.0.1:5000']
            const auth = how
                ? ['auth:', '  htpasswd:', '    realm: test', '    path: /var/lib/docker-registry/users']
                : []
            await writeFile(join(folder, 'registry/config.yml'), `${[...lines, ...http, ...auth].join('\n')}\n`)
            if (how) {
                // Bcrypt is all that the registry takes; Debian's perl makes it by its libcrypt.
                const script = 'print crypt(<STDIN>, q($2y$05$abcdefghijklmnopqrstuu))'
                const hash = await enter(['perl', '-e', script], how.password)
                await writeFile(join(folder, 'registry/users'), `${how.user}:${hash}\n`)
            }
            const [program, ...rest] = enterPrefix()
            const words = ['docker-registry', 'serve', '/var/lib/docker-registry/config.yml']
            spawn(program!, [...rest, ...words], { stdio: 'ignore' }).unref()
            await until('the registry to answer', 20_000, () =>
                enter(['sh', '-c', 'busybox nc -w 1 127.0.0.1 5000 </dev/null']).then(
                    () => true,
                    () => false,
                ),
            )
            return '127.0.0.1:5000'
        },
        async kill() {
            await signal('KILL')
            await gone()
        },
        async end() {
            await signal('TERM')
            await gone()
        },
        start,
        async freeze(frozen) {
            await signal(frozen ? 'STOP' : 'CONT')
            // nsenter stops itself with its child, but does not go on with it: then nothing would ever end.
            if (!frozen) daemon?.kill('SIGCONT')
        },
        log,
        stop,
    }
}

async function make(folder: string): Promise<void> {
    const mirror = debianMirror()
    if (!mirror) throw new Error('no Debian mirror stands in /etc/apt: add the sources and run again')
    const words = ['mmdebstrap', '--mode=root', '--variant=minbase', ...settings, `--include=${packages.join(',')}`]
    const asked = hooks.map(hook => `--customize-hook=${hook}`)
    await tool([...words, ...asked, 'trixie', join(folder, 'root'), mirror], { deadlineMs: 900_000 })
}

/** outer sh → unshare → inner sh: the last of the line is process 1 of the namespaces. */
async function innermost({ pid }: ChildProcess): Promise<number> {
    let at = pid!
    for (let depth = 0; depth < 2; depth++) {
        const children = await readFile(`/proc/${at}/task/${at}/children`, 'utf8')
        at = Number(children.trim().split(' ')[0])
    }
    return at
}
