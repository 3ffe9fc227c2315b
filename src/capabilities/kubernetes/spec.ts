// The part of node.yaml about Kubernetes: whether it runs, which networks it takes, who may reach its API.
import { z } from 'zod'
import type { Finding } from '../../base/finding.ts'
import { openTo } from '../../base/shapes.ts'

export const kubernetesSpec = z
    .strictObject({
        enabled: z
            .boolean()
            .default(false)
            .describe('Whether Kubernetes runs on this node. Its packages and images are not of Debian.'),
        podNetwork: z
            .cidrv4()
            .optional()
            .describe(
                'Network of pods; none: 10.244.0.0/16, or another one when that collides with anything in sight.',
            ),
        serviceNetwork: z
            .cidrv4()
            .optional()
            .describe('Network of services; none: 10.96.0.0/16, or another one when that collides.'),
        address: z
            .ipv4()
            .optional()
            .describe('Address of this node that the API is reached at; none: that of the default route.'),
        api: openTo.default('any').describe('Who may reach the API on port 6443: any, cluster, or a list of networks.'),
    })
    .describe('Kubernetes: a cluster of this one node.')

export type KubernetesSpec = z.infer<typeof kubernetesSpec>

const prefixOf = (network: string) => Number(network.split('/')[1])

/** What a schema alone cannot say. */
export function checkKubernetes({ kubernetes }: { kubernetes: KubernetesSpec }): Finding[] {
    const { podNetwork, serviceNetwork } = kubernetes
    const findings: Finding[] = []
    if (podNetwork && prefixOf(podNetwork) > 22) {
        findings.push({
            ...{ severity: 'error', code: 'network-small', at: 'kubernetes.podNetwork', detail: podNetwork },
            summary: 'That network is too small for pods',
            fix: 'Each node takes blocks of it: give a /22 at least, better a /16.',
        })
    }
    if (serviceNetwork && (prefixOf(serviceNetwork) > 24 || prefixOf(serviceNetwork) < 12)) {
        findings.push({
            ...{ severity: 'error', code: 'network-size', at: 'kubernetes.serviceNetwork', detail: serviceNetwork },
            summary: 'Kubernetes cannot take a network of that size for services',
            fix: 'Give one between /12 and /24.',
        })
    }
    return findings
}
