// Which networks pods and services get: what stands already stays, the document decides, else the first that is free.
import type { Finding } from '../../base/finding.ts'
import { POD_NETWORKS, SERVICE_NETWORKS } from './versions.ts'
import type { KubernetesWant, Overlap, Sight } from './want.ts'

export interface Networks {
    pods: string
    services: string
}

/** Undefined where one of them cannot be had; an error says why. */
export function chooseNetworks(
    { spec, taken }: Pick<KubernetesWant, 'spec' | 'taken'>,
    sights: readonly Sight[],
    overlap: Overlap,
): { networks?: Networks; findings: Finding[] } {
    const findings: Finding[] = []
    const used = [...sights, ...taken.map(network => ({ network, by: 'the document' }))]
    const hits = (network: string, more: readonly Sight[]) =>
        [...used, ...more].filter(one => overlap(one.network, network)).map(one => `${one.network} (${one.by})`)
    const pick = (key: 'podNetwork' | 'serviceNetwork', candidates: readonly string[], more: readonly Sight[]) => {
        const named = spec[key]
        const at = `kubernetes.${key}`
        if (named) {
            const others = hits(named, more)
            if (others.length === 0) return named
            findings.push({
                ...{ severity: 'error', code: 'network-taken', at, detail: `${named} and ${others.join(', ')}` },
                summary: 'That network is in use already',
                fix: 'Give Kubernetes another network, or leave the key out.',
            })
            return undefined
        }
        const free = candidates.find(network => hits(network, more).length === 0)
        const first = candidates[0]!
        if (free === undefined) {
            findings.push({
                ...{ severity: 'error', code: 'no-network', at, detail: candidates.join(', ') },
                summary: 'Every network that Kubernetes could take is in use',
                fix: `Name one that is free in ${at}.`,
            })
        } else if (free !== first) {
            findings.push({
                ...{ severity: 'info', code: 'network-moved', at },
                summary: 'Kubernetes gets another network than usual',
                detail: `${free}, because ${first} collides with ${hits(first, more).join(', ')}`,
                fix: 'It cannot be changed later. To have another one, name it before the first apply.',
            })
        }
        return free
    }
    const named = spec.serviceNetwork ? [{ network: spec.serviceNetwork, by: 'kubernetes.serviceNetwork' }] : []
    const pods = pick('podNetwork', POD_NETWORKS, named)
    const services = pick('serviceNetwork', SERVICE_NETWORKS, pods ? [{ network: pods, by: 'pods' }] : [])
    return { ...(pods && services ? { networks: { pods, services } } : {}), findings }
}

/** Of a cluster that stands: its networks do not move any more. */
export function networksThatStand(
    { spec }: Pick<KubernetesWant, 'spec'>,
    { pods, services }: Networks,
    sights: readonly Sight[],
    overlap: Overlap,
): Finding[] {
    const findings: Finding[] = []
    const keys = [
        ['podNetwork', pods],
        ['serviceNetwork', services],
    ] as const
    for (const [key, network] of keys) {
        const at = `kubernetes.${key}`
        const wish = spec[key]
        if (wish && wish !== network) {
            findings.push({
                ...{ severity: 'warning', code: 'network-stands', at, detail: `${network}, not ${wish}` },
                summary: 'The networks of a cluster that stands cannot be changed',
                fix: 'Write the old one, or make the cluster anew: see docs/operations/kubernetes.md.',
            })
        }
        const others = sights.filter(one => overlap(one.network, network))
        if (others.length > 0) {
            findings.push({
                ...{ severity: 'warning', code: 'network-collides', at },
                summary: 'Something else has taken addresses of Kubernetes',
                detail: `${network} and ${others.map(one => `${one.network} (${one.by})`).join(', ')}`,
                fix: 'Move the other one: the networks of a cluster cannot be changed.',
            })
        }
    }
    return findings
}
