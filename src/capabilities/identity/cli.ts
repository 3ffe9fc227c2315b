// The verbs of `debvisor user`, `token`, `grant` and `session`: people, and what they may do.
import { timestampDate } from '@bufbuild/protobuf/wkt'
import {
    CreateTokenResponseSchema,
    IdentityService,
    ListGrantsResponseSchema,
    ListRolesResponseSchema,
    ListSessionsResponseSchema,
    ListTokensResponseSchema,
    ListUsersResponseSchema,
    type User,
} from '../../gen/proto/capabilities/identity/identity_pb.js'
import type { Argument, Option, Verb, VerbContext, View } from '../verb.ts'

const USER: Argument = { name: 'user', summary: 'name of the user', complete: 'user' }
const ROLE: Option = {
    name: 'role',
    short: 'r',
    value: 'ROLE',
    summary: 'what they may do',
    choices: ['admin', 'operator', 'viewer', 'auditor', 'none'],
}

/** etcd is away: it holds on this node at once, and is told to the others later. */
const HERE_FIRST = ' on this node; the other nodes are told when etcd is back'

const time = (at: User['created']) => (at ? timestampDate(at).toLocaleString() : '')
const said = (text: string): View => ({ kind: 'text', text, json: { done: text } })
const roleOf = (word: string | undefined) => (word === 'none' ? '' : word)

/** Shows what would be done instead of doing it, for changes whose whole plan is one sentence. */
async function change(context: VerbContext, sentence: string, work: () => Promise<View>): Promise<View> {
    if (!context.dryRun) return work()
    return { kind: 'plan', sentences: [{ text: sentence, destroys: '' }], findings: [], json: { plan: [{ sentence }] } }
}

