// What it takes to have the wanted rules loaded: a change is a guard that comes back by itself; at boot a unit loads them.
import type { Finding } from '../../base/finding.ts'
import type { Basics } from '../../engine/basics.ts'
import type { Opening, OwnPlan } from '../../engine/resource.ts'
import type { Step } from '../../engine/step.ts'
import type { Open } from './rules.ts'
import { TABLE } from './rules.ts'
import type { FirewallSpec } from './spec.ts'

export const RULES_FILE = '/etc/debvisor/firewall.nft'
/** The rules of before a change that nobody has confirmed yet. */
export const BEFORE_FILE = '/var/lib/debvisor/firewall/before.nft'
export const UNIT = 'debvisor-firewall.service'
export const RESTORE_UNIT = 'debvisor-firewall-restore.service'
const TOOL_MS = 30_000
const GUARD_MS = 60_000

export interface FirewallWant {
    enabled: boolean
    rules: string
    /** The comment of the table. */
    mark: string
    open: readonly Open[]
    cluster: readonly string[]
}

export interface FirewallSeen {
    /** A tree that is being made has no rules loaded. */
    offline: boolean
    content?: string
    /** Comment of our table, as it is loaded. */
    loaded?: string
    /** Address of who is connected by SSH now. */
    peers: readonly string[]
    /** ufw's unit is enabled or active. */
    ufw: boolean
    /** Docker, ufw: the chain FORWARD of iptables drops what no rule takes. */
    forwardDrops: boolean
}

/** The panel, the API and the peers of the cluster. */
export const ownOpenings = ({ panel }: FirewallSpec): Opening[] => [
    { port: 8443, protocol: 'tcp', from: panel, why: 'panel and API' },
    { port: 9443, protocol: 'tcp', from: 'cluster', why: 'peers of the cluster' },
]

/** Docker leaves forwarding alone where it is on already; otherwise it would drop what goes between ports of a bridge. */
export const firewallKernel = ({ enabled }: FirewallSpec) => (enabled ? { sysctl: { 'net.ipv4.ip_forward': 1 } } : {})

const unitText = (...lines: string[]) =>
    `# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.\n${lines.join('\n')}\n`

export function firewallBasics({ enabled }: FirewallWant): Basics {
    const folder = BEFORE_FILE.slice(0, BEFORE_FILE.lastIndexOf('/'))
    const early = ['DefaultDependencies=no', `RequiresMountsFor=/etc/debvisor ${folder}`]
    const load = `/usr/sbin/nft --file ${RULES_FILE}`
    const units: Basics['units'] = enabled
        ? [
              // It would flush the tables of everybody at its start and stop.
              { unit: 'nftables.service', masked: true },
              // It reads them at boot, and when a rollback has brought older ones back.
              { unit: UNIT, enabled: true, active: true, reads: [RULES_FILE], reloads: true },
          ]
        : [{ unit: UNIT, enabled: false, active: false }]
    return {
        packages: ['nftables'],
        folders: [{ path: folder, mode: 0o700 }],
        files: [
            {
                path: `/etc/systemd/system/${UNIT}`,
                content: unitText(
                    ...['[Unit]', 'Description=Firewall of DebVisor', ...early],
                    ...['Wants=network-pre.target', `Wants=${RESTORE_UNIT}`, `After=${RESTORE_UNIT}`],
                    'Before=sysinit.target network-pre.target',
                    // No ExecStop: what is stopped by mistake, or at the end of a boot, stays closed.
                    ...[
                        '',
                        '[Service]',
                        'Type=oneshot',
                        'RemainAfterExit=yes',
                        `ExecStart=${load}`,
                        `ExecReload=${load}`,
                    ],
                    ...['', '[Install]', 'WantedBy=sysinit.target'],
                ),
                for: 'the firewall at boot',
            },
            {
                path: `/etc/systemd/system/${RESTORE_UNIT}`,
                content: unitText(
                    ...['[Unit]', 'Description=Take back a change of the firewall that nobody confirmed', ...early],
                    ...[`ConditionPathExists=${BEFORE_FILE}`, '', '[Service]', 'Type=oneshot'],
                    ...[`ExecStart=/usr/bin/mv --force ${BEFORE_FILE} ${RULES_FILE}`, `ExecStart=${load}`],
                ),
                for: 'the way back from a change of the firewall',
            },
        ],
        units,
    }
}

