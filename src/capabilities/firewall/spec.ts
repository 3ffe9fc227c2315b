// The part of node.yaml about what others may reach on this machine, beyond what its capabilities open by themselves.
import { z } from 'zod'
import type { Finding } from '../../base/finding.ts'
import { openTo } from '../../base/shapes.ts'

const port = z.int().min(1).max(65535)
const range = z.string().regex(/^[1-9]\d{0,4}-[1-9]\d{0,4}$/, 'Use a port such as 443, or a range such as 30000-32767')

export const firewallSpec = z
    .strictObject({
        enabled: z.boolean().default(true).describe('false: the rules are taken away, and everything is open.'),
        cluster: z
            .array(z.union([z.cidrv4(), z.cidrv6()]))
            .default([])
            .describe('Addresses of the other nodes of the cluster, as networks: 10.1.0.11/32.'),
        panel: openTo
            .default('any')
            .describe('Who may reach the panel and the API: any, cluster, or a list of networks.'),
        stacks: openTo
            .default('any')
            .describe(
                'Who reaches the ports of stacks and containers that were exposed: any, cluster, or a list of networks.',
            ),
        open: z
            .array(
                z.strictObject({
                    port: z
                        .union([port, range])
                        .describe('The port as others see it: published ports and NodePorts too.'),
                    protocol: z.enum(['tcp', 'udp']).default('tcp').describe('Protocol.'),
                    from: openTo.default('any').describe('any, cluster, or a list of networks.'),
                    why: z
                        .string()
                        .regex(/^[^"\\\n]{1,80}$/, 'Use up to 80 characters, without quotes')
                        .describe('What it is for; it stands beside the rule.'),
                }),
            )
            .default([])
            .describe(
                'Further ports that are open. A port of a container or of Kubernetes is open only when it stands here.',
            ),
    })
    .describe('What others may reach on this machine.')

export type FirewallSpec = z.infer<typeof firewallSpec>

/** What a schema alone cannot say. */
export function checkFirewall({ firewall }: { firewall: FirewallSpec }): Finding[] {
    return firewall.open.flatMap((one, index): Finding[] => {
        const at = `firewall.open[${index}]`
        const findings: Finding[] = []
        if (typeof one.port === 'string') {
            const [first = 0, last = 0] = one.port.split('-').map(Number)
            if (first > last || last > 65535) {
                findings.push({
                    ...{ severity: 'error', code: 'port-range', at: `${at}.port`, detail: one.port },
                    summary: 'That is no range of ports',
                    fix: 'Write the lower port first; 65535 is the last one.',
                })
            }
        }
        if (one.from === 'cluster' && firewall.cluster.length === 0) {
            findings.push({
                ...{ severity: 'warning', code: 'no-cluster', at: `${at}.from`, detail: String(one.port) },
                summary: 'This is open to the cluster, and the document names no other node',
                fix: 'List the addresses of the other nodes in firewall.cluster.',
            })
        }
        return findings
    })
}
