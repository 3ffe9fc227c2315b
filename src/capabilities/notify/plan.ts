// A null client of mail: msmtp hands everything to one server, and stands where programs look for sendmail.
import type { Finding } from '../../base/finding.ts'
import type { Basics } from '../../engine/basics.ts'
import type { OwnPlan } from '../../engine/resource.ts'
import type { NotifySpec } from './spec.ts'

const MARK = '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.'
const CONFIG = '/etc/msmtprc'
const ALIASES = '/etc/aliases.msmtp'

type Mail = NonNullable<NotifySpec['mail']>

/** Where the password is read. */
export const passwordFile = ({ password }: Mail): string | undefined =>
    password && ('file' in password ? password.file : `/run/credentials/${password.credential}`)

export function mailBasics(mail: Mail): Basics {
    const { server, port, security, user, from, to } = mail
    const file = passwordFile(mail)
    const config = [
        MARK,
        'defaults',
        'syslog LOG_MAIL',
        `aliases ${ALIASES}`,
        'account default',
        `host ${server}`,
        `port ${port}`,
        `tls ${security === 'none' ? 'off' : 'on'}`,
        ...(security === 'none' ? [] : [`tls_starttls ${security === 'starttls' ? 'on' : 'off'}`]),
        `from ${from}`,
        // The password is read when mail is sent, by root alone.
        ...(user && file ? ['auth on', `user ${user}`, `passwordeval "cat '${file}'"`] : ['auth off']),
    ]
    const aliases = [MARK, `root: ${to.join(', ')}`, `default: ${to.join(', ')}`]
    return {
        packages: ['msmtp', 'msmtp-mta', 'ca-certificates'],
        files: [
            { path: CONFIG, content: `${config.join('\n')}\n`, mode: 0o640, for: 'the server that takes mail' },
            { path: ALIASES, content: `${aliases.join('\n')}\n`, for: 'who gets mail of this machine' },
        ],
    }
}

export function planMail(mail: Mail, seen: { hasPassword: boolean }): OwnPlan {
    const findings: Finding[] = []
    if (mail.password && !seen.hasPassword) {
        findings.push({
            ...{ severity: 'warning', code: 'secret', at: 'notify.mail.password', detail: passwordFile(mail) ?? '' },
            summary: 'The password of the mail server is not where the document says: no mail can be sent',
            fix: 'Write it there, readable by root alone.',
        })
    }
    return { steps: [], findings }
}
