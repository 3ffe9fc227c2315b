// A certificate by ACME: the only file that knows certbot, Debian's ACME client. It runs as the daemon does, in a folder of its own.
import { Fault } from '../../base/fault.ts'
import type { Log, System } from '../../ports/ports.ts'
import type { DnsUpdate } from './acme-spec.ts'
import type { Pair } from './pair.ts'

export interface Order {
    /** All that certbot keeps of this authority: its account, its settings, what it got. */
    folder: string
    directory: string
    email: string
    names: readonly string[]
    /** Where the challenge is answered; the authority always asks port 80. */
    port: number
    /** External account binding; needed once, when the account is made. */
    eab?: { keyId: string; secret: string }
    /** dns-01, by the key that `keepDnsKey` has put into the folder; undefined for http-01. */
    dns?: { waitSeconds: number }
}

const DEADLINE_MS = 5 * 60_000
const MS = 1000
const LINEAGE = 'panel'
const DETAIL_LENGTH = 600

/** PEM of the authority of the ACME server itself, where the system does not know it. */
export const caFileIn = (folder: string) => `${folder}/ca.pem`

const dnsFileIn = (folder: string) => `${folder}/rfc2136.ini`

/** What certbot's own plugin reads of it, each time; 0600, as it warns of anything else. */
export async function keepDnsKey(folder: string, dns: DnsUpdate, system: Pick<System, 'writeFile'>): Promise<void> {
    const { server, port, keyName, keySecret, algorithm } = dns
    const lines = { server, port, name: keyName, secret: keySecret, algorithm: algorithm.toUpperCase() }
    const text = Object.entries(lines).map(([key, value]) => `dns_rfc2136_${key} = ${value}\n`)
    await system.writeFile(dnsFileIn(folder), text.join(''), 0o600)
}

/** How the names are shown to be the node's. */
const challenge = ({ folder, port, dns }: Pick<Order, 'folder' | 'port' | 'dns'>): string[] =>
    dns
        ? [
              ...['authenticator = dns-rfc2136', 'preferred-challenges = dns'],
              `dns-rfc2136-credentials = ${dnsFileIn(folder)}`,
              `dns-rfc2136-propagation-seconds = ${dns.waitSeconds}`,
          ]
        : ['standalone = true', 'preferred-challenges = http', `http-01-port = ${port}`]

/**
 * What certbot is told. In a file and not in arguments, which every user of the node can read: a key may be among it.
 * Values have been checked before: none has a line break.
 */
export const certbotConfig = ({ folder, directory, email, names, port, eab, dns }: Order): string =>
    [
        'non-interactive = true',
        'agree-tos = true',
        email === '' ? 'register-unsafely-without-email = true' : `email = ${email}`,
        'no-eff-email = true',
        ...[`config-dir = ${folder}`, `work-dir = ${folder}/work`, `logs-dir = ${folder}/logs`, 'max-log-backups = 0'],
        ...challenge({ folder, port, dns }),
        ...[`server = ${directory}`, `cert-name = ${LINEAGE}`, `domains = ${names.join(',')}`],
        ...['key-type = ecdsa', 'force-renewal = true', 'renew-with-new-domains = true'],
        ...(eab ? [`eab-kid = ${eab.keyId}`, `eab-hmac-key = ${eab.secret}`] : []),
        '',
    ].join('\n')

/** A new pair of the authority. @throws Fault with what the authority, or the way to it, had against it */
export async function obtain(
    order: Order,
    { system, log }: { system: System; log: Log },
    signal?: AbortSignal,
): Promise<Pair> {
    const { folder } = order
    const [config, ca] = [`${folder}/debvisor.ini`, caFileIn(folder)]
    await system.makeDirectory(folder, 0o700)
    await system.writeFile(config, certbotConfig(order), 0o600)
    try {
        const { exitCode, stdout, stderr } = await system.run({
            argv: ['certbot', 'certonly', '--config', config],
            deadlineMs: DEADLINE_MS + (order.dns?.waitSeconds ?? 0) * MS,
            env: (await system.look(ca)) ? { REQUESTS_CA_BUNDLE: ca } : {},
            ...(signal ? { signal } : {}),
        })
        if (exitCode !== 0) {
            log.warn('certbot did not get a certificate', { exitCode, stdout, stderr })
            throw certbotFault(`${stdout}\n${stderr}`)
        }
    } finally {
        // The key of the account binding is needed no more, whatever the end.
        await system.remove(config)
    }
    const [certPem, keyPem] = await Promise.all(
        ['fullchain', 'privkey'].map(name => system.readText(`${folder}/live/${LINEAGE}/${name}.pem`)),
    )
    if (certPem && keyPem) return { certPem, keyPem }
    throw new Fault('internal', {
        summary: 'certbot said that it has a certificate, and there is none',
        detail: `${folder}/live/${LINEAGE}`,
    })
}

