// The verbs of `debvisor token` and `grant`: what programs may do, and what people may do on single VMs.
import { Fault } from '../../base/fault.ts'
import {
    CreateTokenResponseSchema,
    IdentityService,
    ListGrantsResponseSchema,
    ListTokensResponseSchema,
} from '../../gen/proto/capabilities/identity/identity_pb.js'
import { VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { carryOutAtOnce, lookedUp, said } from '../change.ts'
import { whole } from '../value.ts'
import type { Verb, VerbContext } from '../verb.ts'
import { GRANTABLE, HERE_FIRST, time, USER, userNamed } from './cli-words.ts'
import { checkPattern } from './permissions.ts'

export const tokenVerbs: Verb[] = [
    {
        words: ['token', 'list'],
        examples: [{ line: 'debvisor token list --user ann', note: 'Which were not used for long?' }],
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
        async run(context) {
            const { user = '' } = context.options
            const scope = (context.lists.scope ?? []).map(pattern => checkPattern(pattern, '--scope'))
            const days = whole(context.options.days ?? '90', '--days', { least: 1, most: 366 })
            if (context.dryRun) await checkOwner(context, user)
            return carryOutAtOnce(context, {
                sentence: `Make the token ${context.args.name}${user && ` for ${user}`}, for ${days} days`,
                async work() {
                    const answer = await context
                        .client(IdentityService)
                        .createToken({ name: context.args.name, scope, days, user })
                    return { kind: 'text', text: answer.secret, json: context.json(CreateTokenResponseSchema, answer) }
                },
            })
        },
    },
    {
        words: ['token', 'delete'],
        summary: 'make a token useless at once',
        arguments: [{ name: 'token', summary: 'id of the token', complete: 'token' }],
        changes: true,
        examples: [{ line: 'debvisor token delete 3f9a1c20', note: 'The ids: debvisor token list' }],
        async run(context) {
            const id = context.args.token!
            const owner = context.dryRun ? await ownerOf(context, id) : ''
            return carryOutAtOnce(context, {
                sentence: `Delete the token ${id}${owner}`,
                async work() {
                    const { pending } = await context.client(IdentityService).revokeToken({ id })
                    return said(`The token ${id} is deleted${pending ? HERE_FIRST : ''}.`)
                },
            })
        },
    },
]

/** What the node would say before it makes one. @throws Fault */
async function checkOwner(context: VerbContext, user: string): Promise<void> {
    if (user !== '') return void (await userNamed(context, user))
    const { via } = await context.client(IdentityService).whoAmI({})
    if (via === 'session') return
    throw via === 'root'
        ? new Fault('invalid', {
              summary: 'Root has no tokens',
              fix: 'Say whose it is to be: --user NAME.',
              at: '--user',
          })
        : new Fault('denied', {
              summary: 'A token cannot make tokens',
              fix: 'Make it in the panel, or as root of the node with --user NAME.',
          })
}

/** ' (backup) of ann'. @throws Fault `not-found` */
async function ownerOf(context: VerbContext, id: string): Promise<string> {
    const identity = context.client(IdentityService)
    const own = (await identity.listTokens({})).tokens.find(token => token.id === id)
    if (own) return ` (${own.name})`
    for (const { name } of (await identity.listUsers({})).users) {
        const found = (await identity.listTokens({ user: name })).tokens.find(token => token.id === id)
        if (found) return ` (${found.name}) of ${name}`
    }
    throw new Fault('not-found', {
        summary: 'There is no such token',
        detail: id,
        fix: 'List them with: debvisor token list',
        at: 'token',
    })
}

export const grantVerbs: Verb[] = [
    {
        words: ['grant', 'list'],
        examples: [{ line: 'debvisor grant list --user ben', note: 'What ben may do on single VMs.' }],
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
        words: ['grant', 'create'],
        summary: 'give a user a role on one VM, or on all VMs with a tag',
        arguments: [USER, { name: 'role', summary: 'what they may do there', choices: GRANTABLE }],
        options: [
            { name: 'vm', value: 'VM', summary: 'name or UUID', complete: 'vm' },
            { name: 'tag', value: 'TAG', summary: 'all VMs with this tag' },
        ],
        changes: true,
        examples: [
            { line: 'debvisor grant create ben operator --vm web1', note: 'That VM alone, even when it is renamed.' },
            { line: 'debvisor grant create ben viewer --tag shop', note: 'Every VM with the tag, now and later.' },
        ],
        async run(context) {
            const { role } = context.args
            const { vm = '', tag = '' } = context.options
            if ((vm === '') === (tag === ''))
                throw new Fault('invalid', {
                    summary: 'A grant is on one VM or on one tag',
                    fix: 'Give --vm or --tag.',
                    at: vm === '' ? '--vm' : '--tag',
                })
            const user = context.args.user!
            await lookedUp(context, () => userNamed(context, user))
            // A name could pass to another VM: a grant holds the UUID.
            const uuid = vm && ((await context.client(VmService).get({ vm })).detail?.vm?.uuid ?? '')
            const seen = await lookedUp(context, () => context.client(IdentityService).listGrants({ user, vm: uuid }))
            const there = seen?.grants.some(g => g.role === role && g.vm === uuid && g.tag === tag)
            const where = vm ? `VM ${vm}` : `tag ${tag}`
            return carryOutAtOnce(context, {
                sentence: there ? undefined : `Give ${user} the role ${role} on ${where}`,
                async work() {
                    await context.client(IdentityService).addGrant({ user, role, vm: uuid, tag })
                    return said(`${user} is ${role} on ${where}.`)
                },
            })
        },
    },
    {
        words: ['grant', 'delete'],
        summary: 'take a grant back',
        arguments: [{ name: 'grant', summary: 'id of the grant', complete: 'grant' }],
        changes: true,
        examples: [{ line: 'debvisor grant delete 0f3c9a7b12de4567', note: 'The ids: debvisor grant list' }],
        async run(context) {
            const id = context.args.grant!
            const seen = await lookedUp(context, () => context.client(IdentityService).listGrants({}))
            const grant = seen?.grants.find(one => one.id === id)
            if (seen && !grant)
                throw new Fault('not-found', {
                    summary: 'There is no such grant',
                    detail: id,
                    fix: 'List them with: debvisor grant list',
                    at: 'grant',
                })
            return carryOutAtOnce(context, {
                sentence: grant
                    ? `Take from ${grant.user} the role ${grant.role} on ${grant.vm ? `VM ${grant.vm}` : `tag ${grant.tag}`}`
                    : `Take the grant ${id} back`,
                async work() {
                    await context.client(IdentityService).removeGrant({ id })
                    return said('The grant is taken back.')
                },
            })
        },
    },
]
