// What of the machine itself the document means in files, packages and units; and the two things that are neither.
import type { Basics } from '../../engine/basics.ts'
import type { OwnPlan } from '../../engine/resource.ts'
import type { NodeSpec } from './spec.ts'

const MARK = '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.\n'

/** Kernel settings and modules that capabilities need, beyond those of the document. */
export interface KernelNeeds {
    sysctl?: Readonly<Record<string, string | number>>
    modules?: readonly string[]
}

export const fqdnOf = ({ hostname, domain }: NodeSpec): string => `${hostname}.${domain}`

export function nameBasics(spec: NodeSpec): Basics {
    const { hostname } = spec
    const hosts = [
        '127.0.0.1\tlocalhost',
        `127.0.1.1\t${fqdnOf(spec)} ${hostname}`,
        '::1\tlocalhost ip6-localhost ip6-loopback',
        'ff02::1\tip6-allnodes',
        'ff02::2\tip6-allrouters',
    ]
    return {
        files: [
            { path: '/etc/hostname', content: `${hostname}\n`, for: 'the host name' },
            { path: '/etc/hosts', content: `${MARK}${hosts.join('\n')}\n`, for: 'names without DNS' },
        ],
    }
}

/** The kernel has the name too, until the next boot reads the file. */
export function planName(spec: NodeSpec, seen: { hostname: string }): OwnPlan {
    if (seen.hostname === spec.hostname) return { steps: [] }
    const say = `Call this machine ${spec.hostname} (it is ${seen.hostname} now)`
    return { steps: [{ do: 'run', say, tool: 'hostname', args: [spec.hostname], deadlineMs: 10_000 }] }
}

export function localeBasics({ locale, timezone, keyboard }: NodeSpec): Basics {
    const [, layout = 'us', variant = ''] = /^([a-z]+)(?:\((.+)\))?$/.exec(keyboard) ?? []
    const keys = [
        `XKBMODEL="pc105"`,
        `XKBLAYOUT="${layout}"`,
        `XKBVARIANT="${variant}"`,
        'XKBOPTIONS=""',
        'BACKSPACE="guess"',
    ]
    return {
        packages: ['locales', 'tzdata', 'keyboard-configuration', 'console-setup'],
        files: [
            {
                path: '/etc/locale.gen',
                content: `${MARK}${locale === 'C.UTF-8' ? '' : `${locale} UTF-8\n`}`,
                for: 'locales to build',
            },
            { path: '/etc/locale.conf', content: `${MARK}LANG=${locale}\n`, for: 'the language' },
            { path: '/etc/default/keyboard', content: `${MARK}${keys.join('\n')}\n`, for: 'the keyboard' },
        ],
        links: [{ path: '/etc/localtime', target: `/usr/share/zoneinfo/${timezone}` }],
    }
}

/** A locale is built once; `locale -a` spells it en_US.utf8. */
export function planLocale({ locale }: NodeSpec, seen: { locales: readonly string[] }): OwnPlan {
    const spelled = locale.replace('UTF-8', 'utf8')
    if (seen.locales.includes(spelled)) return { steps: [] }
    return {
        steps: [{ do: 'run', say: `Build the locale ${locale}`, tool: 'locale-gen', args: [], deadlineMs: 300_000 }],
    }
}

export function timeBasics({ timeServers }: NodeSpec): Basics {
    const path = '/etc/chrony/sources.d/debvisor.sources'
    const lines = timeServers.map(server => `server ${server} iburst\n`).join('')
    return {
        packages: ['chrony'],
        files: [
            { path, content: timeServers.length > 0 ? lines : undefined, for: 'time servers' },
            {
                path: '/etc/chrony/conf.d/debvisor.conf',
                // A VM that was paused comes back with a clock that is far off.
                content: `${MARK}makestep 1 -1\n`,
                for: 'how the clock is set',
            },
        ],
        units: [
            { unit: 'chrony.service', enabled: true, active: true, reads: [path, '/etc/chrony/conf.d/debvisor.conf'] },
        ],
    }
}

export function kernelBasics(spec: NodeSpec, needs: readonly KernelNeeds[]): Basics {
    const settings = { ...Object.assign({}, ...needs.map(need => need.sysctl ?? {})), ...spec.sysctl }
    const modules = [...new Set([...needs.flatMap(need => need.modules ?? []), ...spec.modules])].sort()
    const sysctl = '/etc/sysctl.d/80-debvisor.conf'
    const load = '/etc/modules-load.d/debvisor.conf'
    const lines = Object.keys(settings)
        .sort()
        .map(name => `${name} = ${settings[name]}\n`)
        .join('')
    return {
        files: [
            { path: load, content: `${MARK}${modules.map(name => `${name}\n`).join('')}`, for: 'kernel modules' },
            { path: sysctl, content: `${MARK}${lines}`, for: 'kernel settings' },
        ],
        units: [
            { unit: 'systemd-modules-load.service', active: true, reads: [load] },
            { unit: 'systemd-sysctl.service', active: true, reads: [sysctl] },
        ],
    }
}

export function updateBasics({ updates }: NodeSpec): Basics {
    const on = updates === 'security'
    const periodic = `APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "${on ? 1 : 0}";\n`
    // The list of Debian's own file is cleared: it takes more than security updates.
    const origins = [
        '#clear Unattended-Upgrade::Origins-Pattern;',
        'Unattended-Upgrade::Origins-Pattern {',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of unattended-upgrades
        '    "origin=Debian,codename=${distro_codename}-security,label=Debian-Security";',
        '};',
        'Unattended-Upgrade::Automatic-Reboot "false";',
    ]
    return {
        packages: ['unattended-upgrades'],
        files: [
            { path: '/etc/apt/apt.conf.d/20auto-upgrades', content: periodic, for: 'how often updates are looked for' },
            {
                path: '/etc/apt/apt.conf.d/52debvisor',
                content: `${origins.join('\n')}\n`,
                for: 'which updates are installed by themselves',
            },
        ],
        units: [{ unit: 'apt-daily-upgrade.timer', enabled: on, active: on }],
    }
}

export function journalBasics({ journalMaxSize }: NodeSpec): Basics {
    const path = '/etc/systemd/journald.conf.d/debvisor.conf'
    const content = `${MARK}[Journal]\nStorage=persistent\nSystemMaxUse=${journalMaxSize}\n`
    return {
        files: [{ path, content, for: 'limits of the journal' }],
        units: [{ unit: 'systemd-journald.service', active: true, reads: [path] }],
    }
}
