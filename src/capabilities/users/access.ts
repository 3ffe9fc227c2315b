// What accounts may do and how they come in: keys, rules of sudo, and what sshd is told.
import type { Basics } from '../../engine/basics.ts'
import type { OwnPlan } from '../../engine/resource.ts'
import type { AccountWant } from './plan.ts'
import type { UsersSpec } from './spec.ts'

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
            { do: 'run', say, tool: 'visudo', args: ['--check', '--file=-'], stdin: content, deadlineMs: 60_000 },
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
