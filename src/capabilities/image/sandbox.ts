// Where qemu-img meets images of strangers: a throwaway user, no network, no privileges, bounded time, memory and files.
import { Fault } from '../../base/fault.ts'
import type { Log, System, ToolResult } from '../../ports/ports.ts'
import { inRoot, type Place } from './sandbox-root.ts'
import { createThrowaways } from './throwaway.ts'

export interface SandboxRun {
    /** The tool and its arguments; file names are those in `folder`, without any path. */
    argv: readonly [string, ...string[]]
    /** The folder of this piece of work, which the tool may read and write; it starts there. */
    folder: string
    /** Files in it that the tool works on. */
    files: readonly string[]
    /** The largest file it may write. */
    maxFileBytes: number
    deadlineMs: number
    signal?: AbortSignal
    onOutput?: (chunk: string) => void
}

export interface Sandbox {
    /**
     * Two run at once, others wait their turn; the deadline counts from its beginning.
     * @throws Fault `precondition` when no sandbox works on this machine: then nothing is run.
     */
    run(run: SandboxRun): Promise<ToolResult>
    /** How it shuts in, in words, for the log and the findings of the node. */
    describe(): Promise<string>
}

/** Policy 9.2 reserves these for nobody; the first is for trying out what works. */
const PROBE_UID = 65_099
const UIDS = { first: 65_100, last: 65_500 }
const MEMORY_BYTES = 2 * 1024 ** 3
const AT_ONCE = 2

const limits = (run: Pick<SandboxRun, 'maxFileBytes' | 'deadlineMs'>): string[] => [
    // When this daemon is killed, what it had begun ends too.
    '--pdeathsig=SIGKILL',
    '--',
    'prlimit',
    `--as=${MEMORY_BYTES}`,
    `--cpu=${Math.ceil(run.deadlineMs / 1000)}`,
    '--nofile=64',
    `--fsize=${Math.max(0, Math.floor(run.maxFileBytes))}`,
    '--core=0',
    '--',
]
const spaces = ['--net', '--ipc', '--uts', '--mount', '--pid', '--fork', '--kill-child']
const powerless = ['--no-new-privs', '--inh-caps=-all', '--bounding-set=-all']

interface Kind {
    words: string
    needsRoot: boolean
    /** It sees files of this service that others may not read: only with Landlock it is shut in. */
    needsLandlock?: boolean
    prefix(uid: number, place: Place): string[]
}

// The first that works is taken; each is without network.
const KINDS: Kind[] = [
    {
        words: 'a throwaway user in namespaces and a root of its own, without network',
        needsRoot: true,
        prefix: (uid, place) => ['unshare', ...spaces, '--', ...inRoot(place), ...dropped(uid)],
    },
    {
        words: 'a throwaway user in namespaces of its own, without network',
        needsRoot: true,
        prefix: uid => ['unshare', ...spaces, '--', ...dropped(uid)],
    },
    {
        words: 'a throwaway user without network',
        needsRoot: true,
        prefix: uid => ['unshare', '--net', '--', ...dropped(uid)],
    },
    {
        words: 'a user namespace with processes and a root of its own, without network',
        needsRoot: false,
        prefix: (_uid, place) => {
            const mapped = ['unshare', '--user', '--map-root-user', ...spaces, '--']
            return [...mapped, ...inRoot(place), 'setpriv', ...powerless, '--']
        },
    },
    // Here the tool runs as this service does: without Landlock it could read certificates, tokens, other images.
    {
        words: 'a user namespace with processes of its own, without network',
        needsRoot: false,
        needsLandlock: true,
        prefix: () => ['unshare', '--user', ...spaces, '--', 'setpriv', '--no-new-privs', '--'],
    },
    {
        words: 'a user namespace without network',
        needsRoot: false,
        needsLandlock: true,
        prefix: () => ['unshare', '--user', '--net', '--', 'setpriv', '--no-new-privs', '--'],
    },
]

const dropped = (uid: number) => ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...powerless, '--']

