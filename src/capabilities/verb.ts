// A verb of the command line as data: help, man page, completion and parsing all come from it.
import type { DescMessage, DescService, JsonValue, MessageShape } from '@bufbuild/protobuf'
import type { Client } from '@connectrpc/connect'

export interface Argument {
    name: string
    summary: string
    optional?: boolean
    repeats?: boolean
    /** Closed set of values. */
    choices?: readonly string[]
    /** What the shell completes it with. */
    complete?: Completion
}

/** `disk` and `snapshot` are those of the VM that stands before them on the line. */
export type Completion =
    | 'vm'
    | 'container'
    | 'stack'
    | 'container-image'
    | 'container-volume'
    | 'container-network'
    | 'disk'
    | 'snapshot'
    | 'pool'
    | 'volume'
    | 'network'
    | 'task'
    | 'user'
    | 'token'
    | 'grant'
    | 'session'
    | 'file'

export interface Option {
    /** Long name without dashes. */
    name: string
    /** One letter. */
    short?: string
    /** Placeholder such as SIZE; without it the option is a switch. */
    value?: string
    summary: string
    /** Shown in help; applied by the verb through `options`. */
    default?: string
    repeats?: boolean
    /** Closed set of values. */
    choices?: readonly string[]
    complete?: Completion
}

export interface Example {
    line: string
    note: string
}

/** What a verb shows: the same data as table for people and JSON for programs. */
export type View =
    | { kind: 'table'; columns: Column[]; rows: Record<string, unknown>[]; empty?: string; json: JsonValue }
    | { kind: 'record'; fields: { label: string; value: string }[]; json: JsonValue }
    /** `pending`: something is to be done; --check, and a verb that `verifies`, end with 2. */
    | { kind: 'text'; text: string; json: JsonValue; pending?: boolean }
    | { kind: 'plan'; sentences: { text: string; destroys: string }[]; findings: ViewFinding[]; json: JsonValue }
    | { kind: 'nothing' }

export interface ViewFinding {
    severity: string
    summary: string
    detail?: string
    fix?: string
    at: string
}

export interface Column {
    key: string
    label: string
    align?: 'left' | 'right'
    /** Shown only with --wide. */
    wide?: boolean
}

export interface VerbContext {
    /** Positional arguments by name; a repeating one is an array. */
    args: Record<string, string>
    lists: Record<string, string[]>
    /** Given options by name; switches are 'true'. */
    options: Record<string, string | undefined>
    client<S extends DescService>(service: S): Client<S>
    json<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonValue
    /**
     * Follows a task to its end with progress on the terminal; Ctrl-C cancels it, or says how to follow it. Throws the
     * task's problem as Fault when it failed. False when the task goes on: with --no-wait, and when it was left.
     */
    follow(task: string): Promise<boolean>
    /** Shows one view after the other, in place on a terminal, as JSON lines with --json. */
    show(view: View): void
    /** Asks; --yes answers. Any answer but yes, or nobody to ask: Fault with exit code 3. `typed` has to be typed. */
    confirm(question: string, typed?: string): Promise<void>
    /** The text of a file on this machine; '-' is standard input. */
    file(path: string): Promise<string>
    /** A secret from the terminal without echo, or the next line of a pipe; never from argv. */
    secret(prompt: string): Promise<string>
    signal: AbortSignal
    dryRun: boolean
    watch: boolean
}

export interface Verb {
    /** Such as ['vm', 'create']. */
    words: readonly [string, ...string[]]
    summary: string
    /** More for --help and the man page; plain paragraphs. */
    description?: string
    arguments?: Argument[]
    options?: Option[]
    examples?: Example[]
    /** Changes something: has --dry-run, --yes, --no-wait. */
    changes?: boolean
    /** For scripts of ours alone: in no help, no page and no completion. */
    hidden?: boolean
    /** Has --watch. */
    watches?: boolean
    /** Ends with 2 when what it looked at is not as it should be. */
    verifies?: boolean
    run(context: VerbContext): Promise<View>
}
