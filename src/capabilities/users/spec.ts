// The part of node.yaml about who can log in to the machine: root, administrators, two accounts with few rights, SSH.
import { z } from 'zod'
import type { Finding } from '../../base/finding.ts'
import { openTo, secretRef, userName } from '../../base/shapes.ts'

const KEY =
    /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/]+={0,3}( [^\n]*)?$/

const passwordHash = secretRef
    .optional()
    .describe('Where the hash of the password is kept (as mkpasswd prints it); none: the password stays as it is.')
const keys = z
    .array(z.string().regex(KEY, 'Use one line of a public key, such as ssh-ed25519 AAAA… ann@desk'))
    .default([])
    .describe('SSH keys that may log in, beside those in the home folder.')

const access = z.strictObject({ passwordHash, keys })

const administrator = z.strictObject({
    name: userName.describe('Login name.'),
    fullName: z
        .string()
        .regex(/^[^:,\n]{0,64}$/, 'Use up to 64 characters, without colons and commas')
        .default('')
        .describe('Name for people.'),
    passwordHash,
    keys,
    sudo: z
        .enum(['password', 'free'])
        .default('password')
        .describe('Whether sudo asks for the password of the account.'),
})

export const usersSpec = z
    .strictObject({
        root: access.prefault({}).describe('The account root. It never logs in over SSH with a password.'),
        administrators: z.array(administrator).default([]).describe('People who may become root.'),
        node: access.prefault({}).describe('The account that may plan, apply and verify the document, nothing else.'),
        monitor: access.prefault({}).describe('The account that may verify the node and read its logs, nothing else.'),
        ssh: z
            .strictObject({
                passwords: z
                    .enum(['auto', 'yes', 'no'])
                    .default('auto')
                    .describe(
                        'Logins with a password over SSH; auto: only while no key of root or an administrator is here.',
                    ),
                from: openTo.default('any').describe('Who may reach SSH: any, cluster, or a list of networks.'),
            })
            .prefault({})
            .describe('The SSH server.'),
    })
    .describe('Who can log in to this machine.')

export type UsersSpec = z.infer<typeof usersSpec>

/** Names of Debian's base, of DebVisor's own accounts and of packages of a node. */
const TAKEN = new Set(
    (
        'root node monitor debvisor-rpc webpanel tsig-rotator daemon bin sys sync games man lp mail news uucp proxy ' +
        'www-data backup list irc nobody messagebus sshd ceph libvirt-qemu prometheus polkitd tss dnsmasq admin ' +
        'systemd-network'
    ).split(' '),
)

/** What a schema alone cannot say. What is on the machine is looked at when it is planned. */
export function checkUsers({ users }: { users: UsersSpec }): Finding[] {
    const findings: Finding[] = []
    const seen = new Set<string>()
    for (const [index, { name }] of users.administrators.entries()) {
        const at = `users.administrators[${index}]`
        if (TAKEN.has(name)) {
            findings.push({
                ...{ severity: 'error', code: 'name-reserved', at: `${at}.name`, detail: name },
                summary: 'That name belongs to an account of the system',
                fix: 'Use another name.',
            })
        }
        if (seen.has(name)) {
            findings.push({
                ...{ severity: 'error', code: 'name-taken', at: `${at}.name`, detail: name },
                summary: 'Two administrators have one name',
                fix: 'Remove one of them, or give it another name.',
            })
        }
        seen.add(name)
    }
    return findings
}
