// What the cloud-init part of a request must satisfy; nothing said here repeats a secret.
import { parseDocument } from 'yaml'
import type { Finding } from '../../base/finding.ts'
import { finding } from './spec-finding.ts'

export interface SeedWant {
    /** Empty: the image's own default user. */
    user: string
    /** A crypt(3) hash. */
    passwordHash: string
    sshKeys: string[]
    /** Empty: from the VM's name. */
    hostname: string
    /** Whole documents, given as they are. */
    userData: string
    networkConfig: string
    packages: string[]
    commands: string[]
}

const MAX_DOCUMENT = 512 * 1024
// crypt(5): yescrypt, gost-yescrypt, SHA-512, SHA-256, bcrypt, scrypt. MD5 and DES are too weak to be let in.
const HASHES = [
    /^\$g?y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}$/,
    /^\$6\$(rounds=\d{4,9}\$)?[^$:\n]{1,16}\$[./A-Za-z0-9]{86}$/,
    /^\$5\$(rounds=\d{4,9}\$)?[^$:\n]{1,16}\$[./A-Za-z0-9]{43}$/,
    /^\$2[by]\$\d\d\$[./A-Za-z0-9]{53}$/,
    /^\$7\$[./A-Za-z0-9]{11,97}\$[./A-Za-z0-9]{43}$/,
]
const USER = /^[a-z_][a-z0-9_-]{0,31}$/
const HOSTNAME =
    /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/
const SSH_KEY = /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp\d+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]{40,}={0,3}( [^\n\r\0]*)?$/
const PACKAGE = /^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?$/
/** First words by which cloud-init knows what it is given (its documentation, 'User-data formats'). */
const HEADERS = [
    '#cloud-config',
    '#!',
    '#include',
    '#cloud-boothook',
    '#part-handler',
    '## template: jinja',
    'Content-Type: multipart',
    'MIME-Version:',
]
const CLEAR_TEXT = /^\s*(-\s*)?(plain_text_passwd|password|chpasswd)\s*:/m

