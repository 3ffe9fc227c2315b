// Accounts between what the document says and what the machine has: who is made, who gets a password, who is locked.
import type { Finding } from '../../base/finding.ts'
import type { Basics } from '../../engine/basics.ts'
import type { OwnPlan } from '../../engine/resource.ts'
import type { SecretRef, Step } from '../../engine/step.ts'
import type { UsersSpec } from './spec.ts'

/** The fifth word of an account's comment: only root can set it, and it says that DebVisor made the account. */
export const MARK = 'DebVisor'
const TOOL_MS = 60_000

export interface AccountWant {
    name: string
    /** Path in the document. */
    at: string
    fullName: string
    /** `service`: of a program, without a login. */
    kind: 'root' | 'login' | 'service'
    /** Joined where they exist; others are never left. */
    groups: readonly string[]
    passwordHash?: SecretRef
    keys: readonly string[]
    admin: boolean
    /** sudo asks for the password. */
    sudoAsks?: boolean
}

export type Password = 'set' | 'locked' | 'none' | 'empty'

export interface AccountSeen {
    uid: number
    home: string
    /** DebVisor made it. */
    ours: boolean
    password: Password
    /** The account may not be used at all any more. */
    expired: boolean
    /** In the home folder, which is the user's own. */
    hasKeys: boolean
    /** By an earlier document. */
    wasGivenKeys: boolean
    groups: readonly string[]
    /** Whether the password is the wanted one; undefined where none is wanted, or it cannot be read. */
    same?: boolean
}

export interface AccountsSeen {
    users: Readonly<Record<string, AccountSeen>>
    groups: readonly string[]
    /** What is wrong with a wanted secret, by name of the user: never its value. */
    secrets: Readonly<Record<string, 'absent' | 'no-hash'>>
}

/** All accounts that the document means, its own first. */
export function accountsOf({ root, administrators, node, monitor }: UsersSpec): AccountWant[] {
    const readers = ['adm', 'systemd-journal']
    const login = { kind: 'login' as const, admin: false }
    const service = (name: string, fullName: string, groups: readonly string[] = []): AccountWant => ({
        ...{ name, fullName, groups, at: 'users', kind: 'service', keys: [], admin: false },
    })
    return [
        { ...root, name: 'root', at: 'users.root', fullName: 'root', kind: 'root', groups: [], admin: true },
        ...administrators.map(({ sudo, ...one }, index) => ({
            ...{ ...login, ...one, at: `users.administrators[${index}]`, admin: true, sudoAsks: sudo === 'password' },
            groups: ['sudo', ...readers, 'libvirt'],
        })),
        { ...login, ...node, name: 'node', at: 'users.node', fullName: 'Looks after the node', groups: readers },
        { ...login, ...monitor, name: 'monitor', at: 'users.monitor', fullName: 'Watches the node', groups: readers },
        service('debvisor-rpc', 'The API of the node', ['libvirt', 'kvm']),
        service('webpanel', 'The web panel'),
        service('tsig-rotator', 'Renews keys of DNS'),
    ]
}

export interface AccountsWant {
    accounts: readonly AccountWant[]
    /** Over SSH. */
    passwords: 'yes' | 'no'
}

export function planAccounts({ accounts: wants, passwords }: AccountsWant, seen: AccountsSeen): OwnPlan {
    const wanted = new Set(wants.map(want => want.name))
    const gone = Object.keys(seen.users)
        .filter(name => seen.users[name]!.ours && !wanted.has(name))
        .sort()
    return {
        steps: [
            ...wants.flatMap(want => accountSteps(want, seen)),
            ...gone.flatMap(name => goneSteps(name, seen.users[name]!)),
        ],
        findings: [...wants.flatMap(want => accountFindings(want, seen)), ...wayFindings(wants, passwords, seen)],
    }
}

const run = (tool: string, say: string, args: readonly string[]): Step => ({
    ...{ do: 'run', say, tool, args, deadlineMs: TOOL_MS },
})

function accountSteps(want: AccountWant, { users, groups, secrets }: AccountsSeen): Step[] {
    const { name, kind, passwordHash } = want
    const now = users[name]
    const steps: Step[] = []
    if (!now) steps.push(made(want, groups.includes(name)))
    const joins = want.groups.filter(group => groups.includes(group) && !now?.groups.includes(group))
    if (joins.length > 0)
        steps.push(
            run('usermod', `Let ${name} join ${joins.join(', ')}`, ['--append', '--groups', joins.join(','), name]),
        )
    if (kind === 'service') return steps
    if (now?.expired && now.ours) {
        steps.push(run('usermod', `Let ${name} be used again`, ['--expiredate', '', name]))
        if (now.password === 'locked' && !passwordHash)
            steps.push(run('usermod', `Let the password of ${name} count again`, ['--unlock', name]))
    }
    if (passwordHash && !secrets[name] && now?.same !== true) {
        const say = `Set the password of ${name}`
        steps.push({
            ...{ do: 'run', say, tool: 'chpasswd', args: ['--encrypted'], deadlineMs: TOOL_MS },
            ...{ stdinBefore: `${name}:`, stdin: passwordHash },
        })
    }
    return steps
}

