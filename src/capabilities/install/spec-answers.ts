// The answers of an installation that asks nobody: beside node.yaml's own words, all that only an installer has to know.
import { z } from 'zod'
import type { Finding } from '../../base/finding.ts'
import { targetDisks } from './spec.ts'

/** What crypt(5) makes by yescrypt or SHA-512. */
const HASH = /^\$(y|gy|6)\$[A-Za-z0-9./$=,]{20,}$/
/** scrypt$N$r$p$salt$hash, as `debvisor iso password` prints it. */
const PANEL_HASH = /^scrypt\$\d{1,8}\$\d{1,3}\$\d{1,3}\$[A-Za-z0-9+/=]{8,}\$[A-Za-z0-9+/=]{16,}$/

const account = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, 'Use the name of an account')

const machine = z.union(
    [
        z.literal('any'),
        z.strictObject({ serial: z.string().min(1).describe('The serial number that its vendor gave it.') }),
        z.strictObject({
            mac: z
                .string()
                .regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i, 'Use six pairs of digits such as 52:54:00:12:34:56')
                .describe('The address of one of its network cards.'),
        }),
    ],
    { error: 'say serial: or mac: of the machine that is meant, or any' },
)

export const rootFileSystem = z.enum(['ext4', 'xfs'])

export const installSpec = z
    .strictObject({
        machine: machine.describe('Which machine these answers are for: serial or mac, or any, said on purpose.'),
        disks: targetDisks,
        rootFs: rootFileSystem.default('ext4').describe('The file system of the system.'),
        enrolKey: z
            .boolean()
            .default(false)
            .describe(
                "With Secure Boot: sign ZFS's module with a key of this machine, and let the firmware ask at the restart " +
                    'whether to trust it (Enroll MOK, with the password of root).',
            ),
        consent: z
            .array(z.string().min(1))
            .default([])
            .describe(
                'Disks that hold data and may be erased: target for those of the system, others by id or serial number.',
            ),
        passwords: z
            .record(account, z.string().regex(HASH, 'this is no hash of a password (yescrypt or SHA-512)'))
            .default({})
            .describe('Hashes of passwords by account: root, node, monitor, administrators.'),
        panel: z
            .record(account, z.string().regex(PANEL_HASH, 'this is no hash of a password for the panel'))
            .refine(found => Object.keys(found).length <= 1, 'name one user, who becomes the first administrator')
            .default({})
            .describe('The first administrator of the panel, with the hash of the password.'),
    })
    .describe('What the installer has to know beside the document of the node.')

export type InstallSpec = z.infer<typeof installSpec>

interface Doc {
    install: InstallSpec
    users: {
        root: { keys: readonly string[]; passwordHash?: unknown }
        administrators: readonly { name: string; keys: readonly string[]; passwordHash?: unknown }[]
        node: { passwordHash?: unknown }
        monitor: { passwordHash?: unknown }
    }
}

const MAKE = 'Make one with: debvisor iso password; or mkpasswd --method=yescrypt.'

/** What a schema alone cannot say. */
export function checkInstall({ install, users }: Doc): Finding[] {
    const findings: Finding[] = []
    const accounts = ['root', 'node', 'monitor', ...users.administrators.map(({ name }) => name)]
    for (const name of Object.keys(install.passwords)) {
        if (accounts.includes(name)) continue
        findings.push({
            ...{ severity: 'error', code: 'no-such-account', at: `install.passwords.${name}`, detail: name },
            summary: 'There is a password for an account that the document does not name',
            fix: `Name it in users.administrators, or use one of: ${accounts.join(', ')}.`,
        })
    }
    users.administrators.forEach(({ name, keys }, index) => {
        if (install.passwords[name] || keys.length > 0) return
        findings.push({
            ...{ severity: 'error', code: 'password-missing', at: `users.administrators[${index}]`, detail: name },
            summary: 'An administrator has neither a password nor a key, and could never log in',
            fix: `Write the hash of a password at install.passwords.${name}. ${MAKE}`,
        })
    })
    const ways = [install.passwords.root, ...users.root.keys, ...users.administrators]
    if (ways.filter(Boolean).length === 0) {
        findings.push({
            ...{ severity: 'error', code: 'password-missing', at: 'install.passwords', detail: '' },
            summary: 'Nobody could log in to the node: there is no password and no key',
            fix: `Write the hash of root's password at install.passwords.root, or name an administrator. ${MAKE}`,
        })
    }
    const refs: [string, unknown][] = [
        ['users.root', users.root.passwordHash],
        ['users.node', users.node.passwordHash],
        ['users.monitor', users.monitor.passwordHash],
        ...users.administrators.map(({ passwordHash }, i): [string, unknown] => [
            `users.administrators[${i}]`,
            passwordHash,
        ]),
    ]
    for (const [at, ref] of refs) {
        if (!ref) continue
        findings.push({
            ...{ severity: 'error', code: 'secret', at: `${at}.passwordHash`, detail: 'a new node has no such file' },
            summary: 'The hash of a password would not be where the document says',
            fix: 'Write the hash itself at install.passwords, and leave this key out.',
        })
    }
    return findings
}
