// The firewall for the engine: it collects what all other resources open, and looks at what is loaded.
import { LOOK_MS } from '../../base/look.ts'
import type { Tool } from '../../engine/kit.ts'
import { type Look, type Opening, resource } from '../../engine/resource.ts'
import { hashOf } from '../../engine/survey.ts'
import type { Probe } from '../../ports/ports.ts'
import * as plan from './plan.ts'
import { rulesText, TABLE } from './rules.ts'
import type { FirewallSpec } from './spec.ts'

export const firewallTools: Tool[] = [
    { name: 'nft', program: '/usr/sbin/nft', half: 'machine' },
    { name: 'iptables', program: '/usr/sbin/iptables', half: 'machine' },
]

type Doc = { firewall: FirewallSpec }

export interface FirewallNeeds<Document> {
    /** Of all other resources. */
    openings(document: Document): readonly Opening[]
    /** Bridges of the host that reach the network outside. */
    bridges(document: Document): readonly string[]
    admits: plan.Admits
}

/** What a tool says; empty where it is not there, or has nothing to say. */
async function said(probe: Probe, ...argv: [string, ...string[]]): Promise<string> {
    const result = await probe.query({ argv, deadlineMs: LOOK_MS }).catch(() => undefined)
    return result?.exitCode === 0 ? result.stdout : ''
}

async function see({ phase, root, machine }: Look): Promise<plan.FirewallSeen> {
    const content = await root.readText(plan.RULES_FILE)
    if (phase === 'image') return { offline: true, content, peers: [], ufw: false, forwardDrops: false }
    const [table, sockets, policy, ufw] = await Promise.all([
        said(machine, '/usr/sbin/nft', 'list', 'table', 'inet', TABLE),
        said(machine, '/usr/bin/ss', '-Hnt', 'state', 'established', 'sport', '=', ':22'),
        said(machine, '/usr/sbin/iptables', '--wait', '-S', 'FORWARD'),
        root.readText('/etc/ufw/ufw.conf'),
    ])
    return {
        ...{ offline: false, content, loaded: /^\s*comment "(.*)"$/m.exec(table)?.[1] ?? (table ? '' : undefined) },
        peers: peersOf(sockets),
        ufw: /^ENABLED=yes$/m.test(ufw ?? ''),
        forwardDrops: policy.startsWith('-P FORWARD DROP'),
    }
}

/** `0 0 10.1.0.5:22 10.1.0.9:51514`; IPv6 in brackets, and IPv4 may be written as such. */
const peersOf = (text: string) => [
    ...new Set(
        text.split('\n').flatMap(line => {
            const end = line.trim().split(/\s+/)[3]
            const address = /^\[?(?:::ffff:)?([0-9a-f.:]+?)(?:%\w+)?\]?:\d+$/.exec(end ?? '')?.[1]
            return address && address !== '127.0.0.1' && address !== '::1' ? [address] : []
        }),
    ),
]

export function firewallResources<Document extends Doc>(needs: FirewallNeeds<Document>) {
    const wantOf = (document: Document): plan.FirewallWant => {
        const { enabled, cluster, open, stacks } = document.firewall
        const all = [...plan.ownOpenings(document.firewall), ...needs.openings(document), ...open]
        const rules = { cluster, open: all, stacks, bridges: needs.bridges(document) }
        const mark = `debvisor ${hashOf(rulesText(rules, '')).slice(0, 16)}`
        return { enabled, mark, rules: rulesText(rules, mark), open: all, cluster }
    }
    return [
        resource<Document, plan.FirewallWant & { own: Opening[] }, plan.FirewallSeen>({
            // After SSH: its rules let in only what the document opens.
            ...{ name: 'firewall.rules', phases: ['image', 'boot'], needs: ['ssh', 'kernel'], provides: ['firewall'] },
            want: document => ({ ...wantOf(document), own: plan.ownOpenings(document.firewall) }),
            basics: plan.firewallBasics,
            openings: ({ own }) => own,
            observe: see,
            plan: (want, seen) => plan.planFirewall(want, seen, needs.admits),
        }),
    ]
}
