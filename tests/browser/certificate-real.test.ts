// The certificate against the real daemon, a real rootd that checks who asks, and a real ACME server (pebble): given, got,
// renewed and taken back in a real Chromium, while the daemon goes on.
import { spawn, spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { facts } from '../../src/capabilities/certificate/pair.ts'
import { AuditService } from '../../src/gen/proto/capabilities/audit/audit_pb.js'
import { CertificateService } from '../../src/gen/proto/capabilities/certificate/certificate_pb.js'
import { until } from '../real/world.ts'
import { type AcmeWorld, startAcme } from '../real/world-acme.ts'
import { type DaemonWorld, startDaemon } from '../real/world-daemon.ts'
import { launch, PASSWORD, type Visit, visit } from './browser.ts'
import { buildPanel } from './build.ts'

const MINUTE_MS = 60_000
const NAME = 'node1.debvisor.test'
const LIFE_S = 90
const socket = `/tmp/dv-rootd-certificate-${process.pid}.sock`
let panel: Awaited<ReturnType<typeof buildPanel>>
let acme: AcmeWorld
let world: DaemonWorld
let browser: Browser
let at: Visit
let page: Page
let stopRootd = () => {}

const inPki = (...names: string[]) => join(world.folder, 'pki', ...names)

async function startRootd(): Promise<void> {
    const node = join(world.folder, 'the-node')
    await mkdir(join(node, 'run'), { recursive: true })
    const argv = ['--import', 'tsx', 'tests/real/rootd-victim.ts', node]
    const child = spawn(process.execPath, [...argv, '--socket', socket, '--group', '', '--state', world.folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
    })
    stopRootd = () => void child.kill('SIGKILL')
    let said = ''
    child.stdout.on('data', data => {
        said += data
    })
    await until('rootd to be ready', MINUTE_MS, () => said.includes('ready\n'))
}

beforeAll(async () => {
    ;[panel, acme] = await Promise.all([buildPanel(), startAcme({ needsEab: true, lifeSeconds: LIFE_S })])
    const args = ['--panel', panel.folder, '--rootd', socket, '--challenge-port', String(acme.challengePort)]
    ;[world, browser] = await Promise.all([startDaemon({ args }), launch()])
    await startRootd()
    at = await visit(browser, new URL(world.firstLogin!, world.url).href)
    page = at.page
    page.setDefaultTimeout(MINUTE_MS)
    await page.locator('[data-field=password]').fill(PASSWORD)
    await page.locator('[data-field=repeat]').fill(PASSWORD)
    await page.locator('[data-action=first-login]').click()
    await page.locator('[data-me=admin]').waitFor()
}, 5 * MINUTE_MS)
afterAll(async () => {
    stopRootd()
    await rm(socket, { force: true })
    await browser?.close()
    await world?.stop()
    await acme?.stop()
    await panel?.remove()
})

/** What a new connection is shown. */
const shown = () =>
    new Promise<{ fingerprint: string; issuer: string }>((resolve, reject) => {
        const tls = connect(
            { port: Number(new URL(world.url).port), host: '127.0.0.1', rejectUnauthorized: false },
            () => {
                const { fingerprint256, issuer } = tls.getPeerX509Certificate()!
                tls.destroy()
                resolve({ fingerprint: fingerprint256, issuer })
            },
        ).on('error', reject)
    })
const client = () => world.client(CertificateService)
const onPage = () => page.locator('[data-certificate]').first().getAttribute('data-certificate')

test('the page shows what a connection is shown', async () => {
    await page.locator('[data-nav="/node"]').click()
    await page.locator('[data-tab="/node/certificate"]').click()
    await page.locator('[data-source=self-signed]').waitFor()
    expect(await onPage()).toBe((await shown()).fingerprint)
})

test('without a fresh confirmation nothing changes, whoever asks', async () => {
    const before = await shown()
    const answer = await page.evaluate(async () => {
        const path = '/debvisor.certificate.v1.CertificateService/SetSelfSigned'
        const asked = await fetch(path, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
        return { status: asked.status, text: await asked.text() }
    })
    expect(answer.status).toBe(403)
    expect(answer.text).toContain('This is to be confirmed with your password')
    expect(await shown()).toEqual(before)
})

test('one of one’s own: checked, confirmed, shown at once', async () => {
    const [crt, key] = [join(world.folder, 'own.crt'), join(world.folder, 'own.key')]
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', crt, '-days', '90']
    const about = ['-subj', '/CN=own', '-addext', 'subjectAltName=DNS:own.example.org']
    spawnSync('openssl', [...made, ...about, '-addext', 'basicConstraints=critical,CA:FALSE'])
    await page.locator('[data-action=use-own]').click()
    await page.locator('[data-file=certificate]').setInputFiles(crt)
    await page.locator('[data-field=private_key]').fill(await readFile(inPki('panel.key'), 'utf8'))
    await page.locator('[data-action=submit]').click()
    await page.locator('[data-trouble]').getByText('The key does not belong to the certificate').waitFor()
    await page.locator('[data-file=private_key]').setInputFiles(key)
    await page.locator('[data-action=submit]').click()
    await page.locator('[data-finding=other-names]').waitFor()
    expect((await shown()).issuer).toContain('DebVisor')
    await page.locator('[data-field=password]').fill(PASSWORD)
    await page.locator('[data-action=submit]').click()
    await page.locator('[data-source=own]').waitFor()
    expect(await shown()).toMatchObject({ issuer: 'CN=own' })
    expect(await onPage()).toBe((await shown()).fingerprint)
})

test('by ACME: what is wrong is the authority’s own word, and the old one stays; then it is got, and account keys are not kept', async () => {
    const ask = async (part: Record<string, string>) => {
        await page.locator('[data-action=use-acme]').click()
        await page.getByRole('button', { name: 'Another authority' }).click()
        const given = { names: NAME, directory: acme.directory, ca_bundle: acme.caBundle, ...part }
        for (const [field, value] of Object.entries(given)) await page.locator(`[data-field=${field}]`).fill(value)
        await page.locator('[data-field=agree]').check()
        await page.locator('[data-action=submit]').click()
    }
    const before = await shown()
    await ask({ eab_key_id: '', eab_secret: '' })
    await page.getByText('Get a certificate by ACME: The authority wants to know').first().waitFor()
    expect(await shown()).toEqual(before)
    expect(await readdir(inPki())).not.toContainEqual(expect.stringMatching(/acme|next/))
    await ask({ eab_key_id: acme.eab.keyId, eab_secret: acme.eab.secret })
    await page.locator('[data-source=acme]').waitFor()
    expect((await shown()).issuer).toMatch(/^CN=Pebble Intermediate CA/)
    expect(await onPage()).toBe((await shown()).fingerprint)
    const everything = spawnSync('grep', ['-rl', acme.eab.secret, world.folder], { encoding: 'utf8' })
    expect(everything.stdout).toBe('')
})

test('where it cannot be renewed the old one stays, and it says why; when it is due it is renewed, and nobody asked', async () => {
    const first = (await shown()).fingerprint
    const good = await readFile(inPki('acme.json'), 'utf8')
    await writeFile(inPki('acme.json'), good.replace(acme.directory, 'https://localhost:1/dir'))
    await expect(world.done(await client().renew({}))).rejects.toThrow('The ACME server does not answer')
    expect((await shown()).fingerprint).toBe(first)
    const { acme: told, findings } = await client().get({})
    expect(told?.failures).toBe(1)
    expect(findings.map(one => one.code)).toContain('renewal-failed')
    await page.locator('[data-finding=renewal-failed]').getByText('The ACME server does not answer').waitFor()
    await world.kill()
    await writeFile(inPki('acme.json'), good)
    // Two thirds of its life: this authority's certificates live for a minute and a half.
    const due = facts(await world.certificate())!
    await until('it to be due', 2 * MINUTE_MS, () => Date.now() > due.notBeforeMs + (LIFE_S * 1000 * 2) / 3)
    await world.start()
    await until('a new one', MINUTE_MS, async () => (await shown()).fingerprint !== first)
    await until('its record', MINUTE_MS, async () => {
        const { records } = await world.client(AuditService).list({ limit: 50 })
        return records.some(one => `${one.who} ${one.what} ${one.result}` === 'debvisor certificate.renew done')
    })
}, 300_000)

test('back to the node’s own, from the command line as root; in the audit log, and no key is', async () => {
    const cli = spawnSync(
        process.execPath,
        [
            '--import',
            'tsx',
            'src/apps/cli/main.ts',
            'certificate',
            'self-signed',
            '--yes',
            '--socket',
            world.socketPath,
        ],
        { encoding: 'utf8' },
    )
    expect(cli.stderr).toBe('')
    expect(cli.stdout).toContain((await shown()).fingerprint)
    expect((await shown()).issuer).toContain('O=DebVisor')
    expect(await readdir(inPki())).not.toContainEqual(expect.stringMatching(/acme|next/))
    const { records } = await world.client(AuditService).list({ limit: 200 })
    const whats = records.map(one => `${one.who} ${one.what} ${one.result}`)
    for (const what of [
        'admin certificate.SetOwn done',
        'admin certificate.SetAcme begun',
        'root certificate.SetSelfSigned done',
    ])
        expect(whats).toContain(what)
    const text = JSON.stringify(records.map(one => one.detail)) + world.log()
    for (const secret of ['PRIVATE KEY', acme.eab.secret, PASSWORD]) expect(text).not.toContain(secret)
    expect(at.complaints.filter(one => !/ERR_|Failed to load/.test(one))).toEqual([])
})
