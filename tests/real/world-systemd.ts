// A Debian 13 of its own with systemd as process 1 and what DebVisor needs: a container that ends with the test.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { debianMirror } from '../../scripts/mirror.ts'
import { cached, tool } from './world-cache.ts'
import { until } from './world-libvirt.ts'

const run = promisify(execFile)

const packages = ['systemd-sysv', 'dbus', 'udev', 'iproute2', 'procps', 'nodejs', 'curl', 'ca-certificates'].concat(
    ['libvirt-daemon-system', 'libvirt-daemon-driver-qemu', 'libvirt-clients', 'qemu-system-x86', 'qemu-utils', 'ovmf'],
    ['swtpm', 'swtpm-tools', 'etcd-server', 'dnsmasq-base', 'iptables', 'dmidecode', 'polkitd', 'openssl'],
)
/** A cluster of Ceph can be made in it, and libvirt and QEMU know RBD. */
const cephPackages = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'ceph-common', 'qemu-block-extra'].concat([
    'libvirt-daemon-driver-storage-rbd',
])
/** Containers and stacks run in it, behind a firewall. */
const dockerPackages = ['docker.io', 'docker-cli', 'docker-compose', 'busybox-static', 'nftables']
const settings = ['--aptopt=APT::Install-Recommends "false"', '--dpkgopt=force-unsafe-io'].concat(
    ['doc', 'man', 'locale'].map(name => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
)
// A kept tree must not name the mirror that it was made from.
const hooks = ['rm -f "$1/etc/apt/sources.list" "$1"/etc/apt/sources.list.d/*', ': >"$1/etc/machine-id"']
// It comes with Ceph, and fails where no kernel module can be loaded.
const cephHooks = ['ln -s /dev/null "$1/etc/systemd/system/nvmf-autoconnect.service"']

/** A booted node. */
export interface SystemdWorld {
    /** Runs a program in the node and answers its standard output; rejects when it fails. */
    enter(argv: string[]): Promise<string>
    /** The words to put before a command so that it runs in the node. */
    enterPrefix(): string[]
    stop(): Promise<void>
}

/** Why no node can be booted on this machine; empty when one can. */
export function whyNoSystemd(): string {
    if (process.getuid?.() !== 0) return 'a node with systemd needs root'
    const missing = ['systemd-nspawn', 'mmdebstrap'].find(name => !existsSync(`/usr/bin/${name}`))
    if (missing) return `${missing} is not installed`
    return groupRoots().length > 0 ? '' : 'no control group can be made here'
}

/** The roots of the hierarchies that systemd needs: one of its own below each, or nodes would share a tree. */
function groupRoots(): string[] {
    const hybrid = ['unified', 'systemd', 'memory', 'pids'].map(name => `/sys/fs/cgroup/${name}`).filter(existsSync)
    return hybrid.length > 0 ? hybrid : ['/sys/fs/cgroup'].filter(root => existsSync(`${root}/cgroup.procs`))
}

// The shell is process 1 of namespaces that end with it, and it ends when its standard input closes.
const outer = 'exec unshare --mount --pid --fork --kill-child --propagation private sh -eu -c "$INNER"'
const inner = `
mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$FOLDER/up,workdir=$FOLDER/work" "$FOLDER/root"
hostname=$(basename "$FOLDER")
echo "$hostname" >"$FOLDER/root/etc/hostname"
printf '127.0.0.1 localhost %s\\n' "$hostname" >"$FOLDER/root/etc/hosts"
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_SECCOMP=0 SYSTEMD_NSPAWN_LOCK=0 SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes \\
    systemd-nspawn --boot --quiet --register=no --keep-unit --capability=all --private-network --machine="$hostname" \\
    --directory="$FOLDER/root" --link-journal=no --resolv-conf=off --timezone=off --console=pipe \\
    --bind=/dev/net/tun --bind="$SHARED" --bind="$FOLDER/docker:/var/lib/docker" </dev/null >"$FOLDER/console" 2>&1 &
cat >/dev/null
`

/** Boots a node that has the folder `shared` (`outside:inside`); resolves when systemd says that it runs. */
export async function startSystemd(shared: string, { ceph = false, docker = false } = {}): Promise<SystemdWorld> {
    const more = [...(ceph ? cephPackages : []), ...(docker ? dockerPackages : [])]
    const tree = { include: [...packages, ...more], hooks: [...hooks, ...(ceph ? cephHooks : [])] }
    const recipe = JSON.stringify([tree.include, settings, tree.hooks])
    const base = join(await cached('systemd-node', recipe, folder => make(folder, tree)), 'root')
    const folder = await mkdtemp(join(tmpdir(), 'dv-systemd-'))
    // Docker keeps images in overlays, which cannot lie on an overlay themselves.
    for (const name of ['up', 'work', 'root', 'docker']) await mkdir(join(folder, name))
    const groups = groupRoots().map(root => join(root, basename(folder)))
    for (const group of groups) await mkdir(group)
    const holder = spawn('sh', ['-eu', '-c', outer], {
        stdio: ['pipe', 'ignore', 'inherit'],
        detached: true,
        env: { ...process.env, INNER: inner, FOLDER: folder, BASE: base, SHARED: shared },
    })
    for (const group of groups) await writeFile(join(group, 'cgroup.procs'), String(holder.pid))
    let leader = 0
    const enterPrefix = () => [
        ...['nsenter', '--target', String(leader), '--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup'],
        ...[
            '--root',
            '--wdns=/',
            '--',
            'env',
            '-i',
            'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
            'HOME=/root',
            'LANG=C.UTF-8',
        ],
    ]
    const enter = async (argv: string[]) => {
        const [program, ...words] = [...enterPrefix(), ...argv]
        return (await run(program!, words, { maxBuffer: 64 << 20 })).stdout
    }
    const stop = async () => {
        const ended = holder.exitCode === null ? new Promise(resolve => holder.once('close', resolve)) : undefined
        holder.stdin!.end()
        await ended
        for (const group of groups) await removeGroup(group)
        await rm(folder, { recursive: true, force: true })
    }
    try {
        await until('the node to have a process 1', 30_000, async () => {
            if (holder.exitCode !== null) throw new Error(`the node ended: ${await consoleOf(folder)}`)
            leader = (await processOne(holder)) ?? 0
            return leader > 0
        })
        await until('systemd to run', 120_000, async () => {
            const said = await enter(['systemctl', 'is-system-running']).catch(trouble => String(trouble.stdout))
            if (said.startsWith('degraded')) throw new Error(await enter(['systemctl', '--failed', '--no-legend']))
            return said.startsWith('running')
        })
    } catch (trouble) {
        await stop()
        throw trouble
    }
    return { enter, enterPrefix, stop }
}

const consoleOf = (folder: string) => readFile(join(folder, 'console'), 'utf8').catch(() => 'it said nothing')

async function make(folder: string, tree: { include: string[]; hooks: string[] }): Promise<void> {
    const mirror = debianMirror()
    if (!mirror) throw new Error('no Debian mirror stands in /etc/apt: add the sources and run again')
    const words = ['mmdebstrap', '--mode=root', '--variant=minbase', ...settings, `--include=${tree.include.join(',')}`]
    const asked = tree.hooks.map(hook => `--customize-hook=${hook}`)
    await tool([...words, ...asked, 'trixie', join(folder, 'root'), mirror], { deadlineMs: 900_000 })
}

/** The node's process 1 as seen from here: the descendant that is process 1 two namespaces below. */
async function processOne({ pid }: ChildProcess): Promise<number | undefined> {
    const waiting = [pid!]
    for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
        const status = await readFile(`/proc/${at}/status`, 'utf8').catch(() => '')
        const numbers = /^NSpid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? []
        if (numbers.length >= 3 && numbers.at(-1) === '1') return at
        const children = await readFile(`/proc/${at}/task/${at}/children`, 'utf8').catch(() => '')
        waiting.push(...children.split(' ').filter(Boolean).map(Number))
    }
    return undefined
}

/** Removes a control group with those below it, as soon as the last process has left. */
async function removeGroup(group: string): Promise<void> {
    for (const entry of await readdir(group, { withFileTypes: true }))
        if (entry.isDirectory()) await removeGroup(join(group, entry.name))
    await until(`${group} to be empty`, 10_000, () =>
        rmdir(group).then(
            () => true,
            () => false,
        ),
    )
}
