// The Debian mirror that this machine's apt uses, and source packages of Debian 13 from it, checked by their hashes.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const suite = 'trixie'

/** What could not be had from the network, which is nobody's mistake here; `why` is for people. */
export interface Unreachable {
    unreachable: string
}

/** The first mirror in the text of a file of apt's (deb822 or one line each); security archives are none. */
export function mirrorIn(text: string): string | undefined {
    const stanzas = text.replace(/^#.*\n?/gm, '').split(/\n\s*\n/)
    const uris = stanzas.flatMap(stanza => {
        if (/^Enabled:\s*no\b/im.test(stanza)) return []
        const types = /^Types:(.*)$/im.exec(stanza)?.[1]
        if (types !== undefined)
            return types.trim().split(/\s+/).includes('deb')
                ? (/^URIs:(.*)$/im.exec(stanza)?.[1] ?? '').trim().split(/\s+/)
                : []
        return [...stanza.matchAll(/^deb\s+(?:\[[^\]]*\]\s+)?(\S+)/gm)].map(([, uri]) => uri!)
    })
    const plain = uris.filter(uri => /^https?:/.test(uri)).map(uri => uri.replace(/\/+$/, ''))
    return plain.find(uri => !uri.endsWith('-security'))
}

/** The machine's own Debian mirror without a slash at its end, or undefined where /etc/apt names none. */
export function debianMirror(apt = '/etc/apt'): string | undefined {
    const more = list(join(apt, 'sources.list.d')).filter(
        name => /\.(sources|list)$/.test(name) && name !== 'debian.sources',
    )
    const files = ['sources.list.d/debian.sources', 'sources.list', ...more.map(name => join('sources.list.d', name))]
    for (const file of files) {
        const found = mirrorIn(read(join(apt, file)))
        if (found) return found
    }
    return undefined
}

const list = (folder: string): string[] => {
    try {
        return readdirSync(folder).sort()
    } catch {
        return []
    }
}
const read = (path: string): string => {
    try {
        return readFileSync(path, 'utf8')
    } catch {
        return ''
    }
}

async function download(url: string, what: string): Promise<Buffer | Unreachable> {
    try {
        const answer = await fetch(url)
        if (answer.ok) return Buffer.from(await answer.arrayBuffer())
        return { unreachable: `the Debian mirror answered ${answer.status} for ${what}` }
    } catch (trouble) {
        const { cause, message } = trouble as Error
        return { unreachable: `the Debian mirror gave no ${what}: ${(cause as Error | undefined)?.message ?? message}` }
    }
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
 * The upstream tarball of a source package in Debian 13. The index is trusted as the mirror gives it; a tarball with
 * another hash than it says is an error, no mirror or no answer is a value.
 */
export async function sourceTarball(
    name: string,
    mirror = debianMirror(),
): Promise<{ file: string; bytes: Buffer } | Unreachable> {
    if (!mirror) return { unreachable: '/etc/apt names no Debian mirror' }
    const packed = await download(`${mirror}/dists/${suite}/main/source/Sources.xz`, 'index of source packages')
    if ('unreachable' in packed) return packed
    const index = execFileSync('xz', ['-dc'], { input: packed, maxBuffer: 1 << 30 }).toString('utf8')
    const { directory, file, sha256 } = findTarball(index, name)
    const bytes = await download(`${mirror}/${directory}/${file}`, file)
    if ('unreachable' in bytes) return bytes
    const seen = createHash('sha256').update(bytes).digest('hex')
    if (seen !== sha256) throw new Error(`${file} has SHA-256 ${seen}, the index says ${sha256}`)
    return { file, bytes }
}
