// Long operations: what a capability asks for, what it can say while it runs, and how half-made things are taken back.
import type { Problem } from '../base/fault.ts'

export type TaskState = 'running' | 'done' | 'failed' | 'cancelled' | 'interrupted'

/** What a task works on: kind is `vm`, `volume`, `pool`, `network`; id a UUID or `pool/volume`. */
export interface TaskObject {
    kind: string
    id: string
    name: string
}

/**
 * How to find the work again after a restart of the daemon, such as `{ kind: 'domain-job', uuid }`. A task without an
 * anchor is 'interrupted' by a restart.
 */
export type Anchor = { kind: string } & Record<string, string | number | boolean>

/** One thing to take back, as data: written to disk before the thing is made, so that a power cut cannot orphan it. */
export type UndoStep = { kind: string } & Record<string, string | number | boolean>

export interface TaskRecord {
    id: string
    /** Capability and verb, such as `vm.create`. */
    kind: string
    title: string
    state: TaskState
    /** 0 to 1; below 0 where it cannot be known. */
    progress: number
    phase: string
    /** Name of the user; `root` for the local socket. */
    owner: string
    on?: TaskObject
    startedMs: number
    endedMs?: number
    cancellable: boolean
    problem?: TaskProblem
    anchor?: Anchor
    undo: UndoStep[]
}

/** A Fault as it is kept with a task. */
export type TaskProblem = Problem

export interface TaskSpec {
    kind: string
    title: string
    owner: string
    on?: TaskObject
    /** True where `signal` is obeyed. */
    cancellable?: boolean
    /** For work that only stops things: it runs even when its record cannot be written. It must need no `undo`. */
    stops?: boolean
    anchor?: Anchor
}

/** What the work of a task holds. */
export interface RunningTask {
    readonly id: string
    /** Aborted when the task is cancelled or the daemon stops. */
    readonly signal: AbortSignal
    /** `fraction` 0 to 1, or below 0 for unknown. Cheap: may be called often, is written now and then. */
    progress(fraction: number, phase?: string): void
    /** A line in the task's log. Never a secret. */
    say(line: string): void
    /**
     * Promises that `step` will be undone unless the task ends well. Durable when it returns; call it before the
     * effect. Steps are undone in reverse order, when the work throws, is cancelled, or the daemon dies.
     */
    undo(step: UndoStep): Promise<void>
    /** From here on nothing is taken back: what is made so far stays. */
    keep(): Promise<void>
    /** Gives the task an anchor once it is known. */
    anchor(anchor: Anchor): Promise<void>
}

/** Summary of why a task's signal aborts when the daemon ends: with an anchor, its work goes on elsewhere. */
export const DAEMON_STOPS = 'DebVisor is stopping'

export type TaskEvent = { task: TaskRecord; existing: boolean }

export interface Tasks {
    /**
     * Begins `work` and returns its record at once; the record is durable. Faults thrown by `work` become the task's
     * problem. `settled` resolves with the final record, and never rejects.
     */
    begin(
        spec: TaskSpec,
        work: (task: RunningTask) => Promise<void>,
    ): Promise<{ task: TaskRecord; settled: Promise<TaskRecord> }>
    get(id: string): TaskRecord | undefined
    /** Newest first. */
    list(): TaskRecord[]
    /** Whether it holds for one of them: for what is asked often, as it copies none. The records are not to be kept. */
    some(holds: (task: Readonly<TaskRecord>) => boolean): boolean
    /** Log lines of a task, oldest first. */
    log(id: string): Promise<{ atMs: number; text: string }[]>
    /** @throws Fault `not-found`, or `precondition` when it has ended or cannot be cancelled. */
    cancel(id: string): Promise<TaskRecord>
    /** What there is (oldest first), then every change, until the signal aborts. */
    watch(signal: AbortSignal): AsyncIterable<TaskEvent>
    /** Called once with each task that has ended, whatever the end, also at a stop of the daemon. It must not throw. */
    onEnd(listener: (task: TaskRecord) => void): void
    /** How a kind of undo step is undone. It must be idempotent and touch only what the step names. */
    onUndo(kind: string, undo: (step: UndoStep) => Promise<void>): void
    /** How work with a kind of anchor is taken up again after a restart. */
    onAnchor(kind: string, resume: (anchor: Anchor, task: RunningTask) => Promise<void>): void
    /** After all `onUndo` and `onAnchor`: takes up or takes back what an earlier life of the daemon left. */
    recover(): Promise<void>
    /** Ends: running tasks with an anchor are left to be taken up again, others are cancelled. */
    close(): Promise<void>
}
