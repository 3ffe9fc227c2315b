// What a plan is made of: steps as plain data, from a closed list, so that preview, journal and dry run are one value.

/** Where a value comes from that must not stand in a plan, in argv or in a journal. */
export type SecretRef = { file: string } | { credential: string }

/** Something that can be looked at until it is so. */
export type Condition =
    | { is: 'unit'; unit: string; active: boolean }
    | { is: 'path'; path: string }
    /** A registered tool that only looks ends with one of the codes (0 unless told), and says the words. */
    | { is: 'tool'; tool: string; args: readonly string[]; codes?: readonly number[]; says?: string }

interface Said {
    /** A sentence for people, without a full stop: 'Set the host name to node1'. */
    say: string
    /** What loses its data: `disk:/dev/disk/by-id/…`, `pool:tank`. Such a step needs consent. */
    destroys?: readonly string[]
    /** What is blank and is ours from here on: half made after a power cut, it is made anew without a consent. */
    claims?: readonly string[]
    /** What is interrupted while it runs, in words: 'Containers stop for a moment'. */
    disrupts?: string
}

/** Runs a registered tool; a shell is not a tool. */
export interface RunStep extends Said {
    do: 'run'
    tool: string
    args: readonly string[]
    /** Text, never a secret; or where a secret is read when the step runs. */
    stdin?: string | SecretRef
    /** Text before it, such as the name that a password is for. */
    stdinBefore?: string
    /** Keeps what it says: written whole, with this mode. Its contents appear nowhere else. */
    stdoutTo?: { path: string; mode: number; owner?: string }
    deadlineMs: number
    /** Exit codes that are a success; 0 unless told otherwise. */
    codes?: readonly number[]
    /** What must be so afterwards. */
    after?: Condition
}

export interface WriteStep extends Said {
    do: 'write'
    path: string
    content: string | SecretRef
    mode: number
    /** `user:group` by name; root:root unless told otherwise. */
    owner?: string
    /** No diff in any plan; its old contents are kept apart. */
    secret?: boolean
    /** What stands there now, for the diff; absent where nothing does, or nothing may be shown. */
    was?: string
    /** Units that run with the old contents until they were restarted or reloaded. */
    unsettles?: readonly string[]
}

export interface FolderStep extends Said {
    do: 'folder'
    path: string
    mode: number
    owner?: string
}

export interface LinkStep extends Said {
    do: 'link'
    path: string
    target: string
}

/** Removes a file or link, or a folder that is empty. */
export interface RemoveStep extends Said {
    do: 'remove'
    path: string
    unsettles?: readonly string[]
}

export type UnitAction = 'enable' | 'disable' | 'start' | 'stop' | 'restart' | 'reload' | 'mask' | 'unmask'

export interface UnitStep extends Said {
    do: 'unit'
    unit: string
    action: UnitAction
    /** Hash of the files that it runs with from now on. */
    settles?: string
    deadlineMs?: number
}

export interface InstallStep extends Said {
    do: 'install'
    packages: readonly string[]
}

export interface WaitStep extends Said {
    do: 'wait'
    for: Condition
    deadlineMs: number
}

/** Steps that come back by themselves when the check fails, or when nobody is left to commit them. */
export interface GuardStep extends Said {
    do: 'guard'
    /** A registered guard, such as `networkmanager`. */
    guard: string
    rollbackAfterMs: number
    steps: readonly Step[]
    /** All must hold within the time. */
    check: readonly Condition[]
    /** What is remembered when it comes back; the steps themselves unless told. */
    revision?: string
    /** Asked of an operator who sits at a terminal, when the checks hold; anything but a yes brings the change back. */
    asks?: string
}

export type Step =
    | RunStep
    | WriteStep
    | FolderStep
    | LinkStep
    | RemoveStep
    | UnitStep
    | InstallStep
    | WaitStep
    | GuardStep

export type StepKind = Step['do']

/** The step and, of a guard, those inside it. */
export const flatten = (steps: readonly Step[]): Step[] =>
    steps.flatMap(step => (step.do === 'guard' ? [step, ...flatten(step.steps)] : [step]))

/** All that the steps claim or destroy, each once: noted as ours before the first of them runs. */
export const claimedBy = (steps: readonly Step[]): string[] => [
    ...new Set(flatten(steps).flatMap(step => [...(step.claims ?? []), ...(step.destroys ?? [])])),
]

/** All that the steps destroy, each once, in order. */
export const destroyedBy = (steps: readonly Step[]): string[] => [
    ...new Set(flatten(steps).flatMap(step => step.destroys ?? [])),
]