function made({ name, fullName, kind, keys, passwordHash }: AccountWant, hasGroup: boolean): Step {
    const group = hasGroup ? ['--gid', name] : ['--user-group']
    const comment = ['--comment', `${fullName},,,,${MARK}`]
    if (kind === 'service') {
        const none = ['--no-create-home', '--home-dir', '/nonexistent', '--shell', '/usr/sbin/nologin']
        return run('useradd', `Make the account ${name} for a service`, [
            '--system',
            ...none,
            ...group,
            ...comment,
            name,
        ])
    }
    const login = ['--create-home', '--shell', '/bin/bash']
    const locked = keys.length === 0 && !passwordHash ? ' (locked: it has no password and no key)' : ''
    return run('useradd', `Make the account ${name}${locked}`, [...login, ...group, ...comment, name])
}

/** Files of people are never deleted with their names: they would belong to the next one with that number. */
function goneSteps(name: string, { expired, password }: AccountSeen): Step[] {
    if (expired && password !== 'set' && password !== 'empty') return []
    const say = `Lock ${name}, who is not in the document any more (the account and its files stay)`
    return [run('usermod', say, ['--lock', '--expiredate', '1', name])]
}

function accountFindings(
    { name, kind, at, sudoAsks, passwordHash }: AccountWant,
    { users, secrets }: AccountsSeen,
): Finding[] {
    const findings: Finding[] = []
    const now = users[name]
    const secret = secrets[name]
    if (secret) {
        findings.push({
            ...{ severity: 'error', code: 'secret', at: `${at}.passwordHash`, detail: name },
            ...(secret === 'absent'
                ? {
                      summary: 'The hash of a password is not where the document says',
                      fix: 'Write it there, readable by root alone: mkpasswd --method=yescrypt',
                  }
                : {
                      summary: 'What the document refers to is no hash of a password',
                      fix: 'Make one with mkpasswd --method=yescrypt, and write it there in one line.',
                  }),
        })
    }
    if (now && kind === 'login' && now.uid < 1000) {
        findings.push({
            ...{ severity: 'error', code: 'name-system', at, detail: `${name} has the number ${now.uid}` },
            summary: 'That name belongs to an account of the system',
            fix: 'Use another name.',
        })
    }
    const returns = now?.ours && now.expired && now.password === 'locked'
    if (sudoAsks && !passwordHash && now?.password !== 'set' && !returns) {
        findings.push({
            ...{ severity: 'warning', code: 'sudo-password', at, detail: name },
            summary: 'sudo asks for a password, and the account has none',
            fix: 'Give a passwordHash, or say sudo: free.',
        })
    }
    if (now?.password === 'empty') {
        findings.push({
            ...{ severity: 'warning', code: 'password-empty', at, detail: name },
            summary: 'An account has an empty password',
            fix: 'Give it a passwordHash, or lock it: usermod --lock',
        })
    }
    return findings
}

/** Whether root or an administrator can still come in, and how. */
function wayFindings(wants: readonly AccountWant[], passwords: 'yes' | 'no', seen: AccountsSeen): Finding[] {
    const { users, secrets } = seen
    const admins = wants.filter(want => want.admin)
    const usable = ({ name, passwordHash }: AccountWant) =>
        (passwordHash !== undefined && !secrets[name]) || users[name]?.password === 'set'
    const key = admins.some(({ name, keys }) => keys.length > 0 || users[name]?.hasKeys)
    const remote = key || (passwords === 'yes' && admins.some(want => want.kind !== 'root' && usable(want)))
    if (remote) return []
    const console = admins.some(usable)
    // Who could come in before: also people whom the document does not name any more.
    const before = Object.values(users).some(
        one =>
            !one.expired &&
            (one.uid === 0 || one.groups.includes('sudo')) &&
            (one.password === 'set' || one.hasKeys || one.wasGivenKeys),
    )
    return [
        {
            ...{ severity: before && !console ? 'error' : 'warning', code: 'no-way-in', at: 'users' },
            summary: console ? 'Root can be reached at the console only' : 'Nobody could log in and become root',
            detail: `root and the administrators have no SSH key${console ? '' : ', and no password'}`,
            fix: 'Add users.administrators with keys or a passwordHash, or users.root.keys.',
        },
    ]
}