/** The sandbox of this machine; what works here is found out once, at the first use. `folder` is for it alone. */
export function createSandbox(deps: { system: System; log: Log; isRoot: boolean; folder: string }): Sandbox {
    const { system, log, isRoot, folder: own } = deps
    const users = createThrowaways(UIDS)
    const root = `${own}/root`
    let found: Promise<{ kind: Kind; landlock: boolean }> | undefined

    /** Each may take its share of memory and a core for hours. */
    const waiting: (() => void)[] = []
    let running = 0
    async function inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
        if (running < AT_ONCE) running++
        else
            await new Promise<void>((resolve, reject) => {
                const go = () => {
                    signal?.removeEventListener('abort', gone)
                    resolve()
                }
                const gone = () => {
                    waiting.splice(waiting.indexOf(go), 1)
                    reject(signal?.reason)
                }
                if (signal?.aborted) return reject(signal.reason)
                signal?.addEventListener('abort', gone, { once: true })
                waiting.push(go)
            })
        try {
            return await work()
        } finally {
            // The place passes to the next one.
            const next = waiting.shift()
            if (next) next()
            else running--
        }
    }

    const works = async (prefix: string[]): Promise<boolean> => {
        const limited = [...limits({ maxFileBytes: 0, deadlineMs: 10_000 }), ...prefix]
        const argv: [string, ...string[]] = ['setpriv', ...limited, 'qemu-img', '--version']
        const result = await system.run({ argv, deadlineMs: 10_000 }).catch(() => undefined)
        return result?.exitCode === 0
    }
    const find = async () => {
        const place = { root, work: `${own}/empty` }
        for (const path of [own, place.root, place.work]) await system.makeDirectory(path, 0o700)
        for (const kind of KINDS.filter(k => k.needsRoot === isRoot)) {
            const prefix = kind.prefix(PROBE_UID, place)
            if (!(await works(prefix))) continue
            const landlock = await works([...prefix, ...ruled])
            if (kind.needsLandlock && !landlock) continue
            log.info('Images of strangers are opened in a sandbox', { by: kind.words, landlock })
            return { kind, landlock }
        }
        throw new Fault('precondition', {
            summary: 'No sandbox for images from outside works on this node',
            detail: isRoot ? 'unshare and setpriv around qemu-img' : 'user namespaces around qemu-img',
            fix: isRoot
                ? 'Install qemu-utils, and let the service make namespaces (CAP_SYS_ADMIN).'
                : 'Install qemu-utils, and allow user namespaces that may mount (sysctl kernel.unprivileged_userns_clone=1, RestrictNamespaces= of the unit), or a kernel with Landlock.',
        })
    }
    const kindOf = () => {
        found ??= find().catch(thrown => {
            found = undefined
            throw thrown
        })
        return found
    }

    return {
        describe: async () => {
            const { kind, landlock } = await kindOf()
            return landlock ? `${kind.words}, shut into its folder by Landlock` : kind.words
        },
        run: async run => {
            const { kind, landlock } = await kindOf()
            const { signal, onOutput, deadlineMs, folder } = run
            return inTurn(signal, async () => {
                const uid = users.take()
                try {
                    if (kind.needsRoot) {
                        // The folder above stays closed to it: it starts inside, and goes by relative names.
                        await system.chown(folder, uid, uid)
                        for (const file of run.files) await system.chown(`${folder}/${file}`, uid, uid)
                    }
                    const shut = kind.prefix(uid, { root, work: folder })
                    const prefix = [...limits(run), ...shut, ...(landlock ? ruled : [])]
                    const argv: [string, ...string[]] = ['setpriv', ...prefix, ...run.argv]
                    return await system.run({ argv, cwd: folder, signal, onOutput, deadlineMs })
                } finally {
                    users.giveBack(uid)
                }
            })
        },
    }
}

/** setpriv of util-linux 2.40 (Debian 13): the tool reads the system's programs, and writes into its folder alone. */
const ruled = [
    'setpriv',
    '--landlock-access=fs',
    '--landlock-rule=path-beneath:execute,read-file,read-dir:/usr',
    '--landlock-rule=path-beneath:execute,read-file:/etc/ld.so.cache',
    '--landlock-rule=path-beneath:read-file,read-dir:/proc',
    '--landlock-rule=path-beneath:read-file,write-file:/dev',
    '--landlock-rule=path-beneath:read-file,write-file,read-dir,make-reg,remove-file,truncate:.',
    '--',
]
