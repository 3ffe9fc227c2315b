// The part of node.yaml about who is told when something is wrong: by mail, by a webhook.
import { z } from 'zod'
import type { Finding } from '../../base/finding.ts'
import { secretRef } from '../../base/shapes.ts'

const address = z.string().regex(/^[^\s@"'\\,:]+@[A-Za-z0-9.-]+$/, 'Use a mail address such as ops@example.net')

const mail = z.strictObject({
    server: z
        .string()
        .regex(/^[A-Za-z0-9.:-]+$/, 'Use a host name or an address')
        .describe('The mail server.'),
    port: z.int().min(1).max(65535).default(587).describe('Its port.'),
    security: z
        .enum(['starttls', 'tls', 'none'])
        .default('starttls')
        .describe('How the connection is protected; the certificate is checked.'),
    user: z
        .string()
        .regex(/^[^\s"'\\]+$/, 'Use a name without spaces and quotes')
        .optional()
        .describe('Login name; none: the server takes mail without one.'),
    password: secretRef.optional().describe('Where the password is kept.'),
    from: address.describe('Address of the sender.'),
    to: z.array(address).min(1, 'Name at least one address').describe('Who gets mail for root and the other accounts.'),
})

const webhook = z.strictObject({
    url: z
        .union([z.url({ protocol: /^https?$/, error: 'Use an address that begins with https://' }), secretRef])
        .describe('Where it is sent to; where the address itself is a secret, the file that holds it.'),
})

export const notifySpec = z
    .strictObject({
        mail: mail.optional().describe('Mail is handed to one server; none: this machine sends no mail.'),
        webhook: webhook
            .optional()
            .describe('JSON by POST, with a `text` that chat servers show; none: nothing is sent.'),
    })
    .describe('How people are told what is wrong on this machine.')

export type NotifySpec = z.infer<typeof notifySpec>

/** What a schema alone cannot say. */
export const checkNotify = ({ notify: { mail, webhook } }: { notify: NotifySpec }): Finding[] => [
    ...(mail ? checkMail(mail) : []),
    ...(typeof webhook?.url === 'string' && webhook.url.startsWith('http:') ? [readable] : []),
]

const readable: Finding = {
    ...{ severity: 'warning', code: 'webhook-plain', at: 'notify.webhook.url' },
    summary: 'What the webhook is told travels readable',
    fix: 'Use https.',
}

function checkMail({ user, password, security }: NonNullable<NotifySpec['mail']>): Finding[] {
    const findings: Finding[] = []
    if ((user === undefined) !== (password === undefined)) {
        findings.push({
            ...{ severity: 'error', code: 'mail-login', at: `notify.mail.${user === undefined ? 'password' : 'user'}` },
            summary: 'A login of the mail server needs both a name and a password',
            fix: 'Give both user and password, or neither.',
        })
    }
    if (security === 'none' && password) {
        findings.push({
            ...{ severity: 'warning', code: 'mail-plain', at: 'notify.mail.security' },
            summary: 'The password of the mail server would travel readable',
            fix: 'Use starttls or tls.',
        })
    }
    return findings
}
