// A real DNS server of its own: BIND's named, primary of one zone that a key may change.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './world.ts'
import { freePort } from './world-acme.ts'

export interface DnsWorld {
    server: string
    port: number
    zone: string
    key: { name: string; algorithm: string; secret: string }
    /** What it said so far. */
    said(): string
    stop(): Promise<void>
}

export async function startDns(zone = 'debvisor.test'): Promise<DnsWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'debvisor-dns-'))
    const port = await freePort()
    const name = 'debvisor'
    const made = spawnSync('tsig-keygen', ['-a', 'hmac-sha512', name], { encoding: 'utf8' })
    const secret = /secret "([^"]+)"/.exec(made.stdout)?.[1]
    if (!secret) throw new Error('install the package bind9: its named and tsig-keygen are the DNS server of this test')
    await writeFile(
        join(folder, 'zone.db'),
        `$TTL 5\n@ IN SOA ns.${zone}. root.${zone}. 1 60 60 60 5\n@ IN NS ns.${zone}.\nns IN A 127.0.0.1\n`,
    )
    await writeFile(
        join(folder, 'named.conf'),
        `${made.stdout}
options {
    directory "${folder}";
    pid-file "${folder}/named.pid";
    listen-on port ${port} { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion no;
    allow-transfer { none; };
};
controls { };
zone "${zone}" {
    type primary;
    file "${folder}/zone.db";
    update-policy { grant ${name} zonesub TXT; };
};
`,
    )
    let said = ''
    const child: ChildProcess = spawn('named', ['-g', '-c', join(folder, 'named.conf')], {
        stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => (said += String(chunk)))
    const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
    try {
        await until('named to run', 15_000, () => said.includes('running'))
    } catch (thrown) {
        child.kill('SIGKILL')
        throw new Error(`${String(thrown)}\n${said}`)
    }
    return {
        ...{ server: '127.0.0.1', port, zone, key: { name, algorithm: 'hmac-sha512', secret } },
        said: () => said,
        async stop() {
            child.kill('SIGTERM')
            await ended
            await rm(folder, { recursive: true, force: true })
        },
    }
}
