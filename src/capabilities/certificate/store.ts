// The pair on the disk: read, made by the node itself where there is none, and replaced so that a power cut leaves one whole.
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { Fault } from '../../base/fault.ts'
import type { Clock, Log, System } from '../../ports/ports.ts'
import { certificatesIn, fits, type Pair } from './pair.ts'

export interface Certificate extends Pair {
    /** SHA-256 in the form 'AB:CD:…', as browsers and openssl show it. */
    fingerprint: string
}

export interface StoreDeps {
    system: System
    clock: Clock
    log: Log
}

export interface Certificates {
    current(): Certificate
    /** What is there becomes this. The pair has to be checked before. */
    put(pair: Pair): Promise<void>
    /** A new one of the node's own. */
    selfSign(): Promise<void>
    /** Looks at the files again: an administrator may have put others there, and one of ours is made anew in time. */
    look(): Promise<void>
    /** Called with each other one; it must not throw. */
    onChange(listener: (certificate: Certificate) => void): void
}

const DAY_MS = 86_400_000
const VALID_DAYS = 397
const RENEW_DAYS = 30

/** Whether the node made it itself. */
export function isOurs(certPem: string): boolean {
    const seen = certificatesIn(certPem)[0]
    return seen !== undefined && seen.issuer === seen.subject && seen.subject.includes('O=DebVisor')
}

export async function openCertificates(folder: string, deps: StoreDeps): Promise<Certificates> {
    const { system, log } = deps
    const listeners: ((certificate: Certificate) => void)[] = []
    let now = await certificateIn(folder, deps)
    /** One after the other: the pair is two files. */
    let turn: Promise<unknown> = Promise.resolve()
    const inTurn = (work: () => Promise<void>): Promise<void> => {
        const mine = turn.then(work)
        turn = mine.catch(() => undefined)
        return mine
    }
    async function look(): Promise<void> {
        const seen = await certificateIn(folder, deps)
        if (seen.certPem === now.certPem) return
        now = seen
        log.info('the panel shows another certificate', { fingerprint: seen.fingerprint })
        for (const listener of listeners) listener(seen)
    }
    return {
        current: () => now,
        put: pair =>
            inTurn(async () => {
                await replace(folder, pair, system)
                await look()
            }),
        selfSign: () =>
            inTurn(async () => {
                await makeOwn(folder, system)
                await look()
            }),
        look: () => inTurn(look),
        onChange: listener => void listeners.push(listener),
    }
}

/**
 * Reads `folder`/panel.{crt,key}; makes a self-signed pair (ECDSA P-256) when there is none, when ours runs out, or
 * when a power cut left a new key beside an old certificate of ours.
 * @throws Fault `precondition` when an administrator's key does not belong to their certificate
 */
export async function certificateIn(folder: string, { system, clock, log }: StoreDeps): Promise<Certificate> {
    await finish(folder, system)
    const [certPem, keyPem] = await Promise.all([
        system.readText(`${folder}/panel.crt`),
        system.readText(`${folder}/panel.key`),
    ])
    if (certPem && keyPem) {
        const ours = isOurs(certPem)
        const isFitting = fits({ certPem, keyPem })
        const seen = certificatesIn(certPem)[0]
        const daysLeft = seen ? (Date.parse(seen.validTo) - clock.now()) / DAY_MS : 0
        if (seen && isFitting && (!ours || daysLeft > RENEW_DAYS))
            return { certPem, keyPem, fingerprint: seen.fingerprint256 }
        if (!ours) {
            throw new Fault('precondition', {
                summary: 'The key of the panel does not belong to its certificate',
                detail: `${folder}/panel.key`,
                fix: 'Put the key of panel.crt there, or remove both for a self-signed pair.',
            })
        }
        log.info('the self-signed certificate is made anew', { daysLeft: Math.floor(daysLeft), fits: isFitting })
    }
    return makeOwn(folder, system)
}

const nextIn = (folder: string) => `${folder}/panel.next.crt`

/** The new certificate lies beside the old pair first; with the new key in its place, only that one fits. */
async function replace(folder: string, { certPem, keyPem }: Pair, system: System): Promise<void> {
    await system.makeDirectory(folder, 0o700)
    await system.writeFile(nextIn(folder), certPem, 0o644)
    await system.writeFile(`${folder}/panel.key`, keyPem, 0o600)
    await finish(folder, system)
}

/** Ends a replacement that had come as far as its key; one that had not is dropped. */
async function finish(folder: string, system: System): Promise<void> {
    const next = await system.readText(nextIn(folder))
    if (next === undefined) return
    const keyPem = (await system.readText(`${folder}/panel.key`)) ?? ''
    if (fits({ certPem: next, keyPem })) await system.writeFile(`${folder}/panel.crt`, next, 0o644)
    await system.remove(nextIn(folder))
}

async function makeOwn(folder: string, system: System): Promise<Certificate> {
    await system.makeDirectory(folder, 0o700)
    const keyPem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString()
    const keyFile = `${folder}/panel.next.key`
    await system.writeFile(keyFile, keyPem, 0o600)
    const certPem = await selfSigned(keyFile, system).finally(() => system.remove(keyFile))
    await replace(folder, { certPem, keyPem }, system)
    return { certPem, keyPem, fingerprint: new X509Certificate(certPem).fingerprint256 }
}

/** What the node is called in its own certificate. */
export function ownNames(hostname: string): string[] {
    const short = hostname.split('.')[0]!
    return [...new Set([hostname, short, `${short}.local`, 'localhost'])]
}

async function selfSigned(keyFile: string, system: System): Promise<string> {
    const hostname = system.hostname()
    const names = ownNames(hostname).map(name => `DNS:${name}`)
    const subject = ['-subj', `/CN=${hostname.slice(0, 64)}/O=DebVisor`]
    const extensions = [
        `subjectAltName=${[...names, 'IP:127.0.0.1', 'IP:::1'].join(',')}`,
        'basicConstraints=critical,CA:FALSE',
        'extendedKeyUsage=serverAuth',
    ].flatMap(extension => ['-addext', extension])
    const { exitCode, stdout } = await system.run({
        argv: [
            ...(['openssl', 'req', '-x509', '-new', '-key', keyFile, '-sha256', '-days', String(VALID_DAYS)] as const),
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
