// The verbs of `debvisor certificate`: which one the panel shows, and the ways to another one.
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { Fault } from '../../base/fault.ts'
import {
    type Certificate,
    CertificateService,
    GetResponseSchema,
    SetOwnResponseSchema,
} from '../../gen/proto/capabilities/certificate/certificate_pb.js'
import { IdentityService } from '../../gen/proto/capabilities/identity/identity_pb.js'
import { carryOut, carryOutAtOnce, said } from '../change.ts'
import { confirmed } from '../confirm.ts'
import { whole } from '../value.ts'
import type { Verb, VerbContext } from '../verb.ts'
import { LETS_ENCRYPT } from './acme-spec.ts'
import { ALGORITHMS } from './algorithms.ts'

const SOURCES: Record<string, string> = {
    'self-signed': 'made by the node itself, which renews it',
    own: 'given by an administrator, who renews it',
    acme: 'got by ACME, renewed by itself',
}
const CONFIRMS =
    'Over HTTPS your password is asked for once more, and a one-time password where you have a second factor; root at the node’s own socket needs none.'

const client = (context: VerbContext) => context.client(CertificateService)
const date = (time: Certificate['notAfter']) => (time ? timestampDate(time).toLocaleString() : '')

/** Root has no password here, and the node asks for none. */
async function token(context: VerbContext): Promise<string> {
    const { via } = await context.client(IdentityService).whoAmI({})
    return via === 'root' ? '' : confirmed(context)
}

const fieldsOf = (one: Certificate) => [
    { label: 'Names', value: one.names.join('\n') },
    { label: 'Subject', value: one.subject },
    { label: 'Issuer', value: one.issuer },
    { label: 'Valid', value: `${date(one.notBefore)} to ${date(one.notAfter)}` },
    { label: 'SHA-256', value: one.fingerprint },
    { label: 'Key', value: one.key },
    { label: 'Chain', value: one.chain.join('\n') },
]

async function dnsOf(context: VerbContext) {
    const { dns, 'dns-key': keyName = '', 'dns-algorithm': algorithm, 'dns-wait': wait } = context.options
    if (dns === undefined) return undefined
    const [server, port] = dns.split('#')
    return {
        ...{ server, keyName, algorithm },
        port: port === undefined ? 0 : whole(port, '--dns'),
        waitSeconds: wait === undefined ? 0 : whole(wait, '--dns-wait'),
        keySecret: await context.secret(`Key ${keyName} of the DNS server (base64)`),
    }
}