const userVerbs: Verb[] = [
    {
        words: ['user', 'list'],
        summary: 'list the users',
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
        words: ['user', 'create'],
        summary: 'make a user; the password is asked for',
        arguments: [USER],
        options: [ROLE, { name: 'full-name', value: 'NAME', summary: 'their full name' }],
        changes: true,
        run: context =>
            change(context, `Make the user ${context.args.user}`, async () => {
                const { user } = context.args
                const password = await context.secret(`Password for ${user} (at least 12 characters)`)
                const { role, 'full-name': fullName = '' } = context.options
                await context
                    .client(IdentityService)
                    .createUser({ name: user, role: roleOf(role) ?? '', fullName, password })
                return said(`The user ${user} can log in.`)
            }),
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
        run: context =>
            change(context, `Change the user ${context.args.user}`, async () => {
                const { role, lock, password, 'full-name': fullName } = context.options
                await context.client(IdentityService).updateUser({
                    name: context.args.user,
                    role: roleOf(role),
                    fullName,
                    locked: lock === undefined ? undefined : lock === 'on',
                    password: password ? await context.secret(`New password for ${context.args.user}`) : undefined,
                })
                return said(`The user ${context.args.user} is changed.`)
            }),
    },
    {
        words: ['user', 'password'],
        summary: 'change your own password',
        changes: true,
        run: context =>
            change(context, 'Change your password, and end your other sessions', async () => {
                const oldPassword = await context.secret('Present password')
                const newPassword = await context.secret('New password (at least 12 characters)')
                await context.client(IdentityService).changePassword({ oldPassword, newPassword })
                return said('Your password is changed; your other sessions are ended.')
            }),
    },
    {
        words: ['user', 'delete'],
        summary: 'delete a user with their sessions, tokens and grants',
        arguments: [USER],
        changes: true,
        run: context =>
            change(context, `Delete the user ${context.args.user} with their sessions, tokens and grants`, async () => {
                await context.confirm(`The user ${context.args.user} is deleted.`)
                await context.client(IdentityService).deleteUser({ name: context.args.user })
                return said(`The user ${context.args.user} is deleted.`)
            }),
    },
    {
        words: ['user', 'first-login'],
        summary: 'make a new link for the first login (root of the node, while no administrator exists)',
        async run(context) {
            const answer = await context.client(IdentityService).newFirstLogin({})
            return said(`Open the panel's address with ${answer.path} behind it, before ${time(answer.expires)}.`)
        },
    },
    {
        words: ['user', 'roles'],
        summary: 'list the roles and what they permit',
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

const tokenVerbs: Verb[] = [
    {
        words: ['token', 'list'],
        summary: 'list API tokens',
        options: [{ name: 'user', value: 'USER', summary: 'of that user instead of your own', complete: 'user' }],
        async run(context) {
            const answer = await context.client(IdentityService).listTokens({ user: context.options.user ?? '' })
            return {
                kind: 'table',
                columns: [
                    { key: 'id', label: 'ID' },
                    { key: 'name', label: 'NAME' },
                    { key: 'user', label: 'USER' },
                    { key: 'scope', label: 'SCOPE' },
                    { key: 'expires', label: 'EXPIRES' },
                    { key: 'lastUsed', label: 'LAST USED' },
                ],
                rows: answer.tokens.map(t => ({
                    id: t.id,
                    name: t.name,
                    user: t.user,
                    scope: t.scope.join(', ') || 'all of its owner',
                    expires: time(t.expires),
                    lastUsed: time(t.lastUsed) || 'never',
                })),
                empty: 'There is no token. Make one with: debvisor token create NAME',
                json: context.json(ListTokensResponseSchema, answer),
            }
        },
    },
    {
        words: ['token', 'create'],
        summary: 'make an API token; it is shown once',
        arguments: [{ name: 'name', summary: 'what it is for' }],
        options: [
            { name: 'scope', value: 'PERMISSION', summary: 'limit it, such as vm.view or vm.*', repeats: true },
            { name: 'days', value: 'N', summary: 'days until it expires', default: '90' },
            { name: 'user', value: 'USER', summary: 'for that user instead of yourself', complete: 'user' },
        ],
        changes: true,
        examples: [
            {
                line: 'debvisor token create backup --user ann --scope vm.view --scope vm.snapshot --scope task.view --days 30 > token',
                note: 'For a program that only takes snapshots.',
            },
        ],
        run: context =>
            change(context, `Make the token ${context.args.name}`, async () => {
                const answer = await context.client(IdentityService).createToken({
                    name: context.args.name,
                    scope: context.lists.scope ?? [],
                    days: Number(context.options.days ?? 0),
                    user: context.options.user ?? '',
                })
                return { kind: 'text', text: answer.secret, json: context.json(CreateTokenResponseSchema, answer) }
            }),
    },
    {
        words: ['token', 'revoke'],
        summary: 'make a token useless at once',
        arguments: [{ name: 'token', summary: 'id of the token', complete: 'token' }],
        changes: true,
        run: context =>
            change(context, `Revoke the token ${context.args.token}`, async () => {
                const { pending } = await context.client(IdentityService).revokeToken({ id: context.args.token })
                return said(`The token ${context.args.token} is revoked${pending ? HERE_FIRST : ''}.`)
            }),
    },
]

const grantVerbs: Verb[] = [
    {
        words: ['grant', 'list'],
        summary: 'list who may do what on which VMs',
        options: [{ name: 'user', value: 'USER', summary: 'only of that user', complete: 'user' }],
        async run(context) {
            const answer = await context.client(IdentityService).listGrants({ user: context.options.user ?? '' })
            return {
                kind: 'table',
                columns: [
                    { key: 'id', label: 'ID' },
                    { key: 'user', label: 'USER' },
                    { key: 'role', label: 'ROLE' },
                    { key: 'on', label: 'ON' },
                ],
                rows: answer.grants.map(g => ({
                    id: g.id,
                    user: g.user,
                    role: g.role,
                    on: g.vm ? `VM ${g.vm}` : `tag ${g.tag}`,
                })),
                empty: 'There is no grant.',
                json: context.json(ListGrantsResponseSchema, answer),
            }
        },
    },
    {
        words: ['grant', 'add'],
        summary: 'give a user a role on one VM, or on all VMs with a tag',
        arguments: [USER, { name: 'role', summary: 'operator or viewer' }],
        options: [
            { name: 'vm', value: 'VM', summary: 'name or UUID', complete: 'vm' },
            { name: 'tag', value: 'TAG', summary: 'all VMs with this tag' },
        ],
        changes: true,
        run: context =>
            change(context, `Give ${context.args.user} the role ${context.args.role}`, async () => {
                const { user, role } = context.args
                const { vm = '', tag = '' } = context.options
                const { grant } = await context.client(IdentityService).addGrant({ user, role, vm, tag })
                return said(`${user} is ${role} on ${grant?.vm ? `VM ${vm}` : `tag ${tag}`}.`)
            }),
    },
    {
        words: ['grant', 'remove'],
        summary: 'take a grant back',
        arguments: [{ name: 'grant', summary: 'id of the grant' }],
        changes: true,
        run: context =>
            change(context, `Take back the grant ${context.args.grant}`, async () => {
                await context.client(IdentityService).removeGrant({ id: context.args.grant })
                return said('The grant is taken back.')
            }),
    },
]

const sessionVerbs: Verb[] = [
    {
        words: ['session', 'list'],
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
        words: ['session', 'end'],
        summary: 'end one session, or all of a user',
        arguments: [{ name: 'session', summary: 'id of the session', optional: true }],
        options: [{ name: 'user', value: 'USER', summary: 'all sessions of that user', complete: 'user' }],
        changes: true,
        run: context =>
            change(context, 'End the session', async () => {
                const answer = await context
                    .client(IdentityService)
                    .revokeSessions({ id: context.args.session ?? '', user: context.options.user ?? '' })
                const ended = answer.ended === 1 ? 'One session is ended' : `${answer.ended} sessions are ended`
                return said(`${ended}${answer.pending ? HERE_FIRST : ''}.`)
            }),
    },
]

export const identityVerbs: Verb[] = [...userVerbs, ...tokenVerbs, ...grantVerbs, ...sessionVerbs]