/** What certbot says, by its reasons. */
export function certbotFault(said: string): Fault {
    const byDns = dnsFault(said)
    if (byDns) return byDns
    const details = [...said.matchAll(/^\s*(?:Domain|Identifier): (.+)\n\s*Type: +(.+)\n\s*Detail: (.+)$/gm)]
    if (details.length > 0)
        return new Fault('precondition', {
            summary: 'The authority could not see that a name is of this node',
            detail: details
                .map(([, name, , why]) => `${name}: ${why}`)
                .join('; ')
                .slice(0, DETAIL_LENGTH),
            fix: 'Each name has to lead to this node, and TCP port 80 has to be open to the authority, as firewall.open of the document of the node.',
            at: 'names',
        })
    const busy = /Could not bind TCP port (\d+) because it is already in use/.exec(said)
    if (busy)
        return new Fault('conflict', {
            summary: 'The port for the challenge is in use',
            detail: `TCP port ${busy[1]}`,
            fix: 'See what holds it (ss -ltnp), and end it for that moment, or use a certificate of your own.',
        })
    const forbidden = /Could not bind TCP port (\d+) because you don't have/.exec(said)
    if (forbidden)
        return new Fault('denied', {
            summary: 'The service may not answer at the port for the challenge',
            detail: `TCP port ${forbidden[1]}`,
            fix: 'The unit debvisor-rpcd.service gives it CAP_NET_BIND_SERVICE: see whether it was overridden.',
        })
    if (/CERTIFICATE_VERIFY_FAILED|certificate verify failed/i.test(said))
        return new Fault('precondition', {
            summary: 'The ACME server shows a certificate that this node does not trust',
            fix: 'Give the certificate of its authority with it.',
            at: 'ca_bundle',
        })
    if (/externalAccountRequired|external account/i.test(said))
        return new Fault('precondition', {
            summary: 'The authority wants to know the account beforehand',
            detail: lastWords(said),
            fix: 'Get a key for external account binding from it, and give its id and the key.',
            at: 'eab_key_id',
        })
    if (/rateLimited|too many (certificates|failed|requests|new orders)/i.test(said))
        return new Fault('exhausted', {
            summary: 'The authority gives no more certificates at the moment',
            detail: lastWords(said),
            fix: 'Wait as long as it says.',
        })
    if (
        /ConnectionError|Max retries exceeded|Failed to establish|ReadTimeout|ConnectTimeout|ValueError: Requesting/i.test(
            said,
        )
    )
        return new Fault('unavailable', {
            summary: 'The ACME server does not answer',
            detail: lastWords(said),
            fix: 'Check its address, and whether the node may reach it.',
            at: 'directory',
        })
    return new Fault('unavailable', {
        summary: 'There is no new certificate',
        detail: lastWords(said),
        fix: 'The whole of what certbot said is in the journal: debvisor node journal --unit debvisor-rpcd.service',
    })
}

/** What is wrong with the way by DNS. */
function dnsFault(said: string): Fault | undefined {
    if (
        /dns-rfc2136 does not appear to be installed|Could not select or initialize the requested authenticator dns-rfc2136/.test(
            said,
        )
    )
        return new Fault('precondition', {
            summary: 'certbot cannot change a DNS zone here',
            fix: 'On the node: apt install python3-certbot-dns-rfc2136',
        })
    // dnspython's words for what TSIG answers (BADKEY, BADSIG, BADTIME), and certbot's for a refusal.
    const refused =
        /The peer didn't (?:know|like) .+|(?:bad|wrong) (?:key|signature)|Received response from server: .+/i.exec(said)
    if (refused)
        return new Fault('precondition', {
            summary: 'The DNS server did not take the change',
            detail: refused[0].slice(0, DETAIL_LENGTH),
            fix: 'Its key may change TXT records of the zone (update-policy), name, algorithm and key are as the server has them, and the clocks of both are right.',
            at: 'dns.key_name',
        })
    if (/Unable to determine base domain/.test(said))
        return new Fault('precondition', {
            summary: 'The DNS server has no zone for a name',
            detail: lastWords(said),
            fix: 'Name the primary server of the zone that the names are in.',
            at: 'dns.server',
        })
    if (/DNS operation timed out|Encountered error when making query|Connection refused.*53/i.test(said))
        return new Fault('unavailable', {
            summary: 'The DNS server does not answer',
            detail: lastWords(said),
            fix: 'Check its address and port, and whether the node may reach it by TCP and UDP.',
            at: 'dns.server',
        })
    return undefined
}

/** The last line that tells something. */
const lastWords = (said: string): string =>
    (
        said
            .split('\n')
            .map(line => line.trim())
            .filter(
                line =>
                    line !== '' &&
                    !/^(Ask for help|See the logfile|Saving debug log|re-run Certbot|Some challenges)/i.test(line),
            )
            .at(-1) ?? ''
    ).slice(0, DETAIL_LENGTH)