export const certificateVerbs: Verb[] = [
    {
        words: ['certificate', 'show'],
        summary: 'show the certificate of the panel and API, and where it comes from',
        examples: [
            { line: 'debvisor certificate show', note: 'Compare the fingerprint with what your browser shows.' },
        ],
        async run(context) {
            const answer = await client(context).get({})
            const { acme, findings, source } = answer
            const fields = [
                ...fieldsOf(answer.certificate!),
                { label: 'Comes from', value: SOURCES[source] ?? source },
                { label: 'ACME server', value: acme?.directory ?? '' },
                { label: 'Next one', value: date(acme?.next) },
                {
                    label: 'To know',
                    value: findings
                        .map(one => [one.summary, one.detail, one.fix].filter(Boolean).join('. '))
                        .join('\n'),
                },
            ]
            return {
                kind: 'record',
                fields: fields.filter(field => field.value),
                json: context.json(GetResponseSchema, answer),
            }
        },
    },
    {
        words: ['certificate', 'use'],
        summary: 'show a certificate of your own',
        description: `It is checked first: the key fits, it is valid now, its chain is in order. ACME, if it was used, ends with it. ${CONFIRMS}`,
        arguments: [
            {
                name: 'certificate',
                summary: 'file with the certificate and behind it its chain, PEM',
                complete: 'file',
            },
            { name: 'key', summary: 'file with its private key, PEM, without a passphrase', complete: 'file' },
        ],
        changes: true,
        examples: [
            { line: 'debvisor certificate use fullchain.pem privkey.pem', note: 'With --dry-run only checked.' },
        ],
        async run(context) {
            const certificate = await context.file(context.args.certificate!)
            const privateKey = await context.file(context.args.key!)
            const checked = await client(context).setOwn({ certificate, privateKey, dryRun: true })
            const { names = [], fingerprint = '' } = checked.certificate ?? {}
            for (const { severity, summary, detail } of checked.findings)
                context.show({
                    kind: 'text',
                    text: `${severity}: ${summary}: ${detail}`,
                    json: context.json(SetOwnResponseSchema, checked),
                })
            return carryOutAtOnce(context, {
                sentence: `Show the certificate for ${names.join(', ')} (SHA-256 ${fingerprint})`,
                async work() {
                    await client(context).setOwn({ certificate, privateKey, confirmationToken: await token(context) })
                    return said('The panel shows it from now on. Log in anew where its fingerprint was accepted.')
                },
            })
        },
    },
    {
        words: ['certificate', 'self-signed'],
        summary: 'go back to a certificate that the node makes itself',
        description: CONFIRMS,
        changes: true,
        examples: [
            {
                line: 'debvisor certificate self-signed',
                note: 'Its fingerprint is shown: compare it at the next login.',
            },
        ],
        run: context =>
            carryOutAtOnce(context, {
                sentence: 'Make a new certificate of the node’s own and show it; ACME, if it was used, ends',
                async work() {
                    const answer = await client(context).setSelfSigned({ confirmationToken: await token(context) })
                    return said(`The panel shows a new one. SHA-256 fingerprint:\n  ${answer.certificate?.fingerprint}`)
                },
            }),
    },
    {
        words: ['certificate', 'acme'],
        summary: 'get a certificate by ACME, and have it renewed',
        description: `Of Let’s Encrypt, or of any authority with an ACME server. The authority looks at TCP port 80 of each name: it has to lead to this node, and the port has to be open (firewall.open in the document of the node). The node answers there only while it is looked at. The certificate before stays until the new one is there. ${CONFIRMS}`,
        arguments: [{ name: 'name', summary: 'DNS name of this node', repeats: true }],
        options: [
            { name: 'directory', value: 'URL', summary: 'ACME directory of the authority', default: LETS_ENCRYPT },
            { name: 'email', value: 'ADDRESS', summary: 'where the authority tells of trouble' },
            { name: 'agree', summary: 'you agree to the terms of service of the authority' },
            {
                name: 'eab-key-id',
                value: 'ID',
                summary: 'id of the key for external account binding; the key is asked for',
            },
            {
                ...{ name: 'dns', value: 'ADDRESS' },
                summary: 'show it in the DNS instead: IP address of the primary server of the zone, or ADDRESS#PORT',
            },
            {
                ...{ name: 'dns-key', value: 'NAME' },
                summary: 'name of the key (TSIG) that may change the zone; the key itself is asked for',
            },
            {
                ...{ name: 'dns-algorithm', value: 'NAME', choices: ALGORITHMS, default: 'hmac-sha256' },
                summary: 'of the key',
            },
            { name: 'dns-wait', value: 'SECONDS', summary: 'until all servers of the zone have it', default: '30' },
            {
                ...{ name: 'ca-bundle', value: 'FILE', complete: 'file' },
                summary: 'authority of the ACME server’s own certificate, PEM; for one that the system does not know',
            },
        ],
        changes: true,
        examples: [
            {
                line: 'debvisor certificate acme node1.example.org --email admin@example.org --agree',
                note: 'Of Let’s Encrypt.',
            },
            {
                line: 'debvisor certificate acme node1.lan.example --directory https://ca.lan.example/acme/acme/directory --ca-bundle root.pem --agree',
                note: 'Of an authority of your own.',
            },
            {
                line: "debvisor certificate acme '*.lan.example.org' --dns 192.0.2.53 --dns-key debvisor --agree",
                note: 'For all names below one, and where nobody reaches the node from outside.',
            },
        ],
        async run(context) {
            const { options, lists } = context
            const eabKeyId = options['eab-key-id'] ?? ''
            if (!options.agree)
                throw new Fault('precondition', {
                    summary: 'The authority gives certificates to those alone who agree to its terms',
                    fix: 'Read them, then add --agree.',
                    at: '--agree',
                })
            const wanted = {
                ...{
                    names: lists.name ?? [],
                    directory: options.directory ?? '',
                    email: options.email ?? '',
                    agree: true,
                },
                ...{ eabKeyId, eabSecret: eabKeyId && (await context.secret('Key for external account binding')) },
                dns: await dnsOf(context),
                caBundle: options['ca-bundle'] ? await context.file(options['ca-bundle']) : '',
            }
            return carryOut(context, {
                call: async dryRun =>
                    client(context).setAcme({
                        ...wanted,
                        dryRun,
                        confirmationToken: dryRun ? '' : await token(context),
                    }),
                done: () => 'The panel shows the new certificate. It is renewed by itself.',
            })
        },
    },
    {
        words: ['certificate', 'renew'],
        summary: 'get a new certificate by ACME now, without waiting until it is due',
        changes: true,
        examples: [{ line: 'debvisor certificate renew', note: 'To see whether renewing works.' }],
        run: context =>
            carryOut(context, {
                call: dryRun => client(context).renew({ dryRun }),
                done: () => 'The panel shows a new certificate.',
            }),
    },
]
