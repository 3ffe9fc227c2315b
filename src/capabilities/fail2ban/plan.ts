// fail2ban as files: jails for SSH and Cockpit that read the journal, and shut out by nftables.
import type { Basics } from '../../engine/basics.ts'
import type { Fail2banSpec } from './spec.ts'

const MARK = '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.'
const JAILS = '/etc/fail2ban/jail.d/debvisor.local'
const FILTER = '/etc/fail2ban/filter.d/debvisor-cockpit.conf'
const unit = 'fail2ban.service'

export interface Fail2banWant extends Fail2banSpec {
    /** Whether Cockpit runs here. */
    cockpit: boolean
}

export function fail2banBasics({ enabled, tries, banMinutes, trusted, cockpit }: Fail2banWant): Basics {
    if (!enabled) return { units: [{ unit, enabled: false, active: false }] }
    const jails = [
        MARK,
        '[DEFAULT]',
        'backend = systemd',
        'banaction = nftables',
        'banaction_allports = nftables[type=allports]',
        `bantime = ${banMinutes}m`,
        'findtime = 10m',
        `maxretry = ${tries}`,
        `ignoreip = ${['127.0.0.1/8', '::1', ...trusted].join(' ')}`,
        '',
        '[sshd]',
        'enabled = true',
        ...(cockpit ? ['', '[debvisor-cockpit]', 'enabled = true', 'filter = debvisor-cockpit', 'port = 9090'] : []),
    ]
    // The name may hold anything, also what looks like an address: the line is matched from its beginning to the host.
    const filter = [
        MARK,
        '[Definition]',
        'failregex = ^\\s*\\S+ cockpit-session(?:\\[\\d+\\])?: pam_unix\\(cockpit:auth\\): authentication failure; logname=\\S* uid=\\d+ euid=\\d+ tty=\\S* ruser=\\S* rhost=<HOST>(?:\\s+user=.*)?\\s*$',
        'journalmatch = _COMM=cockpit-session',
    ]
    return {
        // Without the second it cannot read the journal.
        packages: ['fail2ban', 'python3-systemd', 'nftables'],
        files: [
            { path: FILTER, content: cockpit ? `${filter.join('\n')}\n` : undefined, for: 'failed logins to Cockpit' },
            { path: JAILS, content: `${jails.join('\n')}\n`, for: 'who is shut out' },
        ],
        units: [{ unit, enabled: true, active: true, reads: [JAILS, FILTER], reloads: true }],
    }
}
