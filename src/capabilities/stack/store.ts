// The stacks on the disk: every version of a file with its variables, and which of them was brought up.
import { Fault } from '../../base/fault.ts'
import type { Log, System } from '../../ports/ports.ts'
import type { AppliedServices } from './plan.ts'
import type { Value } from './values.ts'

export interface VersionFacts {
    number: number
    atMs: number
    by: string
    note: string
    /** How many containers a service has, where that was said apart from the file. */
    scale: Record<string, number>
    /** Of the file, so that lists need not read it. */
    tags: string[]
    services: string[]
}

export interface StoredVersion extends VersionFacts {
    file: string
    values: Value[]
}

export interface StackDoc {
    name: string
    owner: string
    catalogue: string
    /** Where relative paths of an imported file begin; empty: the file has none. */
    folder: string
    /** Random: what its containers are told of secrets is mixed with it. */
    key: string
    /** What runs since it was brought up last. */
    applied?: { version: number; atMs: number; services: AppliedServices }
    /** Written before something is changed, taken away when it ended well: a power cut leaves it. */
    unfinished?: { version: number; atMs: number }
    /** Newest first; never empty. */
    versions: VersionFacts[]
}

/** What a new version consists of. */
export type NewVersion = Omit<StoredVersion, 'number'>

export interface Store {
    /** By name. */
    list(): StackDoc[]
    get(name: string): StackDoc | undefined
    /** @throws Fault `not-found`, or `precondition` where a file of it is damaged */
    version(name: string, number: number): Promise<StoredVersion>
    /** With its first version; whole or not at all. @throws Fault `exists` */
    create(doc: Pick<StackDoc, 'name' | 'owner' | 'catalogue' | 'folder' | 'key'>, first: NewVersion): Promise<StackDoc>
    /** @throws Fault `conflict` when there is a newer version than `base` */
    add(name: string, base: number, version: NewVersion): Promise<StackDoc>
    change(name: string, to: Pick<StackDoc, 'applied' | 'unfinished'>): Promise<void>
    remove(name: string): Promise<void>
    /** Called whenever one has changed or is gone. */
    onChange(listener: (name: string) => void): () => void
    /** Stacks that could not be read, and why. */
    readonly damaged: readonly { name: string; why: string }[]
}

const DOC = 'stack.json'
/** Versions that are kept; the one that runs is kept besides. */
const KEPT = 100

