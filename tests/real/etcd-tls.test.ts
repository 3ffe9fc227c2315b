// The store over mutual TLS: the right certificates get in, no or foreign ones do not, and both are told plainly.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EtcdOptions, openEtcd } from '../../src/drivers/etcd/etcd.ts'
import { fakeLog } from '../../src/ports/fake.ts'
import { realClock } from '../../src/ports/real.ts'
import { freePorts, until } from './world.ts'

interface Authority {
    ca: string
    issue(name: string): Promise<{ cert: string; key: string }>
}

const openssl = (...argv: string[]) => execFileSync('openssl', argv, { stdio: ['ignore', 'pipe', 'pipe'] })

/** A certificate authority in a folder of its own. */
async function authority(name: string): Promise<Authority> {
    const at = (file: string) => join(folder, `${name}-${file}`)
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    openssl(
        'req',
        '-x509',
        '-days',
        '1',
        ...newKey,
        '-keyout',
        at('ca.key'),
        '-out',
        at('ca.pem'),
        '-subj',
        `/CN=${name}`,
    )
    await writeFile(at('ext'), 'subjectAltName=IP:127.0.0.1\n')
    return {
        ca: await readFile(at('ca.pem'), 'utf8'),
        async issue(subject) {
            const [key, request, cert] = [at(`${subject}.key`), at(`${subject}.csr`), at(`${subject}.pem`)]
            openssl('req', '-new', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${subject}`)
            const signing = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('ext')]
            openssl('x509', '-req', '-days', '1', '-in', request, '-out', cert, ...signing)
            return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
        },
    }
}

let folder = ''
let daemon: ChildProcess | undefined
let endpoint = ''
let ours: Authority
let theirs: Authority

beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dv-etcd-tls-'))
    ;[ours, theirs] = [await authority('ours'), await authority('theirs')]
    const server = await ours.issue('etcd')
    await writeFile(join(folder, 'ca.pem'), ours.ca)
    await writeFile(join(folder, 'cert.pem'), server.cert)
    await writeFile(join(folder, 'key.pem'), server.key, { mode: 0o600 })
    const [client, peer] = await freePorts(2)
    endpoint = `https://127.0.0.1:${client}`
    const argv = [
        ...['--name', 'one', '--data-dir', join(folder, 'data'), '--unsafe-no-fsync'],
        ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
        ...['--listen-peer-urls', `http://127.0.0.1:${peer}`],
        ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
        ...['--initial-cluster', `one=http://127.0.0.1:${peer}`],
        ...['--client-cert-auth', '--trusted-ca-file', join(folder, 'ca.pem')],
        ...['--cert-file', join(folder, 'cert.pem'), '--key-file', join(folder, 'key.pem')],
    ]
    daemon = spawn('etcd', argv, { stdio: 'ignore' })
    const tls = { ca: ours.ca, ...(await ours.issue('node1')) }
    await until('etcd to answer over TLS', 20_000, () =>
        tried({ tls }, async store => (await store.list('/')).revision > 0).catch(() => false),
    )
})
afterAll(async () => {
    if (daemon && daemon.exitCode === null) {
        const gone = new Promise(resolve => daemon!.once('exit', resolve))
        daemon.kill('SIGKILL')
        await gone
    }
    await rm(folder, { recursive: true, force: true })
})

async function tried<T>(options: Partial<EtcdOptions>, act: (store: ReturnType<typeof openEtcd>) => Promise<T>) {
    const store = openEtcd({ endpoints: [endpoint], clock: realClock(), log: fakeLog(), ...options })
    try {
        return await act(store)
    } finally {
        await store.close()
    }
}
const unavailable = expect.objectContaining({ code: 'unavailable' })

test('with a certificate of ours it works, watches included', async () => {
    const tls = { ca: ours.ca, ...(await ours.issue('node1')) }
    await tried({ tls }, async store => {
        const seen: string[] = []
        store.watch('/debvisor/t/', {
            resync: ({ entries }) => void seen.push(`all ${entries.length}`),
            change: changes => void seen.push(...changes.map(c => c.kind)),
        })
        await until('the first read', 5_000, () => seen.length > 0)
        const revision = await store.put('/debvisor/t/a', '1', 0)
        expect((await store.get('/debvisor/t/a'))?.revision).toBe(revision)
        await until('the change', 5_000, () => seen.length > 1)
        expect(seen).toEqual(['all 0', 'put'])
    })
})

test('without a certificate, with a foreign one, or plainly: unavailable', async () => {
    const cases: Partial<EtcdOptions>[] = [
        { tls: { ca: ours.ca } },
        { tls: { ca: ours.ca, ...(await theirs.issue('node1')) } },
        { endpoints: [endpoint.replace('https', 'http')] },
    ]
    for (const options of cases) {
        await expect(tried(options, store => store.put('/debvisor/t/b', '1'))).rejects.toEqual(unavailable)
    }
})

test('an etcd that is not ours is not spoken to', async () => {
    const tls = { ca: theirs.ca, ...(await ours.issue('node1')) }
    await expect(tried({ tls }, store => store.get('/debvisor/t/a'))).rejects.toEqual(unavailable)
})
