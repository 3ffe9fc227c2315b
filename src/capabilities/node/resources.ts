// The things of a machine that the document's `node` is about, for the engine.
import { LOOK_MS } from '../../base/look.ts'
import type { Tool } from '../../engine/kit.ts'
import { resource } from '../../engine/resource.ts'
import type { Probe } from '../../ports/ports.ts'
import * as plan from './plan.ts'
import type { NodeSpec } from './spec.ts'

export const nodeTools: Tool[] = [
    { name: 'hostname', program: '/usr/bin/hostname', half: 'machine' },
    { name: 'locale-gen', program: '/usr/sbin/locale-gen', half: 'root' },
]

/** What `init` writes for this machine. */
export async function nodeSample(probe: Probe): Promise<Partial<NodeSpec>> {
    const [hostname = 'debvisor', ...domain] = probe.hostname().toLowerCase().split('.')
    const zone = (await probe.readLink('/etc/localtime'))?.replace(/^.*\/zoneinfo\//, '')
    const keyboard = /^XKBLAYOUT="?([a-z]{2,5})"?$/m.exec((await probe.readText('/etc/default/keyboard')) ?? '')?.[1]
    return {
        hostname: hostname === 'localhost' ? 'debvisor' : hostname,
        domain: domain.join('.') || 'local',
        timezone: zone && zone !== 'Etc/UTC' ? zone : 'UTC',
        keyboard: keyboard ?? 'us',
    }
}

type Doc = { node: NodeSpec }
const both = ['image', 'boot'] as const
const want = ({ node }: Doc) => node

/** `needs` are the kernel settings and modules that the other capabilities ask for. */
export const nodeResources = (needs: (document: Doc) => readonly plan.KernelNeeds[]) => [
    resource<Doc, NodeSpec, { hostname: string }>({
        ...{ name: 'node.name', phases: both, want, basics: plan.nameBasics },
        observe: async ({ phase, machine }, { hostname }) => ({
            // Below a root folder the running kernel is somebody else's.
            hostname: phase === 'image' ? hostname : machine.hostname(),
        }),
        plan: plan.planName,
    }),
    resource<Doc, NodeSpec, { locales: string[] }>({
        ...{ name: 'node.locale', phases: both, want, basics: plan.localeBasics },
        observe: async ({ root }) => {
            const { stdout } = await root.query({ argv: ['locale', '-a'], deadlineMs: LOOK_MS })
            return { locales: stdout.trim().split('\n') }
        },
        plan: plan.planLocale,
    }),
    resource<Doc, NodeSpec, undefined>({ name: 'node.time', phases: both, want, basics: plan.timeBasics }),
    resource<Doc, { spec: NodeSpec; needs: readonly plan.KernelNeeds[] }, undefined>({
        ...{ name: 'node.kernel', phases: both, provides: ['kernel'] },
        want: document => ({ spec: document.node, needs: needs(document) }),
        basics: ({ spec, needs }) => plan.kernelBasics(spec, needs),
    }),
    resource<Doc, NodeSpec, undefined>({ name: 'node.updates', phases: both, want, basics: plan.updateBasics }),
    resource<Doc, NodeSpec, undefined>({ name: 'node.journal', phases: both, want, basics: plan.journalBasics }),
]
