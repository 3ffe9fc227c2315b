// What a capability tells the engine: what it wants of a machine, how it looks, and what would make the two the same.
import type { Finding } from '../base/finding.ts'
import type { Probe, System } from '../ports/ports.ts'
import type { Basics } from './basics.ts'
import type { Agreed } from './plan.ts'
import type { Step, StepKind } from './step.ts'

/** `image` can be done below a root folder, `boot` needs the running node. */
export type Phase = 'image' | 'boot'

/** What observers look through. On a running node both halves are the same machine. */
export interface Look {
    phase: Phase
    /** Files, packages and unit enablement, below the root folder that is being made. */
    root: Probe
    /** The running kernel, its disks and its services. */
    machine: Probe
}

export interface Touch extends Look {
    root: System
    machine: System
}

/** What must wait for the result of something earlier, and how far it may go when it is planned then. */
export interface Deferred {
    /** A sentence: 'The OSDs are planned when the monitors have a quorum'. */
    reason: string
    kinds: readonly StepKind[]
    destroys?: readonly string[]
}

/** A port that others may reach, or a range of them. */
export interface Opening {
    port: number | `${number}-${number}`
    protocol: 'tcp' | 'udp'
    /** `any`, `cluster`, or networks in CIDR. */
    from: 'any' | 'cluster' | readonly string[]
    why: string
}

/** What a resource plans by itself, apart from its basics. */
export interface OwnPlan {
    steps: Step[]
    /** What stands on each thing that could be destroyed, as a short text that changes when it does. */
    fingerprints?: Readonly<Record<string, string>>
    deferred?: Deferred[]
    /** An `error` keeps the resource, and what needs it, from being made; the rest goes on. */
    findings?: Finding[]
}

/**
 * One thing of a node, by the document. `Document` is the whole checked document, `Want` the part that this resource
 * is about, `Own` what it sees beyond files, units and packages.
 */
export interface Resource<Document = unknown, Want = unknown, Own = unknown> {
    /** `storage.zfs.pool`: the capability, then the thing. */
    name: string
    phases: readonly Phase[]
    needs?: readonly string[]
    provides?: readonly string[]
    /** Undefined: the document has no wish here, and nothing is touched. */
    want(document: Document): Want | undefined
    /** Packages, files, folders, links and units, as data. */
    basics?(want: Want): Basics
    openings?(want: Want): Opening[]
    observe?(look: Look, want: Want): Promise<Own>
    /** Pure. What is agreed to, by the words of `destroys`, is all that a step may destroy. */
    plan?(want: Want, seen: Own, agreed: Agreed): OwnPlan
}

/** Keeps the types of one resource together while the engine forgets them. */
export const resource = <Document, Want, Own>(it: Resource<Document, Want, Own>): Resource<Document> =>
    it as unknown as Resource<Document>
