// Fetches the source package of libvirt in Debian 13 from the mirror that this machine's apt uses, checked by its hash.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const SOURCES = '/etc/apt/sources.list.d/debian.sources'
const SUITE = 'trixie'

function mirror(): string {
    const uri = /^URIs:\s*(\S+)/m.exec(readFileSync(SOURCES, 'utf8'))?.[1]
    if (!uri) throw new Error(`${SOURCES} names no mirror: give the folder of libvirt's source instead`)
    return uri.replace(/\/+$/, '')
}

async function download(url: string, what: string): Promise<Buffer> {
    const answer = await fetch(url)
    if (!answer.ok) throw new Error(`The Debian mirror answered ${answer.status} for ${what}`)
    return Buffer.from(await answer.arrayBuffer())
}

interface SourcePackage {
    directory: string
    file: string
    sha256: string
}

/** The upstream tarball of a source package, from the text of a Sources index. */
export function findTarball(index: string, name: string): SourcePackage {
    const stanza = index.split(/\n\n+/).find(text => text.startsWith(`Package: ${name}\n`))
    const directory = /^Directory: (\S+)$/m.exec(stanza ?? '')?.[1]
    const sums = /^Checksums-Sha256:\s*\n((?: .*\n)+)/m.exec(`${stanza ?? ''}\n`)?.[1]
    const tarball = /^ ([0-9a-f]{64}) \d+ (\S+\.orig\.tar\.xz)$/m.exec(sums ?? '')
    if (!directory || !tarball?.[1] || !tarball[2]) throw new Error(`The index has no upstream tarball of ${name}`)
    return { directory, file: tarball[2], sha256: tarball[1] }
}

/**
 * The folder with libvirt's unpacked source, kept below `cache`; what is there already is not fetched again.
 * The index itself is trusted as the mirror gives it; the generated files are reviewed in the diff.
 */
export async function fetchSource(cache: string): Promise<string> {
    const unpacked = join(cache, 'libvirt')
    if (existsSync(unpacked)) return unpacked
    const base = mirror()
    const packed = await download(`${base}/dists/${SUITE}/main/source/Sources.xz`, 'the index of source packages')
    const index = execFileSync('xz', ['-dc'], { input: packed, maxBuffer: 1 << 30 }).toString('utf8')
    const found = findTarball(index, 'libvirt')
    const tarball = await download(`${base}/${found.directory}/${found.file}`, found.file)
    const sha256 = createHash('sha256').update(tarball).digest('hex')
    if (sha256 !== found.sha256) throw new Error(`${found.file} has SHA-256 ${sha256}, the index says ${found.sha256}`)

    const partial = join(cache, `partial-${process.pid}`)
    mkdirSync(partial, { recursive: true })
    const archive = join(cache, found.file)
    writeFileSync(archive, tarball)
    const members = ['src/rpc', 'src/remote', 'include', 'meson.build'].map(path => `*/${path}`)
    execFileSync('tar', ['-xf', archive, '-C', partial, '--strip-components=1', '--wildcards', ...members])
    rmSync(archive)
    renameSync(partial, unpacked)
    return unpacked
}
