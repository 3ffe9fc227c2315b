// What the resources of Kubernetes are about, by the document and by what the other capabilities say of it.
import type { KubernetesSpec } from './spec.ts'

export interface KubernetesWant {
    spec: KubernetesSpec
    hostname: string
    fqdn: string
    /** Networks that the document speaks of elsewhere. */
    taken: readonly string[]
    /** Login names of people who may become root. */
    administrators: readonly string[]
    /** Where volumes of pods are kept, and what that is in a word: ZFS, or the system disk. */
    volumes: { path: string; on: string }
}

/** A network that is in use, and by what. */
export interface Sight {
    network: string
    by: string
}

/** Arithmetic of addresses, handed over. */
export type Overlap = (one: string, other: string) => boolean
/** A short text that changes when the value does, handed over. */
export type Mark = (value: unknown) => string
