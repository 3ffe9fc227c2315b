import type { SecretRef } from './step.ts'

export interface FileWant {
    path: string
    /** Undefined: the file must not be there. */
    content: string | SecretRef | undefined
    mode?: number
    owner?: string
    secret?: boolean
    /** What it is for, as a noun: 'the host name'. */
    for: string
}

export interface FolderWant {
    path: string
    mode?: number
    owner?: string
}

export interface UnitWant {
    unit: string
    enabled?: boolean
    active?: boolean
    masked?: boolean
    /** Paths of wanted files (of this resource) that it reads when it starts. */
    reads?: readonly string[]
    /** It reads them again by `reload`. */
    reloads?: boolean
    /** What a restart interrupts. */
    disrupts?: string
    deadlineMs?: number
}

export interface Basics {
    packages?: readonly string[]
    folders?: readonly FolderWant[]
    files?: readonly FileWant[]
    links?: readonly { path: string; target: string }[]
    units?: readonly UnitWant[]
}

export interface FileSeen {
    /** Undefined: nothing is there. */
    content?: string
    mode: number
    owner: string
    /** Hash of the wanted secret's value where there is one, to compare without showing. */
    same?: boolean
}

export interface UnitSeen {
    known: boolean
    enabled: boolean
    active: boolean
    masked: boolean
    failed: boolean
    /** Hash of what it reads, by the engine's own record of its last restart; undefined when it has none. */
    settled?: string
    /** Hash of what it should run with. */
    shouldSettle?: string
}

export interface BasicsSeen {
    /** Names of those asked for that are installed. */
    installed: ReadonlySet<string>
    files: ReadonlyMap<string, FileSeen | undefined>
    folders: ReadonlyMap<string, FileSeen | undefined>
    links: ReadonlyMap<string, string | undefined>
    units: ReadonlyMap<string, UnitSeen>
}
