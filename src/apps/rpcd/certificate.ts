// The certificate of the panel and API: one of the administrator's own in the state folder, or a self-signed one.
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import type { Clock, Log, System } from '../../ports/ports.ts'

export interface Certificate {
    certPem: string
    keyPem: string
    /** SHA-256 in the form 'AB:CD:…', as browsers and openssl show it. */
    fingerprint: string
}

interface Deps {
    system: System
    clock: Clock
    log: Log
}

const DAY_MS = 86_400_000
const VALID_DAYS = 397
const RENEW_DAYS = 30

/**
 * Reads `folder`/panel.{crt,key}; makes a self-signed pair (ECDSA P-256) when there is none, when ours runs out, or
 * when a power cut left a new key beside an old certificate of ours.
 * @throws Fault `precondition` when an administrator's key does not belong to their certificate
 */
export async function certificateIn(folder: string, deps: Deps): Promise<Certificate> {
    const { system, clock, log } = deps
    const [certPem, keyPem] = await Promise.all([
        system.readText(`${folder}/panel.crt`),
        system.readText(`${folder}/panel.key`),
    ])
    if (certPem && keyPem) {
        const seen = new X509Certificate(certPem)
        const ours = seen.issuer === seen.subject && seen.subject.includes('O=DebVisor')
        const fits = seen.checkPrivateKey(createPrivateKey(keyPem))
        const daysLeft = (Date.parse(seen.validTo) - clock.now()) / DAY_MS
        if (fits && (!ours || daysLeft > RENEW_DAYS)) return { certPem, keyPem, fingerprint: seen.fingerprint256 }
        if (!ours) {
            throw new Fault('precondition', {
                summary: 'The key of the panel does not belong to its certificate',
                detail: `${folder}/panel.key`,
                fix: 'Put the key of panel.crt there, or remove both for a self-signed pair.',
            })
        }
        log.info('the self-signed certificate is made anew', { daysLeft: Math.floor(daysLeft), fits })
    }
    await system.makeDirectory(folder, 0o700)
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString()
    await system.writeFile(`${folder}/panel.key`, key, 0o600)
    const made = await selfSigned(`${folder}/panel.key`, system)
    await system.writeFile(`${folder}/panel.crt`, made, 0o644)
    return { certPem: made, keyPem: key, fingerprint: new X509Certificate(made).fingerprint256 }
}

async function selfSigned(keyPath: string, system: System): Promise<string> {
    const hostname = system.hostname()
    const short = hostname.split('.')[0]!
    const names = [...new Set([hostname, short, `${short}.local`, 'localhost'])].map(name => `DNS:${name}`)
    const subject = ['-subj', `/CN=${hostname.slice(0, 64)}/O=DebVisor`]
    const extensions = [
        `subjectAltName=${[...names, 'IP:127.0.0.1', 'IP:::1'].join(',')}`,
        'basicConstraints=critical,CA:FALSE',
        'extendedKeyUsage=serverAuth',
    ].flatMap(extension => ['-addext', extension])
    const { exitCode, stdout } = await system.run({
        argv: [
            'openssl',
            'req',
            '-x509',
            '-new',
            '-key',
            keyPath,
            '-sha256',
            '-days',
            String(VALID_DAYS),
            ...subject,
            ...extensions,
        ],
        deadlineMs: 20_000,
    })
    if (exitCode === 0 && stdout.includes('BEGIN CERTIFICATE')) return stdout
    throw new Fault('internal', {
        summary: 'The certificate of the panel could not be made',
        detail: `openssl ended with ${exitCode}`,
        fix: 'Install openssl, or put panel.crt and panel.key into the pki folder.',
    })
}
