// The unpacked source of libvirt in Debian 13, kept in a cache.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sourceTarball, type Unreachable } from '../mirror.ts'

interface Wanted {
    /** Folder of the cache; what is unpacked there already is not fetched again. */
    cache: string
    /** Name of the unpacked folder in it. */
    folder: string
    /** Paths in the tarball, below its one folder. */
    members: string[]
    /** How many folders of the paths are left out. */
    strip: number
}

/** The folder with those members of libvirt's source; it appears whole or not at all. */
export async function unpackLibvirt({
    cache,
    folder,
    members,
    strip,
}: Wanted): Promise<{ folder: string } | Unreachable> {
    const unpacked = join(cache, folder)
    if (existsSync(unpacked)) return { folder: unpacked }
    const tarball = await sourceTarball('libvirt')
    if ('unreachable' in tarball) return tarball
    const partial = join(cache, `partial-${process.pid}`)
    mkdirSync(partial, { recursive: true })
    const archive = join(cache, `${process.pid}-${tarball.file}`)
    writeFileSync(archive, tarball.bytes)
    const paths = members.map(path => `*/${path}`)
    execFileSync('tar', ['-xf', archive, '-C', partial, `--strip-components=${strip}`, '--wildcards', ...paths])
    rmSync(archive)
    renameSync(partial, unpacked)
    return { folder: unpacked }
}

/** What the generator reads of libvirt's source; the generated files are reviewed in the diff. */
export const fetchSource = (cache: string): Promise<{ folder: string } | Unreachable> =>
    unpackLibvirt({ cache, folder: 'libvirt', members: ['src/rpc', 'src/remote', 'include', 'meson.build'], strip: 1 })
