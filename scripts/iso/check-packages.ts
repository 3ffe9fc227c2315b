// `make check-packages`: every name in iso/packages is a package of Debian 13, as the mirror's own index says today.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { debianMirror } from '../mirror.ts'
import { root } from '../stages.ts'

const folder = join(root, 'iso/packages')
const areas = ['main', 'contrib', 'non-free-firmware']

export interface Wanted {
    list: string
    name: string
}

/** The names in a list: one a line, `#` begins a comment. */
export const namesIn = (text: string): string[] =>
    text
        .split('\n')
        .map(line => line.replace(/#.*/, '').trim())
        .filter(Boolean)

export function wantedPackages(): Wanted[] {
    const lists = readdirSync(folder).filter(file => file.endsWith('.list'))
    return lists.sort().flatMap(list => namesIn(readFileSync(join(folder, list), 'utf8')).map(name => ({ list, name })))
}

/** Packages of an index, and what they provide. */
export function packagesIn(index: string): Set<string> {
    const names = new Set<string>()
    for (const [, name] of index.matchAll(/^Package: (\S+)$/gm)) names.add(name!)
    for (const [, provided] of index.matchAll(/^Provides: (.+)$/gm))
        for (const one of provided!.split(',')) names.add(one.trim().split(/[\s(]/)[0]!)
    return names
}

async function main(): Promise<string> {
    const mirror = process.env.DEBVISOR_MIRROR?.replace(/\/+$/, '') || debianMirror()
    if (!mirror) throw new Error('No Debian mirror stands in /etc/apt: name one with DEBVISOR_MIRROR.')
    const known = new Set<string>()
    for (const area of areas) {
        const path = `dists/trixie/${area}/binary-amd64/Packages.xz`
        const answer = await fetch(`${mirror}/${path}`)
        if (!answer.ok) throw new Error(`The mirror answered ${answer.status} for ${path}.`)
        const packed = Buffer.from(await answer.arrayBuffer())
        const text = execFileSync('xz', ['-dc'], { input: packed, maxBuffer: 1 << 30 }).toString('utf8')
        for (const name of packagesIn(text)) known.add(name)
    }
    const wanted = wantedPackages()
    const missing = wanted.filter(({ name }) => !known.has(name))
    if (missing.length > 0)
        throw new Error(missing.map(({ list, name }) => `iso/packages/${list}: ${name} is not in Debian 13`).join('\n'))
    return `All ${wanted.length} packages of iso/packages are in Debian 13.`
}

if (process.argv[1] === fileURLToPath(import.meta.url))
    main().then(
        said => console.log(said),
        (trouble: Error) => {
            console.error(trouble.message)
            process.exitCode = 1
        },
    )