const KEYS = '/etc/ssh/authorized_keys.d'
const WRITTEN = '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.\n'

/**
 * Keys stand in a folder of root's, not in homes: there a user could put a link in the way of what root writes. What a
 * user has in his own home stays, and counts beside them.
 */
export function keysBasics(wants: readonly AccountWant[]): Basics {
    return {
        folders: [{ path: KEYS }],
        files: wants
            .filter(({ kind }) => kind !== 'service')
            .map(({ name, keys }) => ({
                ...{ path: `${KEYS}/${name}`, mode: 0o600, owner: `${name}:root`, for: `SSH keys of ${name}` },
                content: keys.length > 0 ? `${keys.join('\n')}\n` : undefined,
            })),
    }
}

/** Keys of people whom the document does not name any more. */
export function planKeys(wants: readonly AccountWant[], seen: { files: readonly string[] }): OwnPlan {
    const known = new Set(wants.map(({ name }) => name))
    return {
        steps: seen.files
            .filter(name => !known.has(name))
            .map(name => ({ do: 'remove', say: `Take the SSH keys of ${name} away`, path: `${KEYS}/${name}` })),
    }
}

const SUDOERS = '/etc/sudoers.d/debvisor'
const PROGRAM = '/usr/bin/debvisor'
const LOOKS = ['node verify', 'node status', 'node history']
const ACTS = ['node plan', 'node plan --verbose', 'node apply --yes', 'node apply --check']

export function sudoersOf({ administrators }: UsersSpec): string {
    const may = (verbs: readonly string[]) => verbs.map(verb => `${PROGRAM} ${verb}`).join(', ')
    return [
        WRITTEN.trimEnd(),
        ...administrators.map(({ name, sudo }) => `${name} ALL=(ALL:ALL) ${sudo === 'free' ? 'NOPASSWD: ' : ''}ALL`),
        `node ALL=(root) NOPASSWD: ${may([...ACTS, ...LOOKS])}`,
        `monitor ALL=(root) NOPASSWD: ${may(LOOKS)}`,
        '',
    ].join('\n')
}

/** visudo reads the rules before they stand where sudo reads them: with a broken file nobody could use sudo at all. */
export function planSudo(content: string, seen: { content?: string; mode?: number }): OwnPlan {
    if (seen.content === content && seen.mode === 0o440) return { steps: [] }
    const say = 'Check the rules of sudo before they count'
    return {
        steps: [
            { do: 'run', say, tool: 'visudo', args: ['--check', '--file=-'], stdin: content, deadlineMs: TOOL_MS },
            {
                ...{
                    do: 'write',
                    say: `Write ${SUDOERS} (who may do what as root)`,
                    path: SUDOERS,
                    content,
                    mode: 0o440,
                },
                ...(seen.content === undefined ? {} : { was: seen.content }),
            },
        ],
    }
}

const SSHD = '/etc/ssh/sshd_config.d/50-debvisor.conf'

/** `auto` is yes while nobody who may become root has a key in the document. */
export const sshPasswords = ({ root, administrators, ssh }: UsersSpec): 'yes' | 'no' => {
    if (ssh.passwords !== 'auto') return ssh.passwords
    return [root, ...administrators].some(({ keys }) => keys.length > 0) ? 'no' : 'yes'
}

export function sshBasics(users: UsersSpec): Basics {
    const lines = [
        'PermitRootLogin prohibit-password',
        `PasswordAuthentication ${sshPasswords(users)}`,
        'KbdInteractiveAuthentication no',
        `AuthorizedKeysFile ${KEYS}/%u .ssh/authorized_keys`,
    ]
    return {
        packages: ['openssh-server'],
        files: [{ path: SSHD, content: `${WRITTEN}${lines.join('\n')}\n`, for: 'who may log in over SSH' }],
        units: [{ unit: 'ssh.service', enabled: true, active: true, reads: [SSHD], reloads: true }],
    }
}

/** sshd takes the first value that it reads: ours counts only where nothing stands before it. */
export function planSsh(_: UsersSpec, seen: { includes: boolean; before: readonly string[] }): OwnPlan {
    const detail = seen.includes ? seen.before.join(', ') : '/etc/ssh/sshd_config includes no drop-in files'
    if (seen.includes && seen.before.length === 0) return { steps: [] }
    return {
        steps: [],
        findings: [
            {
                ...{ severity: 'warning', code: 'sshd-order', at: 'users.ssh', detail },
                summary: 'Another file of sshd decides what the document should',
                fix: 'Remove the settings there; the Include line of Debian stands first in sshd_config.',
            },
        ],
    }
}
