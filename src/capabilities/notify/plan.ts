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

const TELLER = '/etc/systemd/system/debvisor-notify@.service'
/** For services of all names; a file of the same name beside one service takes its place there. */
const DROP_IN = '50-debvisor-notify.conf'

export type FailedUnitsWant = Pick<Mail, 'failedUnits'>

/** systemd itself puts the name of what failed into the mail: no shell, and no program of ours that could fail as well. */
export function failedUnitsBasics({ failedUnits }: FailedUnitsWant): Basics {
    const text = (...lines: string[]) => (failedUnits ? `${[MARK, ...lines].join('\n')}\n` : undefined)
    const what = 'mail about failed services'
    return {
        files: [
            {
                ...{ path: TELLER, for: what },
                content: text(
                    ...[
                        '[Unit]',
                        'Description=Mail that %i has failed',
                        'StartLimitIntervalSec=1h',
                        'StartLimitBurst=1',
                    ],
                    ...['', '[Service]', 'Type=oneshot', 'ExecStart=/usr/sbin/sendmail root', 'StandardInput=data'],
                    // The first line is the head of the mail; an empty line of its own would begin the text anew.
                    'StandardInputText=Subject: %i has failed on %H\\n',
                    'StandardInputText=The service %i has failed on %H. What it said: journalctl -u %i',
                    'StandardInputText=Further failures of it within an hour are not told.',
                ),
            },
            {
                ...{ path: `/etc/systemd/system/service.d/${DROP_IN}`, for: what },
                content: text('[Unit]', 'OnFailure=debvisor-notify@%n.service'),
            },
            {
                // What tells of failures does not tell of its own: that would never end.
                ...{ path: `${TELLER}.d/${DROP_IN}`, for: what },
                content: text(),
            },
        ],
    }
}

/** No unit of its own is started here, so nothing else makes systemd read the files. */
export function planFailedUnits(_: FailedUnitsWant, seen: { stale: boolean }): OwnPlan {
    if (!seen.stale) return { steps: [] }
    const say = 'Let systemd read its files again'
    return { steps: [{ do: 'run', say, tool: 'systemctl', args: ['daemon-reload'], deadlineMs: 60_000 }] }
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
