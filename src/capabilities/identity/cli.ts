// The verbs of `debvisor user`: people and their roles; tokens, grants and sessions stand beside.
import { Fault } from '../../base/fault.ts'
import {
    GrantSchema,
    IdentityService,
    ListRolesResponseSchema,
    ListUsersResponseSchema,
    UserSchema,
} from '../../gen/proto/capabilities/identity/identity_pb.js'
import { carryOutAtOnce, lookedUp, said } from '../change.ts'
import { onOff } from '../value.ts'
import type { Option, Verb, VerbContext } from '../verb.ts'
import { grantVerbs, tokenVerbs } from './cli-rights.ts'
import { sessionVerbs } from './cli-sessions.ts'
import { ROLE_WORDS, time, USER, userNamed, usersOf } from './cli-words.ts'
import { checkUserName } from './user-name.ts'

const ROLE: Option = { name: 'role', short: 'r', value: 'ROLE', summary: 'what they may do', choices: ROLE_WORDS }

const roleOf = (word: string | undefined) => (word === 'none' ? '' : word)

const userVerbs: Verb[] = [
    {
        words: ['user', 'list'],
        summary: 'list the users',
        examples: [{ line: 'debvisor user list', note: 'Who is locked, and who was here last.' }],
        async run(context) {
            const answer = await context.client(IdentityService).listUsers({})
            return {
                kind: 'table',
                columns: [
                    { key: 'name', label: 'NAME' },
                    { key: 'role', label: 'ROLE' },
                    { key: 'fullName', label: 'FULL NAME' },
                    { key: 'factor', label: 'SECOND FACTOR' },
                    { key: 'state', label: 'STATE' },
                    { key: 'lastLogin', label: 'LAST LOGIN' },
                ],
                rows: answer.users.map(u => ({
                    name: u.name,
                    role: u.role || 'grants only',
                    fullName: u.fullName,
                    factor: u.factor ? 'yes' : '',
                    state: u.locked ? 'locked' : '',
                    lastLogin: time(u.lastLogin) || 'never',
                })),
                empty: 'There is no user yet. Open the first-login link, or make one with: debvisor user first-login',
                json: context.json(ListUsersResponseSchema, answer),
            }
        },
    },
    {
        words: ['user', 'show'],
        summary: 'show a user with their grants',
        arguments: [USER],
        examples: [{ line: 'debvisor user show ann', note: 'Their role, and what they may do beyond it.' }],
        async run(context) {
            const user = await userNamed(context, context.args.user!)
            const { grants } = await context.client(IdentityService).listGrants({ user: user.name })
            const fields = [
                { label: 'Name', value: user.name },
                { label: 'Full name', value: user.fullName },
                { label: 'Role', value: user.role || 'grants only' },
                { label: 'Second factor', value: user.factor ? 'set up' : 'none' },
                { label: 'State', value: user.locked ? 'locked' : '' },
                { label: 'Made', value: time(user.created) },
                { label: 'Last login', value: time(user.lastLogin) || 'never' },
                {
                    label: 'Grants',
                    value: grants.map(g => `${g.role} on ${g.vm ? `VM ${g.vm}` : `tag ${g.tag}`}`).join('\n'),
                },
            ]
            return {
                kind: 'record',
                fields: fields.filter(f => f.value),
                json: { user: context.json(UserSchema, user), grants: grants.map(g => context.json(GrantSchema, g)) },
            }
        },
    },
    {
        words: ['user', 'create'],
        summary: 'make a user; the password is asked for',
        arguments: [{ name: 'user', summary: 'name of the new user' }],
        options: [ROLE, { name: 'full-name', value: 'NAME', summary: 'their full name' }],
        changes: true,
        examples: [
            {
                line: 'debvisor user create ann --role operator',
                note: 'The password is asked for, or read from a pipe.',
            },
        ],
        async run(context) {
            const name = checkUserName(context.args.user!, 'user')
            const { role, 'full-name': fullName = '' } = context.options
            if (context.dryRun && (await usersOf(context)).some(user => user.name === name))
                throw new Fault('exists', {
                    summary: 'There is a user of that name',
                    detail: name,
                    fix: 'Choose another name.',
                    at: 'user',
                })
            return carryOutAtOnce(context, {
                sentence: `Make the user ${name} ${role && role !== 'none' ? `with the role ${role}` : 'without a role'}`,
                async work() {
                    const password = await context.secret(`Password for ${name} (at least 12 characters)`)
                    await context
                        .client(IdentityService)
                        .createUser({ name, role: roleOf(role) ?? '', fullName, password })
                    return said(`The user ${name} can log in.`)
                },
            })
        },
    },
    {
        words: ['user', 'set'],
        summary: 'change role, name, password or lock of a user',
        arguments: [USER],
        options: [
            ROLE,
            { name: 'full-name', value: 'NAME', summary: 'their full name' },
            { name: 'lock', value: 'ON', summary: 'keep them out', choices: ['on', 'off'] },
            { name: 'password', summary: 'ask for a new password' },
        ],
        changes: true,
        examples: [
            { line: 'debvisor user set ann --lock on', note: 'Out at once, from every session and token.' },
            { line: 'debvisor user set ann --password', note: 'For who has forgotten it; not by a token.' },
        ],
        async run(context) {
            const { role, lock, password, 'full-name': fullName } = context.options
            const name = context.args.user!
            const user = await lookedUp(context, () => userNamed(context, name))
            const wanted = { role: roleOf(role), locked: onOff(lock), fullName }
            const changes = [
                wanted.role !== undefined && wanted.role !== user?.role && `role ${role}`,
                wanted.fullName !== undefined && wanted.fullName !== user?.fullName && `full name ${wanted.fullName}`,
                wanted.locked !== undefined &&
                    wanted.locked !== user?.locked &&
                    (wanted.locked ? 'locked' : 'unlocked'),
                password && 'a new password',
            ].filter(Boolean)
            return carryOutAtOnce(context, {
                sentence: changes.length ? `Change the user ${name}: ${changes.join(', ')}` : undefined,
                async work() {
                    await context.client(IdentityService).updateUser({
                        name,
                        ...wanted,
                        password: password ? await context.secret(`New password for ${name}`) : undefined,
                    })
                    return said(`The user ${name} is changed.`)
                },
            })
        },
    },
    {
        words: ['user', 'delete'],
        summary: 'delete a user with their sessions, tokens and grants',
        arguments: [USER],
        changes: true,
        examples: [
            { line: 'debvisor user delete ann', note: 'Locking keeps who they were: debvisor user set ann --lock on' },
        ],
        async run(context) {
            const name = context.args.user!
            await lookedUp(context, () => userNamed(context, name))
            return carryOutAtOnce(context, {
                sentence: `Delete the user ${name} with their sessions, tokens and grants`,
                destroys: `user:${name}`,
                question: `This destroys user:${name}.`,
                typed: name,
                async work() {
                    await context.client(IdentityService).deleteUser({ name })
                    return said(`The user ${name} is deleted.`)
                },
            })
        },
    },
    {
        words: ['user', 'first-login'],
        summary: 'make a new link for the first login (root of the node, while no administrator exists)',
        description: 'Links that were made before no longer work.',
        changes: true,
        examples: [{ line: 'debvisor user first-login', note: 'When the first link was not opened in time.' }],
        async run(context) {
            if (context.dryRun) await checkFirstLogin(context)
            return carryOutAtOnce(context, {
                sentence: 'Make a new link for the first login; links of before no longer work',
                async work() {
                    const answer = await context.client(IdentityService).newFirstLogin({})
                    return said(
                        `Open the panel's address with ${answer.path} behind it, before ${time(answer.expires)}.`,
                    )
                },
            })
        },
    },
    {
        words: ['user', 'roles'],
        summary: 'list the roles and what they permit',
        examples: [{ line: 'debvisor user roles --wide', note: 'With every permission of each.' }],
        async run(context) {
            const answer = await context.client(IdentityService).listRoles({})
            return {
                kind: 'table',
                columns: [
                    { key: 'name', label: 'ROLE' },
                    { key: 'summary', label: 'WHAT IT IS FOR' },
                    { key: 'permissions', label: 'PERMISSIONS', wide: true },
                ],
                rows: answer.roles.map(r => ({
                    name: r.name,
                    summary: r.summary,
                    permissions: r.permissions.join(', '),
                })),
                json: context.json(ListRolesResponseSchema, answer),
            }
        },
    },
]

/** The same that the node would say. @throws Fault `denied`, `precondition` */
async function checkFirstLogin(context: VerbContext): Promise<void> {
    const { via } = await context.client(IdentityService).whoAmI({})
    if (via !== 'root')
        throw new Fault('denied', { summary: 'Only root of the node may do this', fix: 'Run it as root on the node.' })
    const admin = (await usersOf(context)).find(user => user.role === 'admin')
    if (admin)
        throw new Fault('precondition', {
            summary: 'There is an administrator already',
            detail: admin.name,
            fix: `Set their password instead: debvisor user set ${admin.name} --password`,
        })
}

export const identityVerbs: Verb[] = [...userVerbs, ...tokenVerbs, ...grantVerbs, ...sessionVerbs]
