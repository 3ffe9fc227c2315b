// Kubernetes for the engine: the machine below it, its packages, the control plane, the network of pods, volumes.
import { LOOK_MS } from '../../base/look.ts'
import type { Tool } from '../../engine/kit.ts'
import { type Look, resource } from '../../engine/resource.ts'
import { hashOf } from '../../engine/survey.ts'
import type { Probe } from '../../ports/ports.ts'
import { aptTools } from './apt.ts'
import { ctrTool } from './containerd.ts'
import { crictlTool } from './crictl.ts'
import { kubeadmTool } from './kubeadm.ts'
import { kubectlTool } from './kubectl.ts'
import * as see from './observe.ts'
import * as cluster from './plan-cluster.ts'
import { type ControlSeen, planControl } from './plan-control.ts'
import * as host from './plan-host.ts'
import { type PackagesSeen, planPackages } from './plan-packages.ts'
import type { KubernetesWant, Overlap, Sight } from './want.ts'

export const kubernetesTools: Tool[] = [
    ...[kubeadmTool, kubectlTool, crictlTool, ctrTool, ...aptTools],
    { name: 'swapoff', program: '/usr/sbin/swapoff', half: 'machine' },
]

export interface KubernetesNeeds<Document> {
    /** What the document says of it, here and elsewhere. */
    want(document: Document): KubernetesWant
    /** Networks that others have defined on this machine, whether they are up or not. */
    defined(root: Probe): Promise<Sight[]>
    overlap: Overlap
}

interface Route {
    dst?: string
    dev?: string
    type?: string
}

/** Of the main table; those of pods are left out. */
async function routesOf(machine: Probe): Promise<Sight[]> {
    const argv: [string, ...string[]] = ['/usr/sbin/ip', '-4', '-json', 'route', 'show']
    const { stdout, exitCode } = await machine.query({ argv, deadlineMs: LOOK_MS })
    if (exitCode !== 0) return []
    return (JSON.parse(stdout || '[]') as Route[]).flatMap(({ dst = '', dev = '', type }) => {
        if (dst === 'default' || type === 'blackhole' || /^(cali|tunl0|vxlan\.calico)/.test(dev)) return []
        return [{ network: dst.includes('/') ? dst : `${dst}/32`, by: dev }]
    })
}

const markOf = (value: unknown) => hashOf(value).slice(0, 16)

export function kubernetesResources<Document>({ want, defined, overlap }: KubernetesNeeds<Document>) {
    const boot = ['boot'] as const
    const on = (document: Document) => {
        const wanted = want(document)
        return wanted.spec.enabled ? wanted : undefined
    }
    const sights = async ({ root, machine }: Look) => [...(await routesOf(machine)), ...(await defined(root))]
    return [
        resource<Document, KubernetesWant, host.HostSeen>({
            // Forwarding is on, modules are there, and others are kept out, before anything of it starts.
            ...{ name: 'kubernetes.host', phases: ['image', 'boot'], needs: ['kernel', 'firewall'], want },
            ...{ basics: host.hostBasics, openings: host.hostOpenings, observe: see.seeHost, plan: host.planHost },
        }),
        resource<Document, KubernetesWant, PackagesSeen>({
            ...{ name: 'kubernetes.packages', phases: boot, needs: ['kubernetes.host'], want: on },
            ...{ observe: see.seePackages, plan: (_, seen) => planPackages(seen) },
        }),
        resource<Document, KubernetesWant, ControlSeen>({
            ...{ name: 'kubernetes.control', phases: boot, needs: ['kubernetes.packages', 'users'], want: on },
            observe: async (look, wanted) => see.seeControl(look, wanted, await sights(look)),
            plan: (wanted, seen) => planControl(wanted, seen, overlap),
        }),
        resource<Document, KubernetesWant, cluster.CalicoSeen>({
            ...{ name: 'kubernetes.calico', phases: boot, needs: ['kubernetes.control'], want: on },
            ...{ observe: see.seeCalico, plan: (_, seen) => cluster.planCalico(seen, markOf) },
        }),
        resource<Document, KubernetesWant, cluster.StorageSeen>({
            ...{ name: 'kubernetes.storage', phases: boot, needs: ['kubernetes.calico', 'storage'], want: on },
            basics: ({ volumes }) => ({ folders: [{ path: volumes.path, mode: 0o700 }] }),
            ...{ observe: see.seeStorage, plan: (wanted, seen) => cluster.planStorage(wanted, seen, markOf) },
        }),
    ]
}
