// Things that are dear to make are made once and kept in .tools, by a key of the Debian suite and the recipe.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const cacheDir = fileURLToPath(new URL('../../.tools/', import.meta.url))

/** Runs a program with a deadline; answers its standard output. Rejects with what it wrote on standard error. */
export async function tool(argv: string[], options: { cwd?: string; deadlineMs?: number } = {}): Promise<string> {
    const [program, ...rest] = argv
    try {
        const { stdout } = await run(program!, rest, {
            cwd: options.cwd,
            timeout: options.deadlineMs ?? 60_000,
            maxBuffer: 64 << 20,
            env: { ...process.env, LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' },
        })
        return stdout
    } catch (trouble) {
        const { stderr = '', code, signal } = trouble as { stderr?: string; code?: unknown; signal?: unknown }
        throw new Error(`${argv.slice(0, 3).join(' ')} failed (${code ?? signal}):\n${stderr.slice(-3000)}`)
    }
}

/** The running Debian's suite name (`bookworm`, `trixie`). */
export async function suiteName(): Promise<string> {
    const text = await readFile('/etc/os-release', 'utf8')
    return /^VERSION_CODENAME=(.*)$/m.exec(text)?.[1] ?? 'stable'
}

/**
 * A folder in the cache that `make` filled, made now when it is not there. It appears under its final name only when
 * whole, so that a broken or concurrent making is never used.
 */
export async function cached(name: string, recipe: string, make: (folder: string) => Promise<void>): Promise<string> {
    const suite = await suiteName()
    const key = createHash('sha256').update(`${suite}\n${recipe}`).digest('hex').slice(0, 12)
    const folder = join(cacheDir, `${name}-${suite}-${key}`)
    if (existsSync(folder)) return folder
    await mkdir(dirname(folder), { recursive: true })
    const half = await mkdtemp(`${folder}.half-`)
    try {
        await chmod(half, 0o755)
        await make(half)
        await rename(half, folder).catch(trouble => {
            if (!existsSync(folder)) throw trouble
        })
    } finally {
        await rm(half, { recursive: true, force: true })
    }
    return folder
}

/** Downloads Debian packages of the running suite into a folder, with fresh lists when the first try fails. */
export async function downloadPackages(folder: string, names: string[]): Promise<void> {
    const get = () => tool(['apt-get', 'download', '--quiet', ...names], { cwd: folder, deadlineMs: 180_000 })
    await get().catch(async () => {
        await tool(['apt-get', 'update', '--quiet'], { deadlineMs: 180_000 })
        await get()
    })
}
