// Accounts, keys, sudo and SSH for the engine. Hashes of passwords are compared here, and go no further.
import { Fault } from '../../base/fault.ts'
import type { Tool } from '../../engine/kit.ts'
import { type Look, resource } from '../../engine/resource.ts'
import { secretText } from '../../engine/see-basics.ts'
import type { Probe } from '../../ports/ports.ts'
import * as access from './access.ts'
import * as plan from './plan.ts'
import type { UsersSpec } from './spec.ts'

export const usersTools: Tool[] = [
    { name: 'useradd', program: '/usr/sbin/useradd', half: 'root' },
    { name: 'usermod', program: '/usr/sbin/usermod', half: 'root' },
    { name: 'chpasswd', program: '/usr/sbin/chpasswd', half: 'root' },
    { name: 'visudo', program: '/usr/sbin/visudo', half: 'root' },
]

const HASH = /^\$(y|gy|7|2[aby]|6|5)\$[^\s:]+$/
const KEYS = '/etc/ssh/authorized_keys.d'
const SSHD = '/etc/ssh/sshd_config.d'

const linesOf = async (probe: Probe, path: string): Promise<string[][]> =>
    ((await probe.readText(path)) ?? '')
        .split('\n')
        .filter(Boolean)
        .map(line => line.split(':'))

/** Undefined where there is none, or none that can be read. */
async function hashOf(probe: Probe, secret: plan.AccountWant['passwordHash']): Promise<string | undefined> {
    if (!secret) return undefined
    try {
        return await secretText(probe, secret)
    } catch (thrown) {
        if (thrown instanceof Fault && thrown.code === 'precondition') return undefined
        throw thrown
    }
}

const passwordOf = (field: string): plan.Password => {
    if (field === '') return 'empty'
    if (/^[!*]+$/.test(field)) return 'none'
    return field.startsWith('!') ? 'locked' : 'set'
}

const hasLine = (text: string | undefined) => (text ?? '').split('\n').some(line => /^\s*[^#\s]/.test(line))

async function seeAccounts({ root, machine }: Look, { accounts }: plan.AccountsWant): Promise<plan.AccountsSeen> {
    const [passwd, shadow, group] = await Promise.all(
        ['/etc/passwd', '/etc/shadow', '/etc/group'].map(path => linesOf(root, path)),
    )
    const locks = new Map(shadow!.map(([name = '', field = '', , , , , , expires = '']) => [name, { field, expires }]))
    const users: Record<string, plan.AccountSeen> = {}
    const secrets: Record<string, 'absent' | 'no-hash'> = {}
    const wanted = new Map(accounts.map(want => [want.name, want]))
    for (const [name = '', , uid = '', gid = '', comment = '', home = ''] of passwd!) {
        const { field, expires } = locks.get(name) ?? { field: '*', expires: '' }
        const ours = comment.split(',')[4] === plan.MARK
        // Of the others, only those who may become root matter.
        const sudoer = group!.some(([word, , , members = '']) => word === 'sudo' && members.split(',').includes(name))
        if (!ours && !wanted.has(name) && !sudoer && uid !== '0') continue
        users[name] = {
            ...{ uid: Number(uid), home, ours, password: passwordOf(field), expired: expires === '1' },
            hasKeys: hasLine(await root.readText(`${home}/.ssh/authorized_keys`)),
            wasGivenKeys: hasLine(await root.readText(`${KEYS}/${name}`)),
            groups: group!
                .filter(([, , id, members = '']) => id === gid || members.split(',').includes(name))
                .map(([word = '']) => word),
        }
    }
    for (const { name, passwordHash } of accounts) {
        if (!passwordHash) continue
        const hash = await hashOf(machine, passwordHash)
        if (hash === undefined) secrets[name] = 'absent'
        else if (!HASH.test(hash)) secrets[name] = 'no-hash'
        else if (users[name]) users[name].same = locks.get(name)?.field === hash
    }
    return { users, secrets, groups: group!.map(([name = '']) => name) }
}

type Doc = { users: UsersSpec }
const both = ['image', 'boot'] as const
const accounts = ({ users }: Doc) => plan.accountsOf(users)

export const usersResources = [
    resource<Doc, plan.AccountsWant, plan.AccountsSeen>({
        ...{ name: 'users.accounts', phases: both, provides: ['users'] },
        want: ({ users }) => ({ accounts: plan.accountsOf(users), passwords: access.sshPasswords(users) }),
        observe: seeAccounts,
        plan: plan.planAccounts,
    }),
    resource<Doc, plan.AccountWant[], { files: string[] }>({
        ...{ name: 'users.keys', phases: both, needs: ['users.accounts'], want: accounts, basics: access.keysBasics },
        observe: async ({ root }) => ({ files: await root.list(KEYS) }),
        plan: access.planKeys,
    }),
    resource<Doc, string, { content?: string; mode?: number }>({
        ...{ name: 'users.sudo', phases: both, needs: ['users.accounts'] },
        want: ({ users }) => access.sudoersOf(users),
        basics: () => ({ packages: ['sudo'] }),
        observe: async ({ root }) => ({
            content: await root.readText('/etc/sudoers.d/debvisor'),
            mode: (await root.look('/etc/sudoers.d/debvisor'))?.mode,
        }),
        plan: access.planSudo,
    }),
    resource<Doc, UsersSpec, { includes: boolean; before: string[] }>({
        // After the keys: before them it could shut out who has none elsewhere.
        ...{ name: 'users.ssh', phases: both, needs: ['users.keys'], provides: ['ssh'] },
        want: ({ users }) => users,
        basics: access.sshBasics,
        openings: ({ ssh }) => [{ port: 22, protocol: 'tcp', from: ssh.from, why: 'SSH' }],
        observe: async ({ root }) => {
            const main = await root.readText('/etc/ssh/sshd_config')
            const before: string[] = []
            for (const name of await root.list(SSHD)) {
                if (!name.endsWith('.conf') || name >= '50-debvisor.conf') continue
                const text = (await root.readText(`${SSHD}/${name}`)) ?? ''
                if (/^\s*(PermitRootLogin|PasswordAuthentication|AuthorizedKeysFile)\b/im.test(text))
                    before.push(`${SSHD}/${name}`)
            }
            // Undefined: the package is not there yet, and Debian's own file will include them.
            return { includes: main === undefined || /^\s*Include\s+\/etc\/ssh\/sshd_config\.d\//im.test(main), before }
        },
        plan: access.planSsh,
    }),
]
