// The verbs of `debvisor user` and `session`: people, and where they are logged in; tokens and grants stand beside.
import { Fault } from '../../base/fault.ts'
import {
    GrantSchema,
    IdentityService,
    ListRolesResponseSchema,
    ListSessionsResponseSchema,
    ListUsersResponseSchema,
    type Session,
    UserSchema,
} from '../../gen/proto/capabilities/identity/identity_pb.js'
import { carryOutAtOnce, said } from '../change.ts'
import { onOff } from '../value.ts'
import type { Option, Verb, VerbContext } from '../verb.ts'
import { grantVerbs, tokenVerbs } from './cli-rights.ts'
import { HERE_FIRST, ROLE_WORDS, time, USER, userNamed } from './cli-words.ts'
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
                    { key: 'state', label: 'STATE' },
                    { key: 'lastLogin', label: 'LAST LOGIN' },
                ],
                rows: answer.users.map(u => ({
                    name: u.name,
                    role: u.role || 'grants only',
                    fullName: u.fullName,
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
            const user = await userNamed(context, context.args.user!)
            const wanted = { role: roleOf(role), locked: onOff(lock), fullName }
            const changes = [
                wanted.role !== undefined && wanted.role !== user.role && `role ${role}`,
                wanted.fullName !== undefined && wanted.fullName !== user.fullName && `full name ${wanted.fullName}`,
                wanted.locked !== undefined && wanted.locked !== user.locked && (wanted.locked ? 'locked' : 'unlocked'),
                password && 'a new password',
            ].filter(Boolean)
            return carryOutAtOnce(context, {
                sentence: changes.length ? `Change the user ${user.name}: ${changes.join(', ')}` : undefined,
                async work() {
                    await context.client(IdentityService).updateUser({
                        name: user.name,
                        ...wanted,
                        password: password ? await context.secret(`New password for ${user.name}`) : undefined,
                    })
                    return said(`The user ${user.name} is changed.`)
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
            const { name } = await userNamed(context, context.args.user!)
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

const sessionVerbs: Verb[] = [
    {
        words: ['session', 'list'],
        examples: [{ line: 'debvisor session list --user ann --wide', note: 'Where ann is logged in, and with what.' }],
        summary: 'list where you, or another user, are logged in',
        options: [{ name: 'user', value: 'USER', summary: 'of that user instead of yourself', complete: 'user' }],
        async run(context) {
            const answer = await context.client(IdentityService).listSessions({ user: context.options.user ?? '' })
            return {
                kind: 'table',
                columns: [
                    { key: 'id', label: 'ID' },
                    { key: 'user', label: 'USER' },
                    { key: 'from', label: 'FROM' },
                    { key: 'lastUsed', label: 'LAST USED' },
                    { key: 'expires', label: 'EXPIRES' },
                    { key: 'agent', label: 'BROWSER', wide: true },
                ],
                rows: answer.sessions.map(s => ({
                    id: s.id,
                    user: s.user,
                    from: s.from,
                    lastUsed: time(s.lastUsed),
                    expires: time(s.expires),
                    agent: s.agent,
                })),
                empty: 'Nobody is logged in.',
                json: context.json(ListSessionsResponseSchema, answer),
            }
        },
    },
    {
        words: ['session', 'delete'],
        summary: 'end one session, or all of a user',
        description: 'Without an id all of your own sessions end, or all of --user.',
        arguments: [{ name: 'session', summary: 'id of the session', optional: true, complete: 'session' }],
        options: [{ name: 'user', value: 'USER', summary: 'all sessions of that user', complete: 'user' }],
        changes: true,
        examples: [{ line: 'debvisor session delete --user ann', note: 'Log ann out everywhere.' }],
        async run(context) {
            const { user = '' } = context.options
            const { session: id = '' } = context.args
            if (id !== '' && user !== '')
                throw new Fault('invalid', {
                    summary: 'One session is named, or a user',
                    fix: 'Give the id of a session, or --user.',
                    at: '--user',
                })
            return carryOutAtOnce(context, {
                sentence: id === '' ? await allSessions(context, user) : await oneSession(context, id),
                question: id === '' ? `All sessions of ${user || 'yours'} end.` : undefined,
                async work() {
                    const answer = await context.client(IdentityService).revokeSessions({ id, user })
                    const ended = answer.ended === 1 ? 'One session is ended' : `${answer.ended} sessions are ended`
                    return said(`${ended}${answer.pending ? HERE_FIRST : ''}.`)
                },
            })
        },
    },
]

const usersOf = async (context: VerbContext) => (await context.client(IdentityService).listUsers({})).users
const sessionsOf = async (context: VerbContext, user: string): Promise<Session[]> =>
    (await context.client(IdentityService).listSessions({ user })).sessions

async function allSessions(context: VerbContext, user: string): Promise<string | undefined> {
    if (user !== '') await userNamed(context, user)
    const { length } = await sessionsOf(context, user)
    return length === 0
        ? undefined
        : `End ${length === 1 ? 'the session' : `all ${length} sessions`} of ${user || 'yours'}`
}

/** Looked for only where a plan is asked for: ending it says by itself when it is not there. */
async function oneSession(context: VerbContext, id: string): Promise<string> {
    const sentence = `End the session ${id}`
    if (!context.dryRun) return sentence
    const own = await sessionsOf(context, '')
    if (own.some(session => session.id === id)) return sentence
    for (const { name } of await usersOf(context)) {
        if ((await sessionsOf(context, name)).some(session => session.id === id)) return `${sentence} of ${name}`
    }
    throw new Fault('not-found', {
        summary: 'There is no such session',
        detail: id,
        fix: 'List them with: debvisor session list',
        at: 'session',
    })
}

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