/** Reads what there is; what a power cut left half made is taken away. */
export async function openStore(deps: { system: System; log: Log; folder: string }): Promise<Store> {
    const { system, log, folder } = deps
    await system.makeDirectory(folder, 0o700)
    const docs = new Map<string, StackDoc>()
    const damaged: { name: string; why: string }[] = []
    const listeners = new Set<(name: string) => void>()
    const tell = (name: string) => {
        for (const listener of [...listeners]) listener(name)
    }
    const at = (name: string, ...rest: (string | number)[]) => [folder, name, ...rest].join('/')

    for (const name of await system.list(folder)) {
        // Begun with a dot: never whole, or being removed.
        if (name.startsWith('.')) {
            await system.remove(at(name))
            continue
        }
        try {
            docs.set(name, await readDoc(name))
        } catch (thrown) {
            const why = thrown instanceof Error ? thrown.message : String(thrown)
            damaged.push({ name, why })
            log.error('A stack cannot be read', { name, why })
        }
    }

    async function readDoc(name: string): Promise<StackDoc> {
        const text = await system.readText(at(name, DOC))
        const doc = JSON.parse(text ?? '') as StackDoc
        // The folder of a version is whole when it is there; the list of them is read from the folders.
        const versions: VersionFacts[] = []
        for (const entry of await system.list(at(name, 'versions'))) {
            if (entry.startsWith('.')) await system.remove(at(name, 'versions', entry))
            else versions.push(JSON.parse((await system.readText(at(name, 'versions', entry, 'version.json'))) ?? ''))
        }
        versions.sort((a, b) => b.number - a.number)
        if (versions.length === 0) throw new Error('it has no version')
        return { ...doc, name, versions }
    }

    const { stringify } = JSON
    const writeDoc = async ({ versions: _versions, ...doc }: StackDoc, path: string) =>
        system.writeFile(`${path}/${DOC}`, `${stringify(doc, null, 2)}\n`, 0o600)

    async function writeVersion(path: string, { file, values, ...facts }: StoredVersion): Promise<void> {
        await system.makeDirectory(path, 0o700)
        await system.writeFile(`${path}/compose.yaml`, file, 0o600)
        await system.writeFile(`${path}/values.json`, `${stringify(values, null, 2)}\n`, 0o600)
        await system.writeFile(`${path}/version.json`, `${stringify(facts, null, 2)}\n`, 0o600)
    }

    const need = (name: string): StackDoc => docs.get(name) ?? unknown(name)

    return {
        list: () => [...docs.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
        get: name => docs.get(name),
        async version(name, number) {
            const facts = need(name).versions.find(one => one.number === number)
            if (!facts)
                throw new Fault('not-found', {
                    summary: 'The stack has no such version',
                    detail: `${name}, version ${number}`,
                    at: 'version',
                    fix: `List them with: debvisor stack history ${name}`,
                })
            const path = at(name, 'versions', number)
            const [file, values] = await Promise.all([
                system.readText(`${path}/compose.yaml`),
                system.readText(`${path}/values.json`),
            ])
            if (file === undefined || values === undefined)
                throw new Fault('precondition', {
                    summary: 'A version of the stack is damaged',
                    detail: path,
                    fix: 'Restore the folder from a backup, or go on from another version.',
                })
            return { ...facts, file, values: JSON.parse(values) as Value[] }
        },
        async create(doc, first) {
            if (docs.has(doc.name) || (await system.look(at(doc.name)))) throw nameTaken(doc.name)
            const half = at(`.${doc.name}`)
            await system.remove(half)
            await system.makeDirectory(half, 0o700)
            const version = { ...first, number: 1 }
            const whole: StackDoc = { ...doc, versions: [factsOf(version)] }
            await writeVersion(`${half}/versions/1`, version)
            await writeDoc(whole, half)
            await system.rename(half, at(doc.name))
            docs.set(doc.name, whole)
            tell(doc.name)
            return whole
        },
        async add(name, base, added) {
            const doc = need(name)
            const newest = doc.versions[0]!.number
            if (newest !== base)
                throw new Fault('conflict', {
                    summary: 'The stack has been changed since',
                    detail: `${name}: version ${newest} is the newest, and ${base} was changed`,
                    fix: 'Look at the newest version, and make the change there.',
                    at: 'base',
                })
            const version = { ...added, number: newest + 1 }
            const half = at(name, 'versions', `.${version.number}`)
            await system.remove(half)
            await writeVersion(half, version)
            await system.rename(half, at(name, 'versions', version.number))
            const versions = [factsOf(version), ...doc.versions]
            const gone = versions.slice(KEPT).filter(({ number }) => number !== doc.applied?.version)
            const next = { ...doc, versions: versions.filter(one => !gone.includes(one)) }
            docs.set(name, next)
            for (const { number } of gone) await system.remove(at(name, 'versions', number))
            tell(name)
            return next
        },
        async change(name, to) {
            const next = { ...need(name), ...to }
            await writeDoc(next, at(name))
            docs.set(name, next)
            tell(name)
        },
        async remove(name) {
            if (!docs.has(name)) return
            const going = at(`.gone-${name}`)
            await system.remove(going)
            await system.rename(at(name), going)
            docs.delete(name)
            tell(name)
            await system.remove(going)
        },
        onChange(listener) {
            listeners.add(listener)
            return () => void listeners.delete(listener)
        },
        damaged,
    }
}

const factsOf = ({ number, atMs, by, note, scale, tags, services }: VersionFacts): VersionFacts => ({
    ...{ number, atMs, by, note, scale, tags, services },
})

function unknown(name: string): never {
    throw new Fault('not-found', {
        summary: 'There is no such stack',
        detail: JSON.stringify(name.slice(0, 80)),
        at: 'stack',
        fix: 'List them with: debvisor stack list',
    })
}

export const nameTaken = (name: string): Fault =>
    new Fault('exists', {
        summary: 'There is a stack of that name',
        detail: name,
        at: 'name',
        fix: 'Choose another name, or remove the other stack.',
    })
