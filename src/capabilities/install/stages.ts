// What an installation asks of the engine: the disks, the new system, and letting go, each a resource of its own.
import { randomBytes, randomUUID } from 'node:crypto'
import type { z } from 'zod'
import type { Finding } from '../../base/finding.ts'
import type { Consent } from '../../engine/consent.ts'
import type { Check } from '../../engine/document.ts'
import { type Kit, kitOf } from '../../engine/kit.ts'
import type { Agreed } from '../../engine/plan.ts'
import { createProvision } from '../../engine/provision.ts'
import { type Resource, resource } from '../../engine/resource.ts'
import type { Clock, Probe, System } from '../../ports/ports.ts'
import { seeHeld, seeSystem, seeTarget } from './observe.ts'
import { noteFile, planRelease, planTarget, type ReleaseSeen, type TargetSeen, type TargetWant } from './plan.ts'
import { planSystem, type SystemSeen, type SystemWant } from './plan-system.ts'
import type { Disk } from './spec.ts'
import { diskTools, systemTools } from './tools.ts'

export const MOUNT_AT = '/target'

/** What storage will come at the first boot; capability `storage` tells. */
export interface Preview {
    says: string[]
    destroys: string[]
    findings: Finding[]
    fingerprints: Record<string, string>
}

export interface InstallDeps<T> {
    machine: System
    /** A tree below a folder, with its tools run inside it. */
    rooted(folder: string): System
    clock: Clock
    pid: number
    /** Of the document of a node. */
    schema: z.ZodType<T>
    checks: readonly Check<T>[]
    resources: readonly Resource[]
    kit: Kit
    disks(machine: Probe): Promise<Disk[]>
    preview(document: T, disks: readonly Disk[], agreed: Agreed): Preview
}

export const targetConsents = ({ disks }: TargetWant): Consent[] =>
    disks.filter(disk => !disk.blank).map(({ id, fingerprint }) => ({ target: `disk:${id}`, fingerprint }))

/** FAT has 32 bits, the rest are UUIDs. */
export const freshIds = (disks: number): TargetWant['ids'] => ({
    ...{ root: randomUUID(), boot: randomUUID() },
    esp: Array.from({ length: disks }, () => {
        const hex = randomBytes(4).toString('hex').toUpperCase()
        return `${hex.slice(0, 4)}-${hex.slice(4)}`
    }),
})

/** Of the disks where no root is given; else of the system below it, whose document is the node's. */
export function provisionOf<T>(
    deps: InstallDeps<T>,
    { root, more = [] }: { root?: System; more?: readonly Resource[] },
) {
    const { machine, clock, pid } = deps
    const before = [...deps.kit.tools.values()].filter(tool => !systemTools.some(({ name }) => name === tool.name))
    const kit = root ? kitOf([...before, ...systemTools], [...deps.kit.guards.values()]) : kitOf(diskTools)
    return createProvision({
        ...{ kit, clock, pid, touch: { phase: 'image', root: root ?? machine, machine } },
        ...(root
            ? { schema: deps.schema, checks: deps.checks, resources: [...deps.resources, ...more] }
            : { schema: anything as unknown as InstallDeps<T>['schema'], checks: [], resources: [] }),
    })
}

const anything = { safeParse: (data: unknown) => ({ success: true, data }) }

export const targetResource = (want: TargetWant): Resource =>
    resource<object, TargetWant, TargetSeen>({
        ...{ name: 'install.target', phases: ['image'], want: () => want, plan: planTarget },
        observe: ({ machine }) => seeTarget(machine, noteFile(want.mountAt)),
    }) as Resource

export const releaseResource = (want: TargetWant): Resource =>
    resource<object, TargetWant, ReleaseSeen>({
        ...{ name: 'install.release', phases: ['image'], want: () => want, plan: planRelease },
        observe: ({ machine }) => seeHeld(machine, want),
    }) as Resource

/** Behind the accounts, whose passwords it sets. */
export const systemResource = (want: SystemWant): Resource =>
    resource<object, SystemWant, SystemSeen>({
        ...{ name: 'install.system', phases: ['image'], needs: ['users'], want: () => want, plan: planSystem },
        observe: ({ root }) => seeSystem(root),
    }) as Resource
