// `debvisor login`: shows the node's certificate, asks for the password once, and keeps a token instead of it.
import { hostname, userInfo } from 'node:os'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { Fault } from '../../base/fault.ts'
import type { Verb } from '../../capabilities/verb.ts'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { forgetLogin, loginFile, overTls, readLogin, showCertificate, writeLogin } from './connect.ts'
import type { Io } from './io.ts'

export const loginVerbs = (io: Io): Verb[] => [
    {
        words: ['login'],
        summary: 'log in to a node from this machine',
        description:
            'Asks for your password once and keeps an API token for 90 days in a file that only you can read. Where the ' +
            "node's certificate is its own, its fingerprint is shown first: compare it with the one on the node's console.",
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
            const server = new URL(context.args.server!).origin
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
            const session = createClient(IdentityService, overTls({ server, token: '', certificate }))
            let cookie = ''
            await session.login(
                { user, password },
                { onHeader: headers => (cookie = headers.get('set-cookie')?.split(';')[0] ?? '') },
            )
            const withCookie = createClient(
                IdentityService,
                createConnectTransport({
                    baseUrl: server,
                    httpVersion: '1.1',
                    nodeOptions: certificate ? { ca: certificate, checkServerIdentity: () => undefined } : {},
                    interceptors: [
                        next => request => {
                            request.header.set('cookie', cookie)
                            return next(request)
                        },
                    ],
                }),
            )
            const made = await withCookie.createToken({ name: `cli on ${hostname()}`, days: 90 })
            await withCookie.logout({})
            writeLogin(io.env, { server, token: made.secret, certificate })
            return {
                kind: 'text',
                text: `Logged in to ${server} as ${user}. The token is kept in ${loginFile(io.env)} for 90 days.`,
                json: { server, user, file: loginFile(io.env) },
            }
        },
    },
    {
        words: ['whoami'],
        summary: 'who you are on the node, and what you may do',
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
        summary: 'forget the login of this machine and revoke its token',
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
