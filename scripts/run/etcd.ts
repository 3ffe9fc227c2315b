// etcd with one member on loopback: certificates of its own in the state folder, mutual TLS, data that stays.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { keepRunning, type Service } from './supervise.ts'
import { unitPrefix } from './systemd.ts'
import { waitFor } from './wait.ts'

const run = promisify(execFile)

export interface Etcd {
    endpoint: string
    caPath: string
    certPath: string
    keyPath: string
    how: string
    service?: Service
    stop(): Promise<void>
}

interface Ports {
    client: number
    peer: number
}

const usualPorts: Ports = { client: 12379, peer: 12380 }

/** An etcd that answers to our certificate; one that was left running by an earlier run is found by it. */
export async function ensureEtcd(
    state: string,
    options: { asUnit: boolean; onEnd: (how: string) => void; signal?: AbortSignal },
): Promise<Etcd> {
    const folder = join(state, 'etcd')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const pki = await certificates(join(state, 'pki'))
    let ports = readPorts(folder)
    const about = (how: string, stop: () => Promise<void>, service?: Service) => {
        const endpoint = `https://127.0.0.1:${ports.client}`
        return { endpoint, ...pki, how, stop, service }
    }
    if (await healthy(ports, pki)) return about('found running', async () => {})
    if (!(await isFree(ports.client)) || !(await isFree(ports.peer))) {
        ports = await freePorts()
        writeFileSync(join(folder, 'ports.json'), JSON.stringify(ports))
    }
    const service = keepRunning({
        name: 'etcd',
        argv: memberCommand(folder, ports, pki),
        logPath: join(state, 'log/etcd.log'),
        onEnd: options.onEnd,
        unit: options.asUnit ? `${unitPrefix}etcd` : undefined,
    })
    try {
        const within = { deadlineMs: 30_000, signal: options.signal }
        await waitFor('etcd to be healthy', within, () => healthy(ports, pki))
    } catch (trouble) {
        await service.stop()
        throw new Error(`${(trouble as Error).message}; its words are in ${state}/log/etcd.log`)
    }
    const how = options.asUnit ? `started as ${unitPrefix}etcd.service` : 'started as a child'
    return about(how, () => service.stop(), service)
}

function memberCommand(folder: string, ports: Ports, pki: Pki): string[] {
    const [client, peer] = [`https://127.0.0.1:${ports.client}`, `https://127.0.0.1:${ports.peer}`]
    return [
        ...['etcd', '--name', 'node', '--data-dir', join(folder, 'data'), '--log-level', 'warn', '--logger', 'zap'],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `node=${peer}`],
        ...[
            '--client-cert-auth',
            '--trusted-ca-file',
            pki.caPath,
            '--cert-file',
            pki.certPath,
            '--key-file',
            pki.keyPath,
        ],
        ...['--peer-client-cert-auth', '--peer-trusted-ca-file', pki.caPath],
        ...['--peer-cert-file', pki.certPath, '--peer-key-file', pki.keyPath],
        ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '1h'],
    ]
}

function readPorts(folder: string): Ports {
    const path = join(folder, 'ports.json')
    return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : usualPorts
}

async function isFree(port: number): Promise<boolean> {
    const server = createServer()
    return new Promise(resolve => {
        server.once('error', () => resolve(false))
        server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
}

async function freePorts(): Promise<Ports> {
    const take = () => {
        const server = createServer()
        return new Promise<{ port: number; server: typeof server }>(resolve =>
            server.listen(0, '127.0.0.1', () => resolve({ port: (server.address() as { port: number }).port, server })),
        )
    }
    const [client, peer] = await Promise.all([take(), take()])
    for (const { server } of [client!, peer!]) await new Promise(resolve => server.close(resolve))
    return { client: client!.port, peer: peer!.port }
}

interface Pki {
    caPath: string
    certPath: string
    keyPath: string
}

function healthy(ports: Ports, pki: Pki): Promise<boolean> {
    return new Promise(resolve => {
        const asked = request({
            host: '127.0.0.1',
            port: ports.client,
            path: '/health',
            ca: readFileSync(pki.caPath),
            cert: readFileSync(pki.certPath),
            key: readFileSync(pki.keyPath),
            timeout: 3_000,
        })
        asked.once('response', answer => {
            answer.resume()
            resolve(answer.statusCode === 200)
        })
        asked.once('error', () => resolve(false))
        asked.once('timeout', () => asked.destroy())
        asked.end()
    })
}

/** A CA and one certificate (server and client, loopback only), made once; ten years, since they never leave the folder. */
async function certificates(folder: string): Promise<Pki> {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const at = (name: string) => join(folder, name)
    const pki = { caPath: at('etcd-ca.crt'), certPath: at('etcd.crt'), keyPath: at('etcd.key') }
    if (existsSync(pki.certPath)) return pki
    const make = (...words: string[]) =>
        run('openssl', [
            ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-sha256'],
            ...['-days', '3650', ...words],
        ])
    await make('-subj', '/O=DebVisor/CN=etcd CA', '-keyout', at('etcd-ca.key'), '-out', pki.caPath)
    const extensions = [
        'subjectAltName=IP:127.0.0.1,DNS:localhost',
        'basicConstraints=critical,CA:FALSE',
        'extendedKeyUsage=serverAuth,clientAuth',
    ]
    await make(
        ...['-subj', '/O=DebVisor/CN=debvisor', '-CA', pki.caPath, '-CAkey', at('etcd-ca.key')],
        ...extensions.flatMap(extension => ['-addext', extension]),
        ...['-keyout', pki.keyPath, '-out', pki.certPath],
    )
    return pki
}
