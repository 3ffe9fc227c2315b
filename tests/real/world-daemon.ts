// The whole daemon against an isolated libvirtd and etcd: started, killed, restarted; with clients for its doors.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { DescService } from '@bufbuild/protobuf'
import { type Client, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { State, type Task, TaskService } from '../../src/gen/proto/capabilities/task/task_pb.js'
import { type EtcdWorld, type LibvirtWorld, startEtcd, startLibvirt } from './world.ts'

export interface DaemonWorld {
    libvirt: LibvirtWorld
    etcd: EtcdWorld
    /** State folder of the daemon. */
    folder: string
    /** `https://127.0.0.1:<port>`; another one after each restart. */
    readonly url: string
    /** The panel's certificate, PEM. */
    certificate(): Promise<string>
    socketPath: string
    /** The link of the first login, as root gets it over the local socket; null where there is none. */
    readonly firstLogin: string | null
    readonly pid: number
    /** A client over the local socket, that is: root of the node. */
    client<S extends DescService>(service: S): Client<S>
    /** Follows a task to its end, and throws its problem unless it is done. */
    done(begun: { task: string }): Promise<Task>
    /** SIGKILL; resolves when it is gone. */
    kill(): Promise<void>
    /** Starts it (again); resolves when it says that it is ready. */
    start(): Promise<void>
    /** Starts a second one with the same command line; resolves with how that one ended. */
    twin(): Promise<{ code: number | null; said: string }>
    /** Everything it wrote to standard error so far. */
    log(): string
    /** Ends all, and removes all. */
    stop(): Promise<void>
}

const root = new URL('../../', import.meta.url).pathname

/** Starts libvirtd, etcd and the daemon, each of its own. `bundle` takes dist/rpcd.mjs instead of the sources. */
export async function startDaemon(how: { bundle?: boolean; args?: string[] } = {}): Promise<DaemonWorld> {
    const [libvirt, etcd] = await Promise.all([startLibvirt({ name: 'daemon' }), startEtcd()])
    const folder = await mkdtemp(join(tmpdir(), 'debvisor-daemon-'))
    const socketPath = join(folder, 'rpcd.sock')
    let child: ChildProcess | undefined
    let ready = { url: '' }
    let firstLogin: string | null = null
    let text = ''

    const program = how.bundle
        ? [join(root, 'dist/rpcd.mjs')]
        : ['--import', 'tsx', join(root, 'src/apps/rpcd/main.ts')]
    const argv = [
        ...program,
        ...['--state', folder, '--audit', join(folder, 'audit'), '--pki', join(folder, 'pki')],
        ...['--pool', libvirt.imagesDir, '--listen', '127.0.0.1:0', '--libvirt', libvirt.socketPath],
        ...[
            '--etcd',
            etcd.endpoints[0]!,
            '--accel',
            'tcg',
            '--socket',
            socketPath,
            '--panel',
            join(root, 'dist/panel'),
        ],
        ...['--import-folder', join(folder, 'import')],
        ...(how.args ?? []),
    ]
    const listening = () =>
        new Promise<void>((resolve, reject) => {
            const started = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
            child = started
            started.stderr.on('data', chunk => {
                text = `${text}${chunk}`.slice(-1_000_000)
            })
            const late = setTimeout(
                () => reject(new Error(`the daemon is not ready after 60 s:\n${text.slice(-4000)}`)),
                60_000,
            )
            started.once('error', reject)
            started.once('exit', code => reject(new Error(`the daemon ended with ${code}:\n${text.slice(-4000)}`)))
            createInterface({ input: started.stdout }).on('line', line => {
                if (!line.startsWith('{"ready":true')) return
                clearTimeout(late)
                ready = JSON.parse(line)
                resolve()
            })
        })
    const end = (signal: NodeJS.Signals) =>
        new Promise<void>(resolve => {
            const ending = child
            if (!ending || ending.exitCode !== null || ending.signalCode !== null) return resolve()
            ending.once('exit', () => resolve())
            ending.kill(signal)
        })
    const client = <S extends DescService>(service: S): Client<S> =>
        createClient(
            service,
            createConnectTransport({ baseUrl: 'http://localhost', httpVersion: '1.1', nodeOptions: { socketPath } }),
        )
    const start = async () => {
        await listening()
        const link = await client(IdentityService)
            .newFirstLogin({})
            .catch(() => undefined)
        firstLogin = link ? `${ready.url}${link.path}` : null
    }
    /** Runs the same command line once more, to its end. */
    const twin = () =>
        new Promise<{ code: number | null; said: string }>((resolve, reject) => {
            const second = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
            const late = setTimeout(() => second.kill('SIGKILL'), 30_000)
            let said = ''
            for (const stream of [second.stdout, second.stderr]) {
                stream.on('data', chunk => {
                    said += chunk
                })
            }
            second.once('error', reject)
            second.once('close', code => {
                clearTimeout(late)
                resolve({ code, said })
            })
        })
    const stop = async () => {
        await end('SIGTERM')
        await Promise.all([libvirt.stop(), etcd.stop()])
        await rm(folder, { recursive: true, force: true })
    }
    try {
        await start()
    } catch (thrown) {
        await stop()
        throw thrown
    }
    return {
        libvirt,
        etcd,
        folder,
        socketPath,
        get url() {
            return ready.url
        },
        get firstLogin() {
            return firstLogin
        },
        get pid() {
            return child?.pid ?? 0
        },
        certificate: () => readFile(join(folder, 'pki/panel.crt'), 'utf8'),
        client,
        async done({ task: id }) {
            for await (const { task } of client(TaskService).watch({ id })) {
                if (!task || task.state === State.RUNNING) continue
                if (task.state === State.DONE) return task
                const { summary, detail, fix } = task.problem ?? { summary: State[task.state], detail: '', fix: '' }
                throw new Error(`${task.title}: ${summary}: ${detail} (${fix})`)
            }
            throw new Error(`the task ${id} was not there`)
        },
        kill: () => end('SIGKILL'),
        start,
        twin,
        log: () => text,
        stop,
    }
}
