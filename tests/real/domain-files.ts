// Over a thousand published domain definitions: those that libvirt's own source package in Debian tests itself with.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unpackLibvirt } from '../../scripts/generate-libvirt/source.ts'

const cache = join(import.meta.dirname, '../../.tools/libvirt-domains')
const folders = ['qemuxmlconfdata', 'domainschemadata', 'genericxml2xmlindata', 'qemustatusxml2xmldata']

/** Fetches the files when they are not in the cache. Needs the Debian mirror then. */
async function fetchFiles(): Promise<string> {
    const members = folders.map(folder => `tests/${folder}/*.xml`)
    const found = await unpackLibvirt({ cache, folder: 'tests', members, strip: 2 })
    if ('unreachable' in found) throw new Error(found.unreachable)
    return found.folder
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
