// The one door to the machine: Probe may look, System may touch; Clock and Log beside them.

export interface ToolResult {
    exitCode: number
    stdout: string
    stderr: string
}

export interface ToolRun {
    /** The program, then its arguments; never a shell, never a secret. */
    argv: readonly [string, ...string[]]
    stdin?: string | Uint8Array
    deadlineMs: number
    /** Aborting ends the tool. */
    signal?: AbortSignal
    /** Called with each chunk of standard output as it comes, for progress. */
    onOutput?: (chunk: string) => void
    /** The same of standard error, where a tool tells its progress there. */
    onErrors?: (chunk: string) => void
    cwd?: string
    env?: Record<string, string>
}

export interface FileFacts {
    kind: 'file' | 'directory' | 'link' | 'block' | 'socket' | 'other'
    sizeBytes: number
    modifiedMs: number
    mode: number
    uid: number
    gid: number
}

/** Looking: nothing here changes the machine. */
export interface Probe {
    /** The text, or undefined when there is no such file. Other troubles are Faults. */
    readText(path: string): Promise<string | undefined>
    /** Facts of the path itself (links are not followed), or undefined when nothing is there. */
    look(path: string): Promise<FileFacts | undefined>
    /** Names in a folder, sorted; empty when there is none. */
    list(path: string): Promise<string[]>
    /** The path with every link resolved, or undefined when nothing is there. */
    resolve(path: string): Promise<string | undefined>
    /** Where a link points, as it is written; undefined when there is no link. */
    readLink(path: string): Promise<string | undefined>
    /** Bytes free to the service, and in all, on the file system that holds the path. */
    space(path: string): Promise<{ freeBytes: number; totalBytes: number }>
    /** Part of a file, without reading the rest. */
    readRange(path: string, offsetBytes: number, lengthBytes: number): Promise<Uint8Array>
    /** Runs a tool that only reads. */
    query(run: ToolRun): Promise<ToolResult>
    hostname(): string
    /** Whose rights this process has. */
    self(): { uid: number; gid: number }
}

/** Touching. */
export interface System extends Probe {
    run(run: ToolRun): Promise<ToolResult>
    /**
     * Bytes through a tool: what it says, as it comes, while `input` goes into it. It ends when the loop is left, and when
     * nothing has moved for the run's deadline. @throws Fault when it ends with another code than 0
     */
    pipe(run: ToolRun, input?: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>
    /** Runs a program at a terminal of its own, for a person at the other end. No deadline: it ends by itself or by `end`. */
    openTerminal(argv: readonly [string, ...string[]], env: Record<string, string>): Terminal
    /** Whole or not at all, durable when it returns: temporary, fsync, rename, fsync of the folder. */
    writeFile(path: string, data: string | Uint8Array, mode?: number): Promise<void>
    /** With `mode`, also of one that is there; what has the mode already is not touched, as it may be another's. */
    makeDirectory(path: string, mode?: number): Promise<void>
    /** Removes a file, or a folder with all in it; nothing there is fine. */
    remove(path: string): Promise<void>
    rename(from: string, to: string): Promise<void>
    /** Puts a symbolic link there, in the place of a file or link that was; at once. */
    link(path: string, target: string): Promise<void>
    /** Writes a file that must not be there yet, whole; false when it is there. */
    claim(path: string, data: string, mode?: number): Promise<boolean>
    chown(path: string, uid: number, gid: number): Promise<void>
    chmod(path: string, mode: number): Promise<void>
    /** A durable log of lines: `append` returns when the line is on the disk. */
    openLines(path: string, mode?: number): Promise<LineFile>
    /** The bytes of a file as they are read, from an offset to the end (or `lengthBytes`). */
    readStream(path: string, offsetBytes?: number, lengthBytes?: number): AsyncIterable<Uint8Array>
    /**
     * A plain file, opened first and looked at afterwards: what is judged is what is read. Links at the end of the path,
     * and what is no file, are refused; nothing is waited for.
     */
    openReadable(path: string): Promise<ReadableFile>
    /** A file that is written piece by piece at given places. */
    openWritable(path: string, mode?: number): Promise<WritableFile>
}

export interface Terminal {
    /** What is shown. */
    output: AsyncIterable<Uint8Array>
    /** What is typed; resolves when it is taken. */
    write(typed: Uint8Array): Promise<void>
    /** Nothing more is typed. */
    finish(): void
    resize(size: { columns: number; rows: number }): Promise<void>
    /** Exit code of the program. */
    ended: Promise<number>
    /** Hangs up: the program and all that it started at this terminal are told so. */
    end(): void
}

export interface LineFile {
    append(line: string): Promise<void>
    close(): Promise<void>
}

export interface ReadableFile {
    /** Where the opened file really is, without any link. */
    path: string
    /** When it was opened. */
    sizeBytes: number
    /** As `readStream`, any number of times. */
    read(offsetBytes?: number, lengthBytes?: number): AsyncIterable<Uint8Array>
    close(): Promise<void>
}

export interface WritableFile {
    write(data: Uint8Array, positionBytes: number): Promise<void>
    sync(): Promise<void>
    close(): Promise<void>
}

export interface Clock {
    /** Wall time, ms since 1970. */
    now(): number
    /** Time that only goes forward, ms. */
    ticks(): number
    /** Calls once after `delayMs`; the returned function takes it back. Does not keep the process alive. */
    after(delayMs: number, call: () => void): () => void
    /** Calls again and again; the returned function ends it. Does not keep the process alive. */
    every(periodMs: number, call: () => void): () => void
}

export interface Log {
    info(message: string, facts?: Record<string, unknown>): void
    warn(message: string, facts?: Record<string, unknown>): void
    error(message: string, facts?: Record<string, unknown>): void
    debug(message: string, facts?: Record<string, unknown>): void
    child(facts: Record<string, unknown>): Log
}
