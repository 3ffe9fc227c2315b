// A certificate with its chain and key, as it was given: what it says, and all that is wrong with it.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { Finding } from '../../base/finding.ts'

/** What a pair is held against. */
export interface About {
    nowMs: number
    nodeNames: readonly string[]
    /** Why no connection can be made with a pair; empty where it can. */
    unusable(pair: Pair): string
}

export interface Pair {
    /** The certificate, then its chain. */
    certPem: string
    keyPem: string
}

const DAY_MS = 86_400_000
const SOON_DAYS = 14
const LEAST_RSA_BITS = 2048
const MOST_PEM = 200_000
const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CURVES: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }

/** Those in a text, the first one first. Empty where there is none, or one that cannot be read. */
export function certificatesIn(pem: string): X509Certificate[] {
    try {
        return (pem.slice(0, MOST_PEM).match(PEM) ?? []).map(one => new X509Certificate(one))
    } catch {
        return []
    }
}

/** DNS names and IP addresses, as the certificate has them. */
export const namesOf = (certificate: X509Certificate): string[] =>
    (certificate.subjectAltName ?? '').split(', ').flatMap(name => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1] ?? [])

export function keyWords(key: KeyObject): string {
    const { namedCurve = '', modulusLength } = key.asymmetricKeyDetails ?? {}
    if (key.asymmetricKeyType === 'rsa') return `RSA ${modulusLength}`
    if (key.asymmetricKeyType === 'ec') return `ECDSA ${CURVES[namedCurve] ?? namedCurve}`
    return String(key.asymmetricKeyType ?? '').toUpperCase()
}

/** One line of what OpenSSL says in many. */
export const distinguished = (name: string): string => name.trim().split('\n').join(', ')

export function facts(pem: string) {
    const [leaf, ...chain] = certificatesIn(pem)
    if (!leaf) return undefined
    return {
        leaf,
        subject: distinguished(leaf.subject),
        issuer: distinguished(leaf.issuer),
        names: namesOf(leaf),
        serial: leaf.serialNumber,
        fingerprint: leaf.fingerprint256,
        notBeforeMs: Date.parse(leaf.validFrom),
        notAfterMs: Date.parse(leaf.validTo),
        key: keyWords(leaf.publicKey),
        chain: chain.map(one => distinguished(one.subject)),
    }
}

/** Whether the key belongs to the certificate; false also for what cannot be read. */
export function fits({ certPem, keyPem }: Pair): boolean {
    try {
        return new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))
    } catch {
        return false
    }
}

/** All that is wrong with a pair, or worth knowing. With an error among them it cannot be used. Says nothing of the key. */
export function checkPair(pair: Pair, about: About): Finding[] {
    const found: Finding[] = []
    const say =
        (severity: Finding['severity'], code: string, at: string) =>
        (summary: string, detail: string, fix = '') =>
            void found.push({ severity, code, at, summary, detail, fix })
    const all = certificatesIn(pair.certPem)
    const [leaf] = all
    if (!leaf)
        say('error', 'no-certificate', 'certificate')(
            'That is no certificate in PEM form',
            'it begins with -----BEGIN CERTIFICATE-----',
            'Convert another form: openssl x509 -inform der -in FILE',
        )
    let key: KeyObject | undefined
    try {
        key = createPrivateKey(pair.keyPem)
    } catch {
        const locked = /ENCRYPTED/.test(pair.keyPem)
        say('error', locked ? 'locked-key' : 'no-key', 'private_key')(
            locked ? 'The key is locked with a passphrase' : 'That is no private key in PEM form',
            '',
            locked ? 'Unlock it: openssl pkey -in FILE' : 'Give the file that was made with the certificate request.',
        )
    }
    if (leaf) {
        if (key && !leaf.checkPrivateKey(key))
            say('error', 'other-key', 'private_key')(
                'The key does not belong to the certificate',
                distinguished(leaf.subject),
                'Give the key of the first certificate in the file: the chain comes behind it.',
            )
        checkLeaf(leaf, about, say)
        checkChain(all, about.nowMs, say)
    }
    const why = found.some(one => one.severity === 'error') ? '' : about.unusable(pair)
    if (why !== '')
        say('error', 'unusable', 'certificate')(
            'No connection can be made with that certificate',
            why,
            'Ask your authority for one with a stronger key or signature.',
        )
    return found
}

type Say = (
    severity: Finding['severity'],
    code: string,
    at: string,
) => (summary: string, detail: string, fix?: string) => void

function checkLeaf(leaf: X509Certificate, about: About, say: Say): void {
    const [from, until] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)]
    if (until <= about.nowMs)
        say('error', 'expired', 'certificate')('The certificate has run out', `on ${leaf.validTo}`, 'Get a new one.')
    else if (until - about.nowMs < SOON_DAYS * DAY_MS)
        say('warning', 'runs-out', 'certificate')(
            'The certificate runs out soon',
            `on ${leaf.validTo}`,
            'Get a new one in time; one by ACME is renewed by itself.',
        )
    if (from > about.nowMs)
        say('error', 'not-yet', 'certificate')(
            'The certificate is not valid yet',
            `it begins on ${leaf.validFrom}`,
            'Look whether the clock of the node is right: timedatectl',
        )
    if (leaf.ca)
        say('error', 'an-authority', 'certificate')(
            'That is the certificate of an authority, not of a server',
            distinguished(leaf.subject),
            'Put the certificate of this node first, and the chain behind it.',
        )
    const usages = leaf.keyUsage as string[] | undefined
    if (usages && !usages.includes(SERVER_AUTH))
        say('error', 'no-server', 'certificate')(
            'The certificate is not for servers',
            'its extended key usage lacks serverAuth',
            'Ask for a TLS server certificate.',
        )
    const { modulusLength = LEAST_RSA_BITS } = leaf.publicKey.asymmetricKeyDetails ?? {}
    if (leaf.publicKey.asymmetricKeyType === 'rsa' && modulusLength < LEAST_RSA_BITS)
        say('error', 'weak-key', 'certificate')(
            'The key is too short',
            `${modulusLength} bits`,
            'Use RSA 2048 or more.',
        )
    const names = namesOf(leaf)
    if (names.length === 0)
        say('error', 'no-names', 'certificate')(
            'The certificate is for no name',
            'browsers look at its subject alternative names alone',
            'Ask for one with the DNS name of the node in it.',
        )
    else if (!about.nodeNames.some(name => leaf.checkHost(name) !== undefined))
        say('warning', 'other-names', 'certificate')(
            'The certificate is for other names than the node has',
            `${names.join(', ')}; the node is ${about.nodeNames.join(', ')}`,
            'It is right where the node is reached by one of those.',
        )
}

function checkChain(all: readonly X509Certificate[], nowMs: number, say: Say): void {
    all.slice(1).forEach((one, i) => {
        if (Date.parse(one.validTo) <= nowMs)
            say('error', 'expired-chain', 'certificate')(
                'A certificate of the chain has run out',
                distinguished(one.subject),
                'Get the present chain from the authority.',
            )
        if (!all[i]?.checkIssued(one))
            say('error', 'broken-chain', 'certificate')(
                'The chain is not in order, or not whole',
                `${distinguished(one.subject)} did not sign the one before it`,
                'Put the certificate first, then each one that signed the one before it.',
            )
    })
}
