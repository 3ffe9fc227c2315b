// The part of node.yaml about the machine itself: its name, language, clock, kernel settings, updates and journal.
import { z } from 'zod'
import type { Finding } from '../../base/finding.ts'

const HOST = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const DOMAIN = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/

export const nodeSpec = z
    .strictObject({
        hostname: z
            .string()
            .regex(HOST, 'Use 1 to 63 small letters, digits and dashes')
            .default('debvisor')
            .describe('The name of this machine, without a domain.'),
        domain: z
            .string()
            .regex(DOMAIN, 'Use names of small letters, digits and dashes, joined by dots')
            .default('local')
            .describe('The domain that the name is in. Together they are the FQDN.'),
        locale: z
            .string()
            .regex(/^[A-Za-z]{2,3}_[A-Z]{2}(\.UTF-8)?$|^C\.UTF-8$/, 'Use a locale such as en_US.UTF-8')
            .default('en_US.UTF-8')
            .describe('Language and forms of the system.'),
        timezone: z
            .string()
            .regex(/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+){0,2}$/, 'Use a name such as Europe/Berlin')
            .default('UTC')
            .describe('Time zone, by its name in the tz database.'),
        keyboard: z
            .string()
            .regex(/^[a-z]{2,5}(\([a-z0-9_-]+\))?$/, 'Use a layout such as us or de(nodeadkeys)')
            .default('us')
            .describe('Keyboard layout of the console.'),
        timeServers: z
            .array(z.string().regex(DOMAIN, 'Use host names or addresses').or(z.ipv4()).or(z.ipv6()))
            .default([])
            .describe("Servers that the clock is set by; none: Debian's pool."),
        sysctl: z
            .record(
                z.string().regex(/^[a-z0-9_]+([./][A-Za-z0-9_.*-]+)+$/, 'Use a name such as vm.swappiness'),
                z.union([z.string(), z.number()]),
            )
            .default({})
            .describe('Kernel settings beyond those that the capabilities need.'),
        modules: z
            .array(z.string().regex(/^[A-Za-z0-9_-]+$/))
            .default([])
            .describe('Kernel modules to load at boot, beyond those that the capabilities need.'),
        updates: z
            .enum(['security', 'none'])
            .default('security')
            .describe('What is installed by itself: security updates of Debian, or nothing.'),
        journalMaxSize: z
            .string()
            .regex(/^[1-9][0-9]*[KMGT]$/, 'Use a size such as 1G')
            .default('1G')
            .describe('The most that the journal takes on the disk.'),
    })
    .describe('This machine: name, language, clock, kernel settings, updates, journal.')

export type NodeSpec = z.infer<typeof nodeSpec>

/** What a schema alone cannot say. */
export function checkNode({ node }: { node: NodeSpec }): Finding[] {
    const findings: Finding[] = []
    if (node.hostname === 'localhost') {
        findings.push({
            ...{ severity: 'error', code: 'hostname', at: 'node.hostname', summary: 'That name cannot be used' },
            detail: 'localhost is every machine',
            fix: 'Give the node a name of its own.',
        })
    }
    const fqdn = `${node.hostname}.${node.domain}`
    if (fqdn.length > 253) {
        const detail = `${fqdn.length} characters; 253 are allowed`
        findings.push({
            ...{ severity: 'error', code: 'fqdn', at: 'node.domain', summary: 'The full name is too long', detail },
            fix: 'Shorten the host name or the domain.',
        })
    }
    return findings
}
