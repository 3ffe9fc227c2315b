// What Docker is told: its configuration with networks that collide with nothing, as data.
import type { Finding } from '../../base/finding.ts'
import type { Basics } from '../../engine/basics.ts'
import type { OwnPlan } from '../../engine/resource.ts'
import type { DockerSpec } from './spec.ts'

export const DAEMON_FILE = '/etc/docker/daemon.json'

/** Tried in this order; far from what routers at home, libvirt, Kubernetes and Docker itself take by default. */
const CANDIDATES = [
    '172.30.0.0/16',
    '172.29.0.0/16',
    '172.28.0.0/16',
    '10.201.0.0/16',
    '10.202.0.0/16',
    '10.203.0.0/16',
]

/** Arithmetic of addresses, handed over. */
export interface Addresses {
    overlap(one: string, other: string): boolean
    /** The first address of the network's first /24: `172.30.0.1/24`. */
    first(network: string): string
}

export interface DockerWant extends DockerSpec {
    /** Networks that the document speaks of. */
    taken: readonly string[]
}

export interface DockerSeen {
    content?: string
    /** Networks that this machine has routes to, without Docker's own. */
    routes: readonly { network: string; device: string }[]
}

export function dockerBasics({ enabled }: DockerWant): Basics {
    if (!enabled) {
        return {
            units: [
                { unit: 'docker.socket', enabled: false, active: false },
                { unit: 'docker.service', enabled: false, active: false },
            ],
        }
    }
    return {
        packages: ['docker.io', 'docker-cli', 'docker-compose'],
        units: [
            {
                ...{ unit: 'docker.service', enabled: true, active: true, reads: [DAEMON_FILE] },
                disrupts: 'Docker restarts; its containers go on where live-restore was on before',
            },
        ],
    }
}

export function planDocker(want: DockerWant, seen: DockerSeen, addresses: Addresses): OwnPlan {
    if (!want.enabled) return { steps: [] }
    const { pools, findings } = poolsFor(want, seen, addresses)
    if (pools.length === 0) return { steps: [], findings }
    const settings = {
        'data-root': want.dataRoot,
        'storage-driver': 'overlay2',
        // Containers go on while Docker is restarted or upgraded.
        'live-restore': true,
        'log-driver': 'json-file',
        'log-opts': { 'max-size': '10m', 'max-file': '3' },
        bip: addresses.first(pools[0]!),
        'default-address-pools': pools.map(base => ({ base, size: 24 })),
    }
    const content = `${JSON.stringify(settings, null, 4)}\n`
    if (seen.content === content) return { steps: [], findings }
    const before = settingsOf(seen.content)['data-root']
    if (typeof before === 'string' && before !== want.dataRoot) {
        findings.push({
            ...{ severity: 'warning', code: 'docker-data', at: 'docker.dataRoot', detail: before },
            summary: 'Images and volumes of Docker stay where they are, and are not seen any more',
            fix: 'Stop Docker and copy them to the new place, or keep the old one.',
        })
    }
    return {
        steps: [
            {
                ...{
                    do: 'write',
                    say: `${seen.content === undefined ? 'Write' : 'Change'} ${DAEMON_FILE} (how Docker works)`,
                },
                ...{ path: DAEMON_FILE, content, mode: 0o644, unsettles: ['docker.service'] },
                ...(seen.content === undefined ? {} : { was: seen.content }),
            },
        ],
        findings,
    }
}

/** Networks that a configuration gives to Docker. */
export function networksOf(content: string | undefined): string[] {
    const { bip, 'default-address-pools': pools } = settingsOf(content)
    const bases = Array.isArray(pools) ? pools.map(one => (one as { base?: unknown } | null)?.base) : []
    return [bip, ...bases].filter((one): one is string => typeof one === 'string' && /^[\d.]+\/\d+$/.test(one))
}

/** Hand-written files may be anything. */
function settingsOf(content = '{}'): Record<string, unknown> {
    try {
        const told: unknown = JSON.parse(content)
        return told && typeof told === 'object' ? (told as Record<string, unknown>) : {}
    } catch {
        return {}
    }
}

function poolsFor(want: DockerWant, seen: DockerSeen, { overlap }: Addresses) {
    const findings: Finding[] = []
    const hits = (pool: string) => [
        ...want.taken.filter(one => overlap(one, pool)),
        ...seen.routes
            .filter(({ network }) => overlap(network, pool))
            .map(({ network, device }) => `${network} (${device})`),
    ]
    if (want.addressPools.length > 0) {
        for (const [index, pool] of want.addressPools.entries()) {
            const others = hits(pool)
            if (others.length === 0) continue
            findings.push({
                ...{ severity: 'error', code: 'pool-taken', at: `docker.addressPools[${index}]` },
                summary: 'That network is in use already',
                detail: `${pool} and ${others.join(', ')}`,
                fix: 'Give Docker another network, or leave the key out.',
            })
        }
        return { pools: want.addressPools, findings }
    }
    // What Docker has stays: containers have addresses of it.
    const told = settingsOf(seen.content)['default-address-pools']
    const kept = Array.isArray(told) ? told.map(one => String((one as { base?: unknown }).base)) : []
    const chosen = [...CANDIDATES.filter(pool => kept.includes(pool)), ...CANDIDATES].find(
        pool => hits(pool).length === 0,
    )
    if (chosen) return { pools: [chosen], findings }
    findings.push({
        ...{ severity: 'error', code: 'no-pool', at: 'docker.addressPools', detail: CANDIDATES.join(', ') },
        summary: 'Every network that Docker could take is in use',
        fix: 'Name one that is free in docker.addressPools.',
    })
    return { pools: [], findings }
}
