// A certificate by dns-01: the real daemon and certbot, a real ACME server (pebble), and a real BIND that a key may change.
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CertificateService } from '../../src/gen/proto/capabilities/certificate/certificate_pb.js'
import { type AcmeWorld, startAcme } from './world-acme.ts'
import { type DaemonWorld, startDaemon } from './world-daemon.ts'
import { type DnsWorld, startDns } from './world-dns.ts'

const MINUTE_MS = 60_000
let dns: DnsWorld
let acme: AcmeWorld
let world: DaemonWorld

beforeAll(async () => {
    dns = await startDns()
    ;[acme, world] = await Promise.all([startAcme({ dns: `${dns.server}:${dns.port}` }), startDaemon()])
}, 5 * MINUTE_MS)
afterAll(async () => {
    await world?.stop()
    await acme?.stop()
    await dns?.stop()
})

const client = () => world.client(CertificateService)
const wish = (part: object = {}, key: object = {}) => ({
    ...{ directory: acme.directory, caBundle: acme.caBundle, agree: true },
    names: [`node1.${dns.zone}`, `*.lan.${dns.zone}`],
    dns: {
        ...{ server: dns.server, port: dns.port, waitSeconds: 1 },
        ...{ keyName: dns.key.name, algorithm: dns.key.algorithm, keySecret: dns.key.secret },
        ...key,
    },
    ...part,
})
const inPki = (...names: string[]) => join(world.folder, 'pki', ...names)
const folders = async () => (await readdir(inPki())).filter(name => name.startsWith('acme-'))

it('the plan says what is put into the DNS, and nothing is done', async () => {
    const { plan } = await client().setAcme({ ...wish(), dryRun: true })
    expect(plan.map(step => step.sentence).join('\n')).toContain(`into the DNS at ${dns.server}`)
    expect(dns.said()).not.toContain('updating zone')
    await expect(client().setAcme(wish({ dns: undefined }))).rejects.toThrow()
})

it(
    'a key that the server does not know is said, and the certificate before stays',
    async () => {
        const before = await client().get({})
        const begun = await client().setAcme(wish({}, { keyName: 'another' }))
        await expect(world.done(begun)).rejects.toThrow('The DNS server did not take the change')
        expect((await client().get({})).certificate?.fingerprint).toBe(before.certificate?.fingerprint)
        expect(await folders()).toEqual([])
    },
    MINUTE_MS,
)

it(
    'a certificate for a name and for all below another is got, shown and renewed; the records are gone again',
    async () => {
        await world.done(await client().setAcme(wish()))
        const first = await client().get({})
        expect(first).toMatchObject({ source: 'acme', acme: { dnsServer: dns.server, dnsKeyName: dns.key.name } })
        expect(first.certificate?.names.sort()).toEqual([`*.lan.${dns.zone}`, `node1.${dns.zone}`])
        // The key is kept for this, where the daemon alone reads it.
        const [folder] = await folders()
        const kept = inPki(folder!, 'rfc2136.ini')
        expect((await stat(kept)).mode & 0o777).toBe(0o600)
        expect(await readFile(kept, 'utf8')).toContain(dns.key.secret)
        await world.done(await client().renew({}))
        expect((await client().get({})).certificate?.fingerprint).not.toBe(first.certificate?.fingerprint)
        expect(dns.said()).toContain(`adding an RR at '_acme-challenge.node1.${dns.zone}' TXT`)
        const [added, deleted] = [/adding an RR at/g, /deleting an RR at/g].map(
            what => dns.said().match(what)?.length ?? 0,
        )
        expect(deleted).toBe(added)
        for (const text of [world.log(), await readFile(inPki('acme.json'), 'utf8')])
            expect(text).not.toContain(dns.key.secret)
    },
    3 * MINUTE_MS,
)

it('with another certificate the key is gone', async () => {
    await client().setSelfSigned({})
    expect(await folders()).toEqual([])
})
