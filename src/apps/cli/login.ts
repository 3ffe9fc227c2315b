// `debvisor login` and what else needs the password itself: it is asked for, used once, and a token is kept instead of it.
import { hostname, userInfo } from 'node:os'
import { createClient } from '@connectrpc/connect'
import { Fault } from '../../base/fault.ts'
import { carryOutAtOnce, said } from '../../capabilities/change.ts'
import type { Verb, VerbContext } from '../../capabilities/verb.ts'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import {
    forgetLogin,
    loginFile,
    overTls,
    readLogin,
    serverOf,
    showCertificate,
    type Target,
    writeLogin,
} from './connect.ts'
import type { Io } from './io.ts'
import { withSession } from './session.ts'

export const loginVerbs = (io: Io, target: (options: VerbContext['options']) => Target): Verb[] => [
    {
        words: ['login'],
        summary: 'log in to a node from this machine',
        description:
            'Asks for your password once, and for a one-time password where you have a second factor, and keeps an API token for 90 days in a file that only you can read. Where the ' +
            "node's certificate is its own, its fingerprint is shown first: compare it with the one on the node's console. " +
            'On the node it makes a token; here it changes that file alone.',
        arguments: [{ name: 'server', summary: 'address of the node, such as https://node1:8443' }],
        options: [
            { name: 'user', short: 'u', value: 'NAME', summary: 'your name on the node' },
            { name: 'yes', short: 'y', summary: 'accept the certificate without asking' },
        ],
        examples: [
            {
                line: 'debvisor login https://node1:8443 -u ann',
                note: 'The password is asked for, or read from a pipe.',
            },
        ],
        async run(context) {
            const server = serverOf(context.args.server!, 'server')
            const shown = await showCertificate(server)
            if (!shown.trusted) {
                io.stderr.write(
                    `The certificate of ${server} is its own. SHA-256 fingerprint:\n  ${shown.fingerprint}\n`,
                )
                await context.confirm('Is it the one that the node shows?')
            }
            const certificate = shown.trusted ? undefined : shown.pem
            const user = context.options.user ?? userInfo().username
            const password = await context.secret(`Password of ${user}`)
            const made = await withSession(
                context,
                { server, certificate, user, password },
                (identity, confirmationToken) =>
                    identity.createToken({ name: `cli on ${hostname()}`, days: 90, confirmationToken }),
            )
            writeLogin(io.env, { server, token: made.secret, certificate })
            return {
                kind: 'text',
                text: `Logged in to ${server} as ${user}. The token is kept in ${loginFile(io.env)} for 90 days.`,
                json: { server, user, file: loginFile(io.env) },
            }
        },
    },
    {
        words: ['user', 'password'],
        summary: 'change your own password',
        description:
            'Asks for the present password and for the new one, or reads them as two lines from a pipe; your other sessions ' +
            'end. It goes to the node by HTTPS, as it needs a login of its own. Root of the node and administrators set ' +
            'a password with: debvisor user set NAME --password',
        options: [
            { name: 'user', short: 'u', value: 'NAME', summary: 'your name on the node; otherwise that of the login' },
        ],
        changes: true,
        examples: [{ line: 'debvisor user password', note: 'After a login; with --server where there was none.' }],
        async run(context) {
            const at = target(context.options)
            if ('socket' in at) {
                throw new Fault('precondition', {
                    summary: 'A password is changed by its owner, over HTTPS',
                    detail: 'this is the local socket, where you are root',
                    fix: 'Set it: debvisor user set NAME --password. Or change your own: debvisor user password --server https://NODE:8443 --user NAME',
                })
            }
            const user = context.options.user ?? (await context.client(IdentityService).whoAmI({})).user?.name ?? ''
            return carryOutAtOnce(context, {
                sentence: `Change the password of ${user}, and end their other sessions`,
                async work() {
                    const oldPassword = await context.secret(`Present password of ${user}`)
                    const newPassword = await context.secret('New password (at least 12 characters)')
                    await withSession(context, { ...at, user, password: oldPassword }, identity =>
                        identity.changePassword({ oldPassword, newPassword }),
                    )
                    return said('Your password is changed; your other sessions are ended.')
                },
            })
        },
    },
    {
        words: ['whoami'],
        summary: 'who you are on the node, and what you may do',
        examples: [{ line: 'debvisor whoami --json', note: 'For a script that checks its rights first.' }],
        async run(context) {
            const me = await context.client(IdentityService).whoAmI({})
            const grants = me.grants.map(g => `${g.role} on ${g.vm ? `VM ${g.vm}` : `tag ${g.tag}`}`)
            return {
                kind: 'record',
                fields: [
                    { label: 'User', value: me.user?.name ?? '' },
                    { label: 'Role', value: me.user?.role || (me.via === 'root' ? 'root of the node' : 'none') },
                    { label: 'By', value: me.via },
                    { label: 'May', value: me.permissions.join('\n') },
                    ...(grants.length ? [{ label: 'Grants', value: grants.join('\n') }] : []),
                ],
                json: {
                    user: me.user?.name ?? '',
                    role: me.user?.role ?? '',
                    via: me.via,
                    permissions: me.permissions,
                },
            }
        },
    },
    {
        words: ['logout'],
        summary: 'forget the login of this machine and delete its token',
        description: 'Deletes the token that login made on the node, and the file that keeps it here.',
        examples: [{ line: 'debvisor logout', note: 'Then log in to another node: debvisor login https://node2:8443' }],
        async run() {
            const saved = readLogin(io.env)
            if (!saved)
                throw new Fault('precondition', {
                    summary: 'You are not logged in from here',
                    fix: 'There is nothing to do.',
                })
            const client = createClient(IdentityService, overTls(saved))
            const id = saved.token.split('_')[1] ?? ''
            await client.revokeToken({ id })
            forgetLogin(io.env)
            return { kind: 'text', text: `Logged out of ${saved.server}.`, json: { server: saved.server } }
        },
    },
]
