// The peer where it is installed: an Incus of its own with as many instances, asked over its Unix socket.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../tests/real/world-libvirt.ts'

/** A running Incus, in a folder of its own. */
export interface Incus {
    /** Makes more instances, until there are so many: containers without a system, stopped. */
    grow(count: number): Promise<void>
    /** Milliseconds of so many lists with state, memory and vCPUs of all instances, one after the other. */
    lists(requests: number): Promise<number[]>
    stop(): Promise<void>
}

const daemon = ['/usr/libexec/incus/incusd', '/usr/sbin/incusd', '/usr/bin/incusd'].find(existsSync)

/** Why there is nothing to compare with; empty where there is. */
export async function whyNoIncus(): Promise<string> {
    if (daemon) return ''
    const release = await readFile('/etc/os-release', 'utf8')
    const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(release)?.[1] ?? 'this system'
    const version = Number(/^VERSION_ID="?(\d+)/m.exec(release)?.[1])
    return version < 13
        ? `${system} has no package of it`
        : `it is not installed (apt install incus-base, on ${system})`
}

/** Starts Incus in a folder, a network and mounts of its own; the machine's, if it runs, is not asked. */
export async function startIncus(): Promise<Incus> {
    const folder = await mkdtemp(join(tmpdir(), 'bench-incus-'))
    let said = ''
    const child = spawn('unshare', ['--mount', '--net', '--propagation', 'private', daemon!, '--group', 'root'], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, INCUS_DIR: folder },
    })
    for (const stream of [child.stdout, child.stderr])
        stream.on('data', chunk => {
            said += chunk
        })
    const stop = async () => {
        const ended = child.exitCode === null && child.signalCode === null
        const gone = ended ? new Promise(resolve => child.once('close', resolve)) : undefined
        child.kill('SIGKILL')
        await gone
        await rm(folder, { recursive: true, force: true })
    }
    const ask = asker(join(folder, 'unix.socket'))
    let made = 0
    const make = async () => {
        const { id } = (await ask('POST', '/1.0/instances', instance(made++))) as { id: string }
        const { status, err } = (await ask('GET', `/1.0/operations/${id}/wait`)) as { status: string; err: string }
        if (status !== 'Success') throw new Error(`Incus made no instance: ${err}`)
    }
    try {
        await until('Incus to answer', 60_000, async () => {
            if (child.exitCode !== null) throw new Error(`Incus ended at once:\n${said.slice(-2000)}`)
            return ask('GET', '/1.0').then(
                () => true,
                () => false,
            )
        })
        await ask('POST', '/1.0/storage-pools', { name: 'bench', driver: 'dir' })
    } catch (trouble) {
        await stop()
        throw trouble
    }
    return {
        async grow(count) {
            while (made < count) await Promise.all(Array.from({ length: Math.min(8, count - made) }, make))
        },
        async lists(requests) {
            const list = () => ask('GET', '/1.0/instances?recursion=1') as Promise<unknown[]>
            if ((await list()).length !== made) throw new Error("Incus's list is not whole")
            for (let i = 0; i < 20; i++) await list()
            const samples: number[] = []
            for (let i = 0; i < requests; i++) {
                const began = performance.now()
                await list()
                samples.push(performance.now() - began)
            }
            return samples
        },
        stop,
    }
}

const instance = (number: number) => ({
    name: `c${String(number).padStart(5, '0')}`,
    type: 'container',
    source: { type: 'none' },
    profiles: [],
    config: { 'limits.memory': '1GiB', 'limits.cpu': '1' },
    devices: { root: { type: 'disk', path: '/', pool: 'bench' } },
})

/** Calls over one connection that is kept; answers `metadata`, rejects with Incus's own words. */
function asker(socketPath: string) {
    const agent = new Agent({ keepAlive: true })
    return (method: string, path: string, body?: object): Promise<unknown> =>
        new Promise((resolve, reject) => {
            const headers = { host: 'incus', 'content-type': 'application/json' }
            const asked = request({ socketPath, path, method, agent, headers })
            asked.once('error', reject)
            asked.once('response', answer => {
                const parts: Buffer[] = []
                answer.on('data', part => parts.push(part))
                answer.once('end', () => {
                    const { type, error, metadata } = JSON.parse(Buffer.concat(parts).toString())
                    if (type === 'error') reject(new Error(`Incus: ${error}`))
                    else resolve(metadata)
                })
            })
            asked.end(body ? JSON.stringify(body) : undefined)
        })
}
