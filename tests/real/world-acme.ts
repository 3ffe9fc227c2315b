// A real ACME server of its own: pebble, which looks at the challenge as an authority does, and a DNS that leads to this machine.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './world.ts'

export interface AcmeWorld {
    /** `https://localhost:<port>/dir` */
    directory: string
    /** PEM of the authority of the server's own certificate. */
    caBundle: string
    /** The port that it asks at, in the place of 80. */
    challengePort: number
    /** Where EAB is wanted. */
    eab: { keyId: string; secret: string }
    stop(): Promise<void>
}

export async function freePort(): Promise<number> {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await new Promise(resolve => server.close(resolve))
    return port
}

const EAB = { keyId: 'kid-1', secret: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' }

function openssl(folder: string, ...argv: string[]): void {
    const { status, stderr } = spawnSync('openssl', argv, { cwd: folder, encoding: 'utf8' })
    if (status !== 0) throw new Error(`openssl ${argv[0]}: ${stderr}`)
}

/** `dns`: another DNS server that it asks. */
export async function startAcme(
    how: { needsEab?: boolean; lifeSeconds?: number; dns?: string } = {},
): Promise<AcmeWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'debvisor-acme-'))
    const [port, managementPort, challengePort, dns, dnsManagement] = await Promise.all(
        Array.from({ length: 5 }, freePort),
    )
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    openssl(
        folder,
        'req',
        '-x509',
        ...key,
        '-keyout',
        'ca.key',
        '-out',
        'ca.crt',
        '-subj',
        '/CN=ACME test',
        '-days',
        '2',
    )
    const names = ['-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE']
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '2', '-subj', '/CN=localhost']
    openssl(folder, 'req', '-x509', ...key, '-keyout', 'tls.key', '-out', 'tls.crt', ...signed, ...names)
    const pebble = {
        ...{ listenAddress: `127.0.0.1:${port}`, managementListenAddress: `127.0.0.1:${managementPort}` },
        ...{ certificate: join(folder, 'tls.crt'), privateKey: join(folder, 'tls.key') },
        ...{ httpPort: challengePort, tlsPort: 1, ocspResponderURL: '' },
        ...(how.lifeSeconds ? { certificateValidityPeriod: how.lifeSeconds } : {}),
        externalAccountBindingRequired: how.needsEab ?? false,
        ...(how.needsEab ? { externalAccountMACKeys: { [EAB.keyId]: EAB.secret } } : {}),
    }
    await writeFile(join(folder, 'pebble.json'), JSON.stringify({ pebble }))
    const children: ChildProcess[] = []
    let said = ''
    const run = (program: string, argv: string[], env: Record<string, string> = {}): void => {
        const child = spawn(program, argv, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
        for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (said += String(chunk)))
        children.push(child)
    }
    const off = ['-http01', '', '-https01', '', '-tlsalpn01', '']
    run('pebble-challtestsrv', [
        ...['-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${dnsManagement}`],
        ...['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', ...off],
    ])
    run('pebble', ['-config', join(folder, 'pebble.json'), '-dnsserver', how.dns ?? `127.0.0.1:${dns}`], {
        PEBBLE_VA_NOSLEEP: '1',
    })
    try {
        await until('pebble to listen', 15_000, () => said.includes(`Listening on: 127.0.0.1:${port}`))
    } catch (thrown) {
        for (const child of children) child.kill('SIGKILL')
        throw new Error(`${String(thrown)}\n${said}`)
    }
    return {
        directory: `https://localhost:${port}/dir`,
        caBundle: await readFile(join(folder, 'ca.crt'), 'utf8'),
        challengePort: challengePort!,
        eab: EAB,
        async stop() {
            for (const child of children) child.kill('SIGKILL')
            await rm(folder, { recursive: true, force: true })
        },
    }
}
