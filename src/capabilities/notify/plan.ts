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

const UNIT = '/etc/systemd/system/debvisor-health'
/** For services of all names; a file of the same name beside one service takes its place there. */
const DROP_IN = '50-debvisor-health.conf'

const textOf = (...lines: string[]) => `${[MARK, ...lines].join('\n')}\n`

/** Looked at every ten minutes, and at once when a service fails. */
export function healthBasics(): Basics {
    const what = 'the look at what is wrong'
    return {
        packages: ['smartmontools'],
        files: [
            {
                ...{ path: `${UNIT}.service`, for: what },
                content: textOf(
                    '[Unit]',
                    'Description=Look at what is wrong on this node, and tell of it',
                    // A service that fails again and again does not start it again and again: the timer comes anyway.
                    ...['StartLimitIntervalSec=5min', 'StartLimitBurst=5', '', '[Service]', 'Type=oneshot'],
                    ...['ExecStart=/usr/bin/debvisor node health --tell', 'TimeoutStartSec=5min'],
                    // It ends with 2 when something is wrong; that is its answer, not a failure.
                    ...[
                        'SuccessExitStatus=2',
                        'ReadWritePaths=-/var/lib/debvisor',
                        'Nice=10',
                        'IOSchedulingClass=idle',
                    ],
                    // Certificates of the site's own are trusted as everywhere else on the machine.
                    'Environment=NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt',
                    ...['ProtectSystem=strict', 'ProtectHome=yes', 'PrivateTmp=yes', 'NoNewPrivileges=yes'],
                ),
            },
            {
                ...{ path: `${UNIT}.timer`, for: what },
                content: textOf(
                    ...['[Unit]', 'Description=Look at what is wrong on this node every ten minutes', '', '[Timer]'],
                    ...['OnCalendar=*:0/10', 'RandomizedDelaySec=60', 'FixedRandomDelay=yes', ''],
                    ...['[Install]', 'WantedBy=timers.target'],
                ),
            },
            {
                ...{ path: `/etc/systemd/system/service.d/${DROP_IN}`, for: what },
                content: textOf('[Unit]', 'OnFailure=debvisor-health.service'),
            },
            // What tells of failures does not tell of its own: that would never end.
            { path: `${UNIT}.service.d/${DROP_IN}`, content: textOf(), for: what },
        ],
        units: [{ unit: 'debvisor-health.timer', enabled: true, active: true, reads: [`${UNIT}.timer`] }],
    }
}

/** Nothing else makes systemd read what stands beside all services. */
export function planHealth(_: unknown, seen: { stale: boolean }): OwnPlan {
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