export function planFirewall(want: FirewallWant, seen: FirewallSeen, admits: Admits): OwnPlan {
    if (!want.enabled) return { steps: offSteps(seen) }
    const write: Step = {
        ...{
            do: 'write',
            say: `${seen.content === undefined ? 'Write' : 'Change'} ${RULES_FILE} (what others may reach)`,
        },
        ...{ path: RULES_FILE, content: want.rules, mode: 0o644 },
        ...(seen.content === undefined ? {} : { was: seen.content }),
    }
    const same = seen.content === want.rules
    if (seen.offline) return { steps: same ? [] : [write] }
    const steps: Step[] = same && seen.loaded === want.mark ? [] : [guarded(want, same ? [] : [write])]
    if (seen.forwardDrops) {
        const say = 'Leave what is forwarded to the rules of DebVisor (iptables drops it before: also TCP between VMs)'
        steps.push({
            do: 'run',
            say,
            tool: 'iptables',
            args: ['--wait', '-P', 'FORWARD', 'ACCEPT'],
            deadlineMs: TOOL_MS,
        })
    }
    return { steps, findings: [...ufwFindings(seen), ...shutFindings(want, seen, admits)] }
}

function guarded({ rules, mark }: FirewallWant, write: readonly Step[]): Step {
    const nft = (say: string, args: readonly string[], stdin?: string): Step => ({
        ...{ do: 'run', say, tool: 'nft', args, deadlineMs: TOOL_MS },
        ...(stdin === undefined ? {} : { stdin }),
    })
    return {
        ...{ do: 'guard', guard: 'firewall', rollbackAfterMs: GUARD_MS },
        say: 'Change the firewall; without a confirmation the rules of before come back after 60 s',
        steps: [
            nft('Check the rules', ['--check', '--file', '-'], rules),
            ...write,
            nft('Load the rules at once, and leave those of others alone', ['--file', RULES_FILE]),
        ],
        check: [{ is: 'tool', tool: 'nft', args: ['list', 'table', 'inet', TABLE], says: mark }],
    }
}

function offSteps({ content, loaded, offline }: FirewallSeen): Step[] {
    const steps: Step[] = []
    if (!offline && loaded !== undefined) {
        const say = 'Take the rules of the firewall away: everything is open'
        steps.push({ do: 'run', say, tool: 'nft', args: ['delete', 'table', 'inet', TABLE], deadlineMs: TOOL_MS })
    }
    if (content !== undefined) steps.push({ do: 'remove', say: `Remove ${RULES_FILE}`, path: RULES_FILE })
    return steps
}

function ufwFindings({ ufw }: FirewallSeen): Finding[] {
    if (!ufw) return []
    return [
        {
            ...{
                severity: 'warning',
                code: 'ufw',
                at: 'firewall',
                summary: 'ufw is active beside the firewall of DebVisor',
            },
            detail: 'what one of them drops stays dropped',
            fix: 'Turn it off: ufw disable',
        },
    ]
}

/** Whether an address is in one of the networks. */
export type Admits = (networks: readonly string[], address: string) => boolean

/** Connections that stand go on; their owners could not come again. */
function shutFindings({ open, cluster }: FirewallWant, { peers }: FirewallSeen, admits: Admits): Finding[] {
    const ssh = open.filter(({ port, protocol }) => String(port) === '22' && protocol === 'tcp')
    const may = (address: string) =>
        ssh.some(({ from }) => from === 'any' || admits(from === 'cluster' ? cluster : from, address))
    const shut = peers.filter(address => !may(address))
    if (shut.length === 0) return []
    return [
        {
            ...{ severity: 'error', code: 'ssh-shut', at: 'users.ssh.from', detail: shut.join(', ') },
            summary: 'Somebody is connected by SSH who could not connect again',
            fix: 'Let that address in with users.ssh.from, or apply at the console.',
        },
    ]
}
