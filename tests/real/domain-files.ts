// Over a thousand published domain definitions: those that libvirt's own source package in Debian tests itself with.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findTarball } from '../../scripts/generate-libvirt/source.ts'

const cache = join(import.meta.dirname, '../../.tools/libvirt-domains')
const folders = ['qemuxmlconfdata', 'domainschemadata', 'genericxml2xmlindata', 'qemustatusxml2xmldata']

async function download(url: string): Promise<Buffer> {
    const answer = await fetch(url)
    if (!answer.ok) throw new Error(`the Debian mirror answered ${answer.status}`)
    return Buffer.from(await answer.arrayBuffer())
}

/** Fetches the files when they are not in the cache. Needs the Debian mirror then. */
async function fetchFiles(): Promise<string> {
    const unpacked = join(cache, 'tests')
    if (existsSync(unpacked)) return unpacked
    const mirror = /^URIs:\s*(\S+)/m.exec(readFileSync('/etc/apt/sources.list.d/debian.sources', 'utf8'))?.[1]
    if (!mirror) throw new Error('apt names no mirror in debian.sources')
    const base = mirror.replace(/\/+$/, '')
    const packed = await download(`${base}/dists/trixie/main/source/Sources.xz`)
    const index = execFileSync('xz', ['-dc'], { input: packed, maxBuffer: 1 << 30 }).toString('utf8')
    const found = findTarball(index, 'libvirt')
    const tarball = await download(`${base}/${found.directory}/${found.file}`)
    const sha256 = createHash('sha256').update(tarball).digest('hex')
    if (sha256 !== found.sha256) throw new Error(`${found.file} has SHA-256 ${sha256}, the index says ${found.sha256}`)
    const partial = join(cache, `partial-${process.pid}`)
    mkdirSync(partial, { recursive: true })
    const archive = join(partial, found.file)
    writeFileSync(archive, tarball)
    const members = folders.map(folder => `*/tests/${folder}/*.xml`)
    execFileSync('tar', ['-xf', archive, '-C', partial, '--strip-components=2', '--wildcards', ...members])
    rmSync(archive)
    renameSync(partial, unpacked)
    return unpacked
}

export interface DomainFile {
    name: string
    xml: string
}

/** Every file whose root element is `<domain>` and that is well-formed, in order of their names. */
export async function domainFiles(): Promise<DomainFile[]> {
    const root = await fetchFiles()
    return readdirSync(root)
        .flatMap(folder => readdirSync(join(root, folder)).map(name => join(folder, name)))
        .filter(name => name.endsWith('.xml'))
        .sort()
        .map(name => ({ name, xml: readFileSync(join(root, name), 'utf8') }))
        .filter(({ xml }) => /^\s*(<!--[\s\S]*?-->\s*)*<domain[\s>]/.test(xml))
}
