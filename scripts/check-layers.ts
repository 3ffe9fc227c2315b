// Enforces the direction of the layers, the doors to the machine, and what pure and panel files may import.
import { readdir, readFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A forbidden import: where it stands, what it names, which rule it breaks and what to do instead. */
export interface LayerFinding {
    path: string
    line: number
    imports: string
    rule: string
    fix: string
}

interface Import {
    line: number
    /** A path from the root of the repository, a package, or `node:…`. */
    target: string
    typeOnly: boolean
    /** What is imported by name; empty for everything else. */
    names: string[]
}

const layers: Record<string, number> = { base: 0, ports: 1, gen: 2, engine: 2, drivers: 2, capabilities: 3, apps: 4 }
const builtins = new Set(builtinModules.filter(name => !name.startsWith('_')))
const machine = /^node:(child_process|fs)(\/|$)/
// These only read addresses; they open nothing.
const addressNames = new Set(['isIP', 'isIPv4', 'isIPv6', 'BlockList'])
const network = /^node:(net|tls|http|https|http2|dgram|dns)(\/|$)/

/** Every forbidden import among the files, given as path from the root of the repository → text. */
export function checkLayers(files: ReadonlyMap<string, string>): LayerFinding[] {
    const imports = new Map([...files].map(([path, text]) => [path, importsOf(path, text)]))
    const pure = pureFiles(imports)
    return [...imports].flatMap(([path, list]) =>
        list.flatMap(one => {
            const broken = brokenRule(path, one, pure)
            return broken ? [{ path, line: one.line, imports: one.target, ...broken }] : []
        }),
    )
}

/** base, every spec.ts and plan.ts, and what these need at run time: purity ends where the first impure file is. */
function pureFiles(imports: ReadonlyMap<string, Import[]>): Set<string> {
    const pure = new Set([...imports.keys()].filter(isPureByName))
    // A set is walked in the order of adding, so what is added here is walked as well.
    for (const path of pure)
        for (const { target, typeOnly } of imports.get(path) ?? [])
            if (!typeOnly && /^src\/(base|capabilities)\//.test(target)) pure.add(target)
    return pure
}

interface Broken {
    rule: string
    fix: string
}

function brokenRule(path: string, { target, typeOnly, names }: Import, pure: ReadonlySet<string>): Broken | undefined {
    const isPure = pure.has(path) || isPureByName(path)
    if (/\.test\.tsx?$|\/testdata\//.test(path) || isWorkshop(path)) return undefined
    if (target.startsWith('node:'))
        return typeOnly && !isPure ? undefined : builtinRule(path, { target, names }, isPure)
    if (!target.startsWith('src/')) return undefined
    const [from, to] = [place(path), place(target)]
    if (from.layer === undefined) return undefined
    if (to.layer === undefined)
        return { rule: 'a file of src/ belongs to a layer', fix: `move ${target} into one of ${Object.keys(layers)}` }
    if (isPure && !typeOnly && from.name !== to.name && ['ports', 'drivers', 'engine', 'apps'].includes(to.name))
        return { rule: 'pure files import base and other pure files', fix: 'hand the value in as a parameter' }
    if (to.layer > from.layer)
        return { rule: `${from.name} lies below ${to.name}`, fix: 'declare the interface below, implement it above' }
    if (to.name === 'gen' && from.name !== 'gen' && from.layer < 2)
        return { rule: 'generated code is for layers from engine up', fix: 'take plain values as parameters' }
    const siblings = new Set(['engine', 'drivers'])
    if (siblings.has(from.name) && siblings.has(to.name) && from.name !== to.name)
        return { rule: 'engine and drivers do not know each other', fix: 'let a capability bring them together' }
    if (from.name === 'capabilities' && to.name === 'capabilities') return capabilityRule(path, target)
    if (from.name === 'apps' && to.name === 'apps' && segment(path, 2) !== segment(target, 2))
        return { rule: 'no app imports another', fix: 'put what both need into a layer below' }
    return undefined
}

function capabilityRule(path: string, target: string): Broken | undefined {
    const [from, to] = [capabilityOf(path), capabilityOf(target)]
    if (/^src\/capabilities\/table\.[a-z]+\.ts$/.test(path)) return undefined
    if (/^src\/capabilities\/table\.[a-z]+\.ts$/.test(target))
        return { rule: 'only apps read the tables', fix: 'let apps hand over what is needed' }
    if (to === undefined || from === to) return undefined
    return {
        rule: 'no capability imports another',
        fix: `declare the small interface that ${from ?? 'it'} wants; apps/*/wire.ts hands it over`,
    }
}

function builtinRule(path: string, what: Pick<Import, 'target' | 'names'>, isPure: boolean): Broken | undefined {
    const { target, names } = what
    if (isPanel(path)) return { rule: 'panel files run in a browser', fix: 'ask the API instead' }
    if (isPure) return { rule: 'pure files import no node: modules', fix: 'hand the value in as a parameter' }
    // The command line runs as the person, on the person's own files.
    if (/^node:fs(\/|$)/.test(target) && path.startsWith('src/apps/cli/')) return undefined
    if (machine.test(target) && !/^src\/ports\/real(-tools)?\.ts$/.test(path))
        return { rule: 'only ports/real*.ts touches files and programs', fix: 'take a Probe or a System' }
    if (target === 'node:net' && names.length > 0 && names.every(name => addressNames.has(name))) return undefined
    if (network.test(target) && !/^src\/(drivers|apps|ports)\//.test(path))
        return { rule: 'only drivers and apps talk to the network', fix: 'take the connection as an interface' }
    return undefined
}

const segment = (path: string, index: number) => path.split('/')[index]
const isPureByName = (path: string) => path.startsWith('src/base/') || /^src\/.*\/(spec|plan)(-[a-z]+)*\.ts$/.test(path)
/** What builds or simulates the panel runs in Node and is never bundled. */
const isWorkshop = (path: string) => /^src\/apps\/panel\/(vite\.config\.ts$|sim\/)/.test(path)
const isPanel = (path: string) =>
    path.startsWith('src/apps/panel/') || /(^|[./])panel\.tsx?$/.test(path) || path.endsWith('/table.panel.ts')

function place(path: string) {
    const name = segment(path, 1) ?? ''
    return { name, layer: layers[name] }
}

/** `vm` for anything in its folder, undefined for the files that stand beside the folders. */
function capabilityOf(path: string): string | undefined {
    const words = path.split('/')
    return words.length > 3 ? words[2] : undefined
}

function importsOf(path: string, text: string): Import[] {
    // Comments go first (with their line breaks kept), so that prose about imports is none.
    const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, found => found.replace(/[^\n]/g, ' '))
    const pattern =
        /(?:^|[\s;}])(?:import|export)\s(?:[^'"`;]*?\sfrom\s*)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g
    return [...code.matchAll(pattern)].map(match => {
        const named = (match[1] ?? match[2])!
        const line = code.slice(0, match.index + match[0].length).split('\n').length
        const names = (/\{([^}]*)\}/.exec(match[0])?.[1] ?? '')
            .split(',')
            .flatMap(one => one.trim().split(/\s+as\s/)[0] || [])
        return {
            line,
            target: resolve(path, named),
            typeOnly: /^[\s;}]*(import|export)\s+type\s/.test(match[0]),
            names,
        }
    })
}

function resolve(path: string, named: string): string {
    if (named.startsWith('.')) return posix.normalize(posix.join(posix.dirname(path), named))
    const first = named.split('/')[0]!
    return builtins.has(first) && !named.startsWith('node:') ? `node:${named}` : named
}

/** Reads src/ of the repository at `root`. */
export async function readTree(root: string): Promise<Map<string, string>> {
    const names = await readdir(join(root, 'src'), { recursive: true })
    const wanted = names.filter(name => /\.tsx?$/.test(name) && !name.startsWith('gen/') && !name.endsWith('.d.ts'))
    const read = async (name: string) => [`src/${name}`, await readFile(join(root, 'src', name), 'utf8')] as const
    return new Map(await Promise.all(wanted.sort().map(read)))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const files = await readTree(fileURLToPath(new URL('..', import.meta.url)))
    const found = checkLayers(files)
    for (const { path, line, imports, rule, fix } of found)
        console.log(`${path}:${line}: imports ${imports}: ${rule}; ${fix}`)
    console.log(found.length === 0 ? `${files.size} files keep the layers` : `${found.length} forbidden imports`)
    process.exitCode = found.length === 0 ? 0 : 1
}
