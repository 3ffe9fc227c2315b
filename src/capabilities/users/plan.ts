// Accounts between what the document says and what the machine has: who is made, who gets a password, who is locked.
import type { Finding } from '../../base/finding.ts'
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
        // Who may speak to libvirt or Docker can become root: what the API lets people do is the wall, not these groups.
        service('debvisor-rpc', 'The API of the node', ['libvirt', 'kvm', 'docker']),
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
            // A password that is set already goes on without its hash.
            severity: secret === 'absent' && now?.password === 'set' ? 'warning' : 'error',
            ...{ code: 'secret', at: `${at}.passwordHash`, detail: name },
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
    // Those whom the document does not name, and DebVisor did not make, keep what they have.
    const others = Object.keys(users).filter(name => {
        const { uid, ours, expired, groups } = users[name]!
        return !wants.some(want => want.name === name) && !ours && !expired && (uid === 0 || groups.includes('sudo'))
    })
    const named = admins.filter(({ name, passwordHash }) => {
        return (passwordHash !== undefined && !secrets[name]) || users[name]?.password === 'set'
    })
    const able = [...named.map(({ name }) => name), ...others.filter(name => users[name]!.password === 'set')]
    const key =
        admins.some(({ name, keys }) => keys.length > 0 || users[name]?.hasKeys) ||
        others.some(name => users[name]!.hasKeys)
    if (key || (passwords === 'yes' && able.some(name => name !== 'root'))) return []
    const console = able.length > 0
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
