// What is checked of a certificate, how a pair is replaced so that a power cut leaves one whole, and when ACME tries again.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeLog } from '../../ports/fake.ts'
import type { System } from '../../ports/ports.ts'
import { realClock, realSystem } from '../../ports/real.ts'
import { nextTryMs } from './acme.ts'
import { checkAcme } from './acme-spec.ts'
import { certbotConfig, certbotFault } from './certbot.ts'
import { checkPair, facts } from './pair.ts'
import { certificateIn, openCertificates } from './store.ts'

let folder: string
const deps = { system: realSystem(), clock: realClock(), log: fakeLog() }
const about = { nowMs: Date.now() + 60_000, nodeNames: ['node1.example.org'], unusable: () => '' }
const DAY_MS = 86_400_000

/** By the real openssl. */
function made(name: string, ...more: string[]) {
    const [crt, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
    const kind = more.includes('-newkey') ? [] : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
    const argv = ['req', '-x509', ...kind, '-nodes', '-keyout', key]
    const all = [
        ...argv,
        '-out',
        crt,
        '-subj',
        `/CN=${name}`,
        ...(more.includes('-days') ? [] : ['-days', '90']),
        ...more,
    ]
    const { status, stderr } = spawnSync('openssl', all, { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    return { certPem: readFileSync(crt, 'utf8'), keyPem: readFileSync(key, 'utf8') }
}
const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE']
const san = (names: string) => ['-addext', `subjectAltName=${names}`]
const signedBy = (ca: string) => ['-CA', join(folder, `${ca}.crt`), '-CAkey', join(folder, `${ca}.key`)]
const codes = (pair: Parameters<typeof checkPair>[0], at = about) => checkPair(pair, at).map(one => one.code)

let good: ReturnType<typeof made>
let ca: ReturnType<typeof made>
beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dv-certificate-'))
    ca = made('ca')
    good = made('node', ...signedBy('ca'), ...leaf, ...san('DNS:node1.example.org,IP:192.0.2.1'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a certificate that is given', () => {
    it('is taken with its chain, and told in plain words', () => {
        const whole = { ...good, certPem: good.certPem + ca.certPem }
        expect(checkPair(whole, about)).toEqual([])
        expect(facts(whole.certPem)).toMatchObject({
            ...{ subject: 'CN=node', issuer: 'CN=ca', key: 'ECDSA P-256', chain: ['CN=ca'] },
            names: ['node1.example.org', '192.0.2.1'],
        })
    })
    it.each([
        ['no certificate', () => ({ ...good, certPem: 'hello' }), ['no-certificate']],
        ['half a certificate', () => ({ ...good, certPem: good.certPem.slice(0, 300) }), ['no-certificate']],
        ['no key', () => ({ ...good, keyPem: good.certPem }), ['no-key']],
        ['the key of another', () => ({ ...good, keyPem: ca.keyPem }), ['other-key']],
        [
            'the chain in front',
            () => ({ ...good, certPem: ca.certPem + good.certPem }),
            ['other-key', 'an-authority', 'no-names', 'broken-chain'],
        ],
        [
            'a chain of strangers',
            () => ({ ...good, certPem: good.certPem + made('stranger').certPem }),
            ['broken-chain'],
        ],
        ['no names', () => made('nameless', ...leaf), ['no-names']],
        [
            'for mail alone',
            () => made('mail', ...leaf, ...san('DNS:node1.example.org'), '-addext', 'extendedKeyUsage=emailProtection'),
            ['no-server'],
        ],
        [
            'a weak key',
            () => made('weak', ...leaf, ...san('DNS:node1.example.org'), '-newkey', 'rsa:1024'),
            ['weak-key'],
        ],
        ['other names', () => made('other', ...leaf, ...san('DNS:elsewhere.example.org')), ['other-names']],
    ])('is refused, or warned of: %s', (_, pair, expected) => expect(codes(pair())).toEqual(expected))
    it('is refused once it has run out, before it begins, and warned of in its last days', () => {
        const at = (days: number) => ({ ...about, nowMs: about.nowMs + days * DAY_MS })
        expect(codes(good, at(85))).toEqual(['runs-out'])
        expect(codes(good, at(91))).toEqual(['expired'])
        expect(codes(good, at(-2))).toEqual(['not-yet'])
        const findings = checkPair({ ...good, certPem: good.certPem + ca.certPem }, at(91))
        expect(findings.map(one => one.code)).toEqual(['expired', 'expired-chain'])
    })
    it('says of a locked key how to unlock it', () => {
        const locked = spawnSync('openssl', ['pkcs8', '-topk8', '-passout', 'pass:x'], {
            input: good.keyPem,
            encoding: 'utf8',
        })
        expect(checkPair({ ...good, keyPem: locked.stdout }, about)).toMatchObject([
            { code: 'locked-key', fix: /openssl pkey/ },
        ])
    })
    it('is refused where no connection can be made with it, with the reason', () => {
        const unusable = () => 'ee key too small'
        expect(checkPair(good, { ...about, unusable })).toMatchObject([
            { code: 'unusable', detail: 'ee key too small' },
        ])
    })
    it('never shows the key, whatever is wrong', () => {
        const words = JSON.stringify([checkPair({ ...good, keyPem: ca.keyPem }, about), facts(good.certPem)])
        for (const line of ca.keyPem.split('\n').slice(1, 3)) expect(words).not.toContain(line)
    })
})

describe('the pair on the disk', () => {
    /** The power goes at the nth write: that one and all after it do not happen. */
    function cutAt(n: number): System {
        let writes = 0
        const guard =
            <T extends unknown[]>(work: (...args: T) => Promise<void>) =>
            async (...args: T) => {
                if (++writes >= n) throw new Error('power cut')
                await work(...args)
            }
        const { system } = deps
        return { ...system, writeFile: guard(system.writeFile), remove: guard(system.remove) }
    }
    it('is the old or the new one, whole, wherever the power goes', async () => {
        const seen = new Set<string>()
        for (let n = 1; n <= 6; n++) {
            const pki = join(folder, `cut-${n}`)
            const before = await certificateIn(pki, deps)
            const cut = await openCertificates(pki, { ...deps, system: cutAt(n) })
            await cut.put(good).catch(() => undefined)
            const after = await certificateIn(pki, deps)
            expect([before.fingerprint, facts(good.certPem)!.fingerprint]).toContain(after.fingerprint)
            expect(checkPair(after, about).map(one => one.code)).not.toContain('other-key')
            expect(await deps.system.list(pki)).toEqual(['panel.crt', 'panel.key'])
            seen.add(after.fingerprint === before.fingerprint ? 'old' : 'new')
        }
        expect([...seen]).toEqual(['old', 'new'])
    })
    it('tells of each other one, put by whomever; the key is for the daemon alone', async () => {
        const pki = join(folder, 'told')
        const certificates = await openCertificates(pki, deps)
        const told: string[] = []
        certificates.onChange(one => void told.push(one.fingerprint))
        await certificates.put(good)
        expect(statSync(join(pki, 'panel.key')).mode & 0o777).toBe(0o600)
        await certificates.selfSign()
        writeFileSync(join(pki, 'panel.crt'), good.certPem)
        writeFileSync(join(pki, 'panel.key'), good.keyPem)
        await certificates.look()
        await certificates.look()
        const fingerprint = facts(good.certPem)!.fingerprint
        expect(told).toEqual([fingerprint, expect.not.stringContaining(fingerprint), fingerprint])
        writeFileSync(join(pki, 'panel.key'), ca.keyPem)
        await expect(certificates.look()).rejects.toMatchObject({ code: 'precondition', detail: `${pki}/panel.key` })
        expect(certificates.current().fingerprint).toBe(fingerprint)
    })
})

describe('ACME', () => {
    const want = {
        ...{ directory: 'https://ca.example/dir', names: ['node1.example.org'], email: '', agree: true },
        ...{ eabKeyId: '', eabSecret: '', caBundle: '' },
    }
    const dns = {
        ...{ server: '192.0.2.53', port: 53, keyName: 'debvisor.', algorithm: 'hmac-sha512' },
        ...{ keySecret: 'c2VjcmV0IHNlY3JldA==', waitSeconds: 30 },
    }
    it.each([
        [{ directory: 'http://ca.example/dir' }, ['directory']],
        [{ directory: 'https://ca.example/dir\nemail = x' }, ['directory']],
        [{ directory: 'https://user:secret@ca.example/' }, ['directory']],
        [{ names: [] }, ['how-many']],
        [{ names: ['node1'] }, ['name']],
        [{ names: ['*.example.org'] }, ['name']],
        [{ names: ['192.0.2.1'] }, ['name']],
        [{ names: ['a.example.org, b.example.org'] }, ['name']],
        [{ email: 'me' }, ['email']],
        [{ email: 'a@b.example\nserver = x' }, ['email']],
        [{ agree: false }, ['agree']],
        [{ eabKeyId: 'kid' }, ['eab-half']],
        [{ eabKeyId: 'kid\nx', eabSecret: 'abc' }, ['eab-id']],
        [{ eabKeyId: 'kid', eabSecret: 'a b' }, ['eab-key']],
        [{ caBundle: 'hello' }, ['ca-bundle']],
        [{ names: ['*.example.org'], dns }, []],
        [{ dns: { ...dns, server: 'ns.example.org' } }, ['dns-server']],
        [{ dns: { ...dns, port: 0 } }, ['dns-port']],
        [{ dns: { ...dns, keyName: 'a\nb' } }, ['dns-key']],
        [{ dns: { ...dns, algorithm: 'rot13', keySecret: 'a b' } }, ['dns-algorithm', 'dns-secret']],
        [{ dns: { ...dns, waitSeconds: 9999 } }, ['dns-wait']],
        [{ email: 'me', agree: false }, ['email', 'agree']],
        [{}, []],
    ])('all that is wrong with a setting is said at once: %j', (part, expected) =>
        expect(checkAcme({ ...want, ...part }).map(one => one.code)).toEqual(expected),
    )
    it('whatever passes the check is one line each of what certbot is told', () => {
        const text = fc.oneof(fc.string({ maxLength: 30 }), fc.webUrl(), fc.emailAddress(), fc.domain())
        const wants = fc.record({ directory: text, email: text, name: text, eabKeyId: text, eabSecret: text })
        fc.assert(
            fc.property(wants, ({ name, ...part }) => {
                const asked = { ...want, ...part, names: [name] }
                if (checkAcme(asked).length > 0) return
                const eab = { keyId: asked.eabKeyId, secret: asked.eabSecret }
                const lines = certbotConfig({ ...asked, folder: '/pki/acme', port: 80, eab })
                    .trim()
                    .split('\n')
                expect(lines).toHaveLength(20)
            }),
        )
    })
    it('is due when a third of the life is left; after failures later and later, but sooner near the end', () => {
        const life = { notBeforeMs: 0, notAfterMs: 90 * DAY_MS }
        expect(nextTryMs(life, { failures: 0, lastTryMs: 0 })).toBe(60 * DAY_MS)
        const waits = (lastTryMs: number) =>
            [1, 2, 5, 9].map(failures => (nextTryMs(life, { failures, lastTryMs }) - lastTryMs) / 3_600_000)
        expect(waits(61 * DAY_MS)).toEqual([1, 2, 16, 24])
        expect(waits(89.5 * DAY_MS)).toEqual([1, 1.5, 1.5, 1.5])
        expect(waits(95 * DAY_MS)[3]).toBeCloseTo(1 / 6)
    })
    // Words of certbot 2.1; those of names and trust come from the real one in tests/real/certificate.test.ts.
    it.each([
        [
            'Could not bind TCP port 80 because it is already in use by another process on this system (such as a web server).',
            'conflict',
            'TCP port 80',
        ],
        [
            "Could not bind TCP port 80 because you don't have the appropriate permissions (for example, you aren't running this program as root).",
            'denied',
            'TCP port 80',
        ],
        [
            'An unexpected error occurred:\nError creating new order :: too many certificates already issued for: example.org',
            'exhausted',
            'too many certificates',
        ],
        [
            'An unexpected error occurred:\nsomething new\nAsk for help or search for solutions at https://community',
            'unavailable',
            'something new',
        ],
        [
            "Encountered error when making query: The peer didn't know the key we used\nAsk for help",
            'precondition',
            'know the key',
        ],
        ['Received response from server: REFUSED', 'precondition', 'REFUSED'],
        [
            "Unable to determine base domain for a.example.org using names: ['a.example.org', 'example.org', 'org'].",
            'precondition',
            'a.example.org',
        ],
        ['Encountered error when making query: The DNS operation timed out.', 'unavailable', 'timed out'],
        ['', 'unavailable', ''],
    ])('certbot’s words become a fault: %s', (said, code, detail) =>
        expect(certbotFault(said)).toMatchObject({
            code,
            detail: expect.stringContaining(detail),
            fix: expect.stringMatching(/./),
        }),
    )
})
