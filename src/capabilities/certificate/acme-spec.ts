// What an ACME setting must satisfy: all that is wrong with it at once.
import type { Finding } from '../../base/finding.ts'
import { ALGORITHMS } from './algorithms.ts'
import { certificatesIn } from './pair.ts'

export const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory'

export interface AcmeWant {
    directory: string
    names: readonly string[]
    email: string
    agree: boolean
    eabKeyId: string
    eabSecret: string
    caBundle: string
    /** dns-01 by dynamic updates; undefined for http-01. */
    dns?: DnsUpdate
}

/** Where and how the zone of the names is changed (RFC 2136, TSIG). */
export interface DnsUpdate {
    server: string
    port: number
    keyName: string
    algorithm: string
    keySecret: string
    waitSeconds: number
}

const MOST_WAIT_S = 3600

const NAME = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i
const EMAIL = /^[\w.+-]{1,64}@[A-Za-z0-9.-]{1,190}$/
const MOST_NAMES = 20

export function checkAcme(want: AcmeWant): Finding[] {
    const found: Finding[] = []
    const error = (at: string, code: string, words: { summary: string; detail?: string; fix: string }) =>
        void found.push({ severity: 'error', code, at, detail: '', ...words })
    const { directory, names } = want
    const url = URL.canParse(directory) && !/[\s"']/.test(directory) ? new URL(directory) : undefined
    if (url?.protocol !== 'https:' || url.username !== '')
        error('directory', 'directory', {
            summary: 'That is not the HTTPS address of an ACME directory',
            detail: JSON.stringify(directory.slice(0, 100)),
            fix: `Write it like ${LETS_ENCRYPT}.`,
        })
    if (names.length === 0 || names.length > MOST_NAMES)
        error('names', 'how-many', {
            summary: 'The certificate needs names',
            fix: `Give 1 to ${MOST_NAMES} DNS names of this node.`,
        })
    for (const name of names) {
        const bare = want.dns && name.startsWith('*.') ? name.slice(2) : name
        if (NAME.test(bare) && !/^[\d.]+$/.test(bare)) continue
        error('names', 'name', {
            summary: name.startsWith('*.')
                ? 'One certificate for all names below another is got by DNS alone'
                : 'That is no full DNS name',
            detail: JSON.stringify(name.slice(0, 80)),
            fix: 'Write it like node1.example.org; each name has to lead to this node.',
        })
    }
    if (want.email !== '' && !EMAIL.test(want.email))
        error('email', 'email', {
            summary: 'That is no email address',
            detail: JSON.stringify(want.email.slice(0, 80)),
            fix: 'Write it like admin@example.org, or leave it out.',
        })
    if (!want.agree)
        error('agree', 'agree', {
            summary: 'The authority gives certificates to those alone who agree to its terms',
            fix: 'Read them, then agree.',
        })
    if ((want.eabKeyId === '') !== (want.eabSecret === ''))
        error('eab_key_id', 'eab-half', {
            summary: 'External account binding needs both the id and the key',
            fix: 'Give both as the authority gave them, or none.',
        })
    if (!/^[\x21-\x7e]{0,200}$/.test(want.eabKeyId))
        error('eab_key_id', 'eab-id', { summary: 'That is no id of a key', fix: 'Give it as the authority gave it.' })
    if (!/^[A-Za-z0-9_-]{0,400}={0,2}$/.test(want.eabSecret))
        error('eab_secret', 'eab-key', {
            summary: 'That is no key in base64url',
            fix: 'Give it as the authority gave it.',
        })
    if (want.caBundle !== '' && certificatesIn(want.caBundle).length === 0)
        error('ca_bundle', 'ca-bundle', {
            summary: 'That is no certificate in PEM form',
            fix: 'Give the certificate of the authority, from -----BEGIN CERTIFICATE----- on.',
        })
    if (want.dns) found.push(...checkDns(want.dns))
    return found
}

function checkDns(dns: DnsUpdate): Finding[] {
    const found: Finding[] = []
    const error = (at: string, code: string, summary: string, fix: string) =>
        void found.push({ severity: 'error', code, at, detail: '', summary, fix })
    if (!/^[0-9A-Fa-f:.]{2,45}$/.test(dns.server) || !/[.:]/.test(dns.server))
        error(
            'dns.server',
            'dns-server',
            'That is not the IP address of a DNS server',
            'Give the address of the primary server of the zone, such as 192.0.2.53.',
        )
    if (!Number.isInteger(dns.port) || dns.port < 1 || dns.port > 65_535)
        error('dns.port', 'dns-port', 'That is no port', 'Give 1 to 65535, or none for 53.')
    if (!/^[A-Za-z0-9_.-]{1,253}$/.test(dns.keyName))
        error('dns.key_name', 'dns-key', 'That is no name of a key', 'Give it as the server has it, such as debvisor.')
    if (!(ALGORITHMS as readonly string[]).includes(dns.algorithm))
        error('dns.algorithm', 'dns-algorithm', 'That is no algorithm for keys', `Use ${ALGORITHMS.join(', ')}.`)
    if (!/^[A-Za-z0-9+/]{8,400}={0,2}$/.test(dns.keySecret))
        error('dns.key_secret', 'dns-secret', 'That is no key in base64', 'Give it as tsig-keygen has written it.')
    if (!Number.isInteger(dns.waitSeconds) || dns.waitSeconds < 1 || dns.waitSeconds > MOST_WAIT_S)
        error(
            'dns.wait_seconds',
            'dns-wait',
            'That is no time to wait',
            `Give 1 to ${MOST_WAIT_S} seconds, or none for 30.`,
        )
    return found
}