/** All that is wrong or worth knowing with a cloud-init seed. */
export function checkSeed(seed: SeedWant, at: string): Finding[] {
    const found: Finding[] = []
    const say = (
        severity: Finding['severity'],
        code: string,
        words: { field: string; summary: string; detail?: string; fix?: string },
    ) => {
        const { field, ...rest } = words
        found.push(finding(severity, code, { at: `${at}.${field}`, ...rest }))
    }
    const error = (code: string, words: { field: string; summary: string; detail?: string; fix?: string }) =>
        say('error', code, words)

    if (seed.user !== '' && !USER.test(seed.user))
        error('user-name', {
            field: 'user',
            summary: 'Linux has no user of such a name',
            detail: JSON.stringify(seed.user.slice(0, 80)),
            fix: 'Use 1 to 32 small letters, digits, dashes or underscores, beginning with a letter.',
        })
    if (seed.passwordHash !== '' && !HASHES.some(hash => hash.test(seed.passwordHash)))
        error('password-hash', {
            field: 'password_hash',
            summary: 'That is no hash of a password that is strong enough',
            detail: 'it has not the form of yescrypt, SHA-512, SHA-256 or bcrypt',
            fix: 'Make one with `mkpasswd --method=yescrypt` (package whois); never give the clear password.',
        })
    if (seed.hostname !== '' && !HOSTNAME.test(seed.hostname))
        error('hostname', {
            field: 'hostname',
            summary: 'That is no host name',
            detail: JSON.stringify(seed.hostname.slice(0, 80)),
            fix: 'Use letters, digits and dashes, with dots between.',
        })
    seed.sshKeys.forEach((key, i) => {
        if (SSH_KEY.test(key)) return
        error('ssh-key', {
            field: `ssh_keys[${i}]`,
            summary: key.includes('PRIVATE KEY') ? 'That is a private key' : 'That is no public SSH key',
            fix: 'Give the one line of the .pub file.',
        })
    })
    seed.packages.forEach((name, i) => {
        if (PACKAGE.test(name)) return
        error('package-name', {
            field: `packages[${i}]`,
            summary: 'That is no name of a package',
            detail: JSON.stringify(name.slice(0, 80)),
            fix: 'Give the name of a package, with =version where needed.',
        })
    })
    seed.commands.forEach((command, i) => {
        if (command.trim() !== '' && command.length <= 8192 && !command.includes('\0')) return
        error('command', {
            field: `commands[${i}]`,
            summary: 'That command cannot be run',
            detail: command.trim() === '' ? 'it is empty' : 'it is too long or has a NUL',
            fix: 'Give one line of shell.',
        })
    })

    if (seed.userData !== '') {
        const mixed =
            seed.user || seed.passwordHash || seed.sshKeys.length || seed.packages.length || seed.commands.length
        if (mixed)
            error('user-data-mixed', {
                field: 'user_data',
                summary: 'User-data given whole stands instead of the other settings',
                detail: 'user, password, keys, packages or commands are given as well',
                fix: 'Put them into the user-data, or leave it out.',
            })
        if (!HEADERS.some(header => seed.userData.startsWith(header)))
            error('user-data-header', {
                field: 'user_data',
                summary: 'cloud-init would ignore that user-data',
                detail: 'its first line is none that cloud-init knows',
                fix: 'Begin with #cloud-config, or with #! for a script.',
            })
        else if (/^#cloud-config\s*?(\n|$)/.test(seed.userData) && !isMapping(seed.userData))
            error('user-data-yaml', {
                field: 'user_data',
                summary: 'That user-data is no YAML that cloud-init can read',
                detail: 'behind #cloud-config a mapping has to stand',
                fix: 'Check it with `cloud-init schema --config-file`.',
            })
        if (CLEAR_TEXT.test(seed.userData))
            say('warning', 'user-data-password', {
                field: 'user_data',
                summary: 'The user-data seems to hold a password in clear text',
                fix: 'Use `passwd` with a hash, and remove the seed after the first boot.',
            })
    }
    if (seed.networkConfig !== '' && !isNetworkConfig(seed.networkConfig))
        error('network-config', {
            field: 'network_config',
            summary: 'That is no network configuration that cloud-init can read',
            detail: 'a YAML mapping with version 1 or 2 has to stand there',
            fix: 'Write netplan-like YAML that begins with `version: 2`.',
        })
    for (const field of ['userData', 'networkConfig'] as const)
        if (seed[field].length > MAX_DOCUMENT)
            error('seed-large', {
                field: field === 'userData' ? 'user_data' : 'network_config',
                summary: 'That document is too large for a seed',
                detail: `${seed[field].length} characters`,
                fix: 'Keep it below 512 KiB; fetch the rest with #include.',
            })
    return found
}

/** A host name from the name of a VM: what it may not have becomes a dash. */
export const hostnameOf = (name: string): string =>
    name
        .replaceAll('_', '-')
        .split('.')
        .map(label => label.replace(/^-+|-+$/g, ''))
        .filter(Boolean)
        .join('.')

/** The mapping that a YAML document is; undefined for what is none. */
export function mappingOf(text: string): Record<string, unknown> | undefined {
    const document = parseDocument(text, { logLevel: 'silent' })
    if (document.errors.length > 0) return undefined
    try {
        const value: unknown = document.toJS({ maxAliasCount: 100 })
        return value !== null && typeof value === 'object' && !Array.isArray(value)
            ? (value as Record<string, unknown>)
            : undefined
    } catch {
        // Aliases that grow without end.
        return undefined
    }
}

const isMapping = (text: string): boolean => mappingOf(text) !== undefined

function isNetworkConfig(text: string): boolean {
    const mapping = mappingOf(text)
    const inner = (mapping?.network ?? mapping) as Record<string, unknown> | undefined
    return inner?.version === 1 || inner?.version === 2
}
