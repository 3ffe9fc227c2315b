// What an ACME setting must satisfy: all that is wrong with it at once.
import type { Finding } from '../../base/finding.ts'
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
}

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
        if (NAME.test(name) && !/^[\d.]+$/.test(name)) continue
        error('names', 'name', {
            summary: name.startsWith('*.')
                ? 'One certificate for all names below another is not got this way'
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
    return found
}
