// Where packages of Kubernetes come from: the source, the pin and the key of apt, and how the key is told from others.
import type { Tool } from '../../engine/kit.ts'
import { ARCHIVE, KEY_FILE, MINOR, POOL } from './versions.ts'

export const aptTools: Tool[] = [
    { name: 'curl', program: '/usr/bin/curl', half: 'machine' },
    { name: 'gpg', program: '/usr/bin/gpg', half: 'machine', looks: true },
]

const MARK = '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.'

export type Origin = 'pool' | 'archive'

/** deb822 (sources.list(5)). What is in the pool came with the system: it is as good as the system is. */
export const sourceText = (origin: Origin): string =>
    `${[
        MARK,
        'Types: deb',
        ...(origin === 'pool'
            ? [`URIs: file:${POOL}`, 'Suites: ./', 'Trusted: yes']
            : [`URIs: ${ARCHIVE.uri}`, 'Suites: /', `Signed-By: ${KEY_FILE}`]),
    ].join('\n')}\n`

/** Debian has a kubectl, too; and what is newer is taken by a new version of DebVisor, not by an upgrade of packages. */
export const pinText = (): string =>
    `${[
        `# ${MARK.slice(2)}`,
        'Package: kubeadm kubelet kubectl',
        `Pin: version ${MINOR}.*`,
        'Pin-Priority: 900',
        '',
        'Package: kubeadm kubelet kubectl',
        'Pin: version *',
        'Pin-Priority: -1',
    ].join('\n')}\n`

/** Ends with 0 where something answers, whatever it says; 10 s at most. */
export const askReach = (uri: string): [string, ...string[]] => [
    ...([
        '/usr/bin/curl',
        '--silent',
        '--output',
        '/dev/null',
        '--proto',
        '=https',
        '--max-time',
        '10',
        '--head',
        uri,
    ] as const),
]

export const fetchArgs = (uri: string): string[] => [
    ...['--silent', '--show-error', '--fail', '--location', '--proto', '=https', '--max-time', '120', uri],
]

export const keyArgs = ['--batch', '--no-tty', '--show-keys', '--with-colons', KEY_FILE]
export const askKey: [string, ...string[]] = ['/usr/bin/gpg', ...keyArgs]

/** One key, and that one: `pub:…` begins a key, the first `fpr:` after it is its fingerprint. */
export function isOurKey(stdout: string): boolean {
    const lines = stdout.split('\n').map(line => line.split(':'))
    const keys = lines.filter(([word]) => word === 'pub')
    const print = lines.find(([word]) => word === 'fpr')?.[9]
    return keys.length === 1 && print === ARCHIVE.fingerprint
}
