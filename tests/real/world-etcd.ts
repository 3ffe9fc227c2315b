// A real etcd of one member on free loopback ports, with its data in a folder of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './world-libvirt.ts'

/** A running etcd. Its addresses and data stay the same over kill and restart. */
export interface EtcdWorld {
    /** Client addresses, as etcd3 wants them. */
    endpoints: string[]
    /** Holds the member's data. */
    folder: string
    /** SIGKILL; resolves when it is gone. */
    kill(): Promise<void>
    /** Starts it again on the same data and ports; resolves when it is healthy. */
    restart(): Promise<void>
    /** Ends it and removes its data. */
    stop(): Promise<void>
}

/** Starts one etcd member and resolves when it is healthy. */
export async function startEtcd(): Promise<EtcdWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'dv-etcd-'))
    const [clientPort, peerPort] = await freePorts(2)
    const client = `http://127.0.0.1:${clientPort}`
    const peer = `http://127.0.0.1:${peerPort}`
    let daemon: ChildProcess | undefined
    // Its standard input closes when the test process ends in whatever way: then the folder goes as well.
    const sweep = ['-c', 'cat >/dev/null; sleep 1; rm -rf "$1"', 'sh', folder]
    const sweeper = spawn('sh', sweep, { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    sweeper.unref()

    const start = async () => {
        const out = openSync(join(folder, 'etcd.log'), 'a')
        // The kernel ends it when the test process dies, SIGKILL included.
        const argv = [
            ...['--pdeathsig', 'SIGKILL', 'etcd'],
            ...['--name', 'one', '--data-dir', join(folder, 'data')],
            ...['--listen-client-urls', client, '--advertise-client-urls', client],
            ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
            ...['--initial-cluster', `one=${peer}`, '--initial-cluster-state', 'new', '--unsafe-no-fsync'],
        ]
        const began = spawn('setpriv', argv, { stdio: ['ignore', out, out] })
        closeSync(out)
        daemon = began
        await until('etcd to be healthy', 20_000, async () => {
            if (began.exitCode !== null)
                throw new Error(`etcd ended:\n${await readFile(join(folder, 'etcd.log'), 'utf8')}`)
            const answer = await fetch(`${client}/health`).catch(() => undefined)
            return answer?.ok === true && (await answer.text()).includes('true')
        })
    }
    const kill = async () => {
        const going = daemon
        if (!going || going.exitCode !== null || going.signalCode !== null) return
        const gone = new Promise(resolve => going.once('exit', resolve))
        going.kill('SIGKILL')
        await gone
    }
    const stop = async () => {
        process.off('exit', lastWill)
        await kill()
        await rm(folder, { recursive: true, force: true })
        sweeper.stdin.end()
    }
    const lastWill = () => daemon?.kill('SIGKILL')
    process.on('exit', lastWill)

    try {
        await start()
    } catch (trouble) {
        await stop()
        throw trouble
    }
    return {
        endpoints: [client],
        folder,
        kill,
        restart: async () => {
            await kill()
            await start()
        },
        stop,
    }
}

/** Loopback TCP ports that nothing listens on at this moment, all different. */
export async function freePorts(count: number): Promise<number[]> {
    const servers = await Promise.all(
        Array.from({ length: count }, async () => {
            const server = createServer()
            await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
            return server
        }),
    )
    return Promise.all(
        servers.map(async server => {
            const { port } = server.address() as { port: number }
            await new Promise(resolve => server.close(resolve))
            return port
        }),
    )
}
