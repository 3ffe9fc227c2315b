// Docker for the engine: its configuration, and the networks that this machine knows.
import { LOOK_MS } from '../../base/look.ts'
import { resource } from '../../engine/resource.ts'
import type { Probe } from '../../ports/ports.ts'
import * as plan from './plan.ts'
import type { DockerSpec } from './spec.ts'

type Doc = { docker: DockerSpec }

export interface DockerNeeds<Document> {
    /** Networks that the document speaks of, in CIDR. */
    taken(document: Document): readonly string[]
    addresses: plan.Addresses
}

interface Route {
    dst?: string
    dev?: string
    type?: string
}

/** Of the main table; Docker's own are left out. */
async function routesOf(machine: Probe): Promise<plan.DockerSeen['routes']> {
    const argv: [string, ...string[]] = ['/usr/sbin/ip', '-4', '-json', 'route', 'show']
    const { stdout, exitCode } = await machine.query({ argv, deadlineMs: LOOK_MS })
    if (exitCode !== 0) return []
    return (JSON.parse(stdout || '[]') as Route[]).flatMap(({ dst = '', dev = '' }) => {
        if (dst === 'default' || dev === 'docker0' || /^br-[0-9a-f]{12}$/.test(dev)) return []
        return [{ network: dst.includes('/') ? dst : `${dst}/32`, device: dev }]
    })
}

/** Networks that Docker may take on this machine, whether it runs or not. */
export const dockerNetworks = async (root: Probe): Promise<string[]> =>
    plan.networksOf(await root.readText(plan.DAEMON_FILE))

export const dockerResources = <Document extends Doc>({ taken, addresses }: DockerNeeds<Document>) => [
    resource<Document, plan.DockerWant, plan.DockerSeen>({
        // Forwarding is on, and others are kept out, before Docker starts.
        ...{ name: 'docker.engine', phases: ['image', 'boot'], needs: ['kernel', 'firewall'], provides: ['docker'] },
        want: document => ({ ...document.docker, taken: taken(document) }),
        basics: plan.dockerBasics,
        observe: async ({ root, machine }) => ({
            content: await root.readText(plan.DAEMON_FILE),
            routes: await routesOf(machine),
        }),
        plan: (want, seen) => plan.planDocker(want, seen, addresses),
    }),
]
