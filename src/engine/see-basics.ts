// Looks at many packages, files and units in few calls: one dpkg-query, one systemctl show, and the files side by side.
import { createHash } from 'node:crypto'
import { Fault } from '../base/fault.ts'
import { LOOK_MS } from '../base/look.ts'
import type { Probe } from '../ports/ports.ts'
import type { Basics, BasicsSeen, FileSeen, FileWant, UnitSeen } from './basics.ts'
import type { Look } from './resource.ts'
import { settledIn } from './settled.ts'
import type { SecretRef } from './step.ts'

const AT_ONCE = 32

/** All that the basics name, seen at once. */
export async function seeBasics(look: Look, wants: readonly Basics[]): Promise<BasicsSeen> {
    const packages = unique(wants.flatMap(want => want.packages ?? []))
    const files = wants.flatMap(want => want.files ?? [])
    const folders = unique(wants.flatMap(want => (want.folders ?? []).map(folder => folder.path)))
    const links = unique(wants.flatMap(want => (want.links ?? []).map(link => link.path)))
    const units = wants.flatMap(want => want.units ?? [])
    const names = await namesOf(look.root)
    const [installed, seenFiles, seenFolders, seenLinks, seenUnits] = await Promise.all([
        seePackages(look.root, packages),
        mapOf(files, async want => [want.path, await seeFile(look.root, want, names)]),
        mapOf(folders, async path => [path, await seeFolder(look.root, path, names)]),
        mapOf(links, async path => [path, await look.root.readLink(path)]),
        seeUnits(look, unique(units.map(unit => unit.unit))),
    ])
    const settled = await settledIn(look.root)
    for (const want of wants) {
        for (const { unit, reads } of want.units ?? []) {
            const seen = seenUnits.get(unit)
            if (!seen || !reads?.length) continue
            const read = (want.files ?? []).filter(file => reads.includes(file.path))
            seen.shouldSettle = await hashOf(look.machine, read)
            seen.settled = settled[unit]
        }
    }
    return { installed, files: seenFiles, folders: seenFolders, links: seenLinks, units: seenUnits }
}

async function hashOf(machine: Probe, files: readonly FileWant[]): Promise<string> {
    const hash = createHash('sha256')
    for (const { path, content } of files) {
        const text =
            content === undefined ? '' : typeof content === 'string' ? content : await secretText(machine, content)
        hash.update(`${path}\0${text}\0`)
    }
    return hash.digest('hex').slice(0, 24)
}

/** Names of users and groups by number, below the root. */
interface Names {
    users: ReadonlyMap<number, string>
    groups: ReadonlyMap<number, string>
}

/** Names of users and groups by number. */
export async function namesOf(root: Probe): Promise<Names> {
    const read = async (path: string) => {
        const lines = ((await root.readText(path)) ?? '').split('\n')
        return new Map(lines.map(line => line.split(':')).map(([name = '', , id]) => [Number(id), name]))
    }
    const [users, groups] = await Promise.all([read('/etc/passwd'), read('/etc/group')])
    return { users, groups }
}

async function seePackages(root: Probe, names: readonly string[]): Promise<Set<string>> {
    if (names.length === 0) return new Set()
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
    const format = '${Package}\\t${db:Status-Status}\\n'
    const argv = ['dpkg-query', '-W', '-f', format, ...names] as const
    // Ends with 1 when it does not know one of them, and tells of the others all the same.
    const { stdout, exitCode } = await root.query({ argv: [...argv], deadlineMs: LOOK_MS })
    if (exitCode > 1) throw new Fault('unavailable', { summary: 'dpkg does not answer', fix: 'Try: dpkg --audit' })
    const lines = stdout.split('\n').map(line => line.split('\t'))
    return new Set(lines.filter(([, state]) => state === 'installed').map(([name = '']) => name))
}

async function seeFile(root: Probe, want: FileWant, names: Names): Promise<FileSeen | undefined> {
    const facts = await root.look(want.path)
    if (!facts) return undefined
    const seen = { mode: facts.mode, owner: ownerOf(facts, names) }
    // What is no plain file is seen as one with other contents, so that a plan shows it being replaced.
    if (facts.kind !== 'file') return { ...seen, content: `(a ${facts.kind})` }
    const content = (await root.readText(want.path)) ?? ''
    if (!want.secret) return { ...seen, content }
    const wanted =
        typeof want.content === 'object' ? await secretText(root, want.content).catch(() => undefined) : want.content
    return { ...seen, same: content === wanted }
}

async function seeFolder(root: Probe, path: string, names: Names): Promise<FileSeen | undefined> {
    const facts = await root.look(path)
    if (facts?.kind !== 'directory') return undefined
    return { mode: facts.mode, owner: ownerOf(facts, names) }
}

const ownerOf = ({ uid, gid }: { uid: number; gid: number }, { users, groups }: Names) =>
    `${users.get(uid) ?? uid}:${groups.get(gid) ?? gid}`

/** The value of a secret, without the line's end that editors add. @throws Fault `precondition` where it is not there */
export async function secretText(probe: Probe, secret: SecretRef): Promise<string> {
    const path = 'file' in secret ? secret.file : `/run/credentials/${secret.credential}`
    const text = await probe.readText(path)
    if (text === undefined) {
        throw new Fault('precondition', {
            summary: 'A secret that the document refers to is not there',
            detail: path,
            fix: 'Put it there, readable by root alone.',
        })
    }
    return text.replace(/\r?\n$/, '')
}

/** As they are now; below a root folder, what the boot would make of them. */
export async function seeUnits(
    { phase, root, machine }: Look,
    units: readonly string[],
): Promise<Map<string, UnitSeen>> {
    if (units.length === 0) return new Map()
    if (phase === 'image') return seeUnitFiles(root, units)
    const properties = 'Id,Names,LoadState,ActiveState,UnitFileState'
    const argv = ['systemctl', 'show', `--property=${properties}`, '--', ...units] as const
    const { stdout } = await machine.query({ argv: [...argv], deadlineMs: LOOK_MS })
    const found = new Map<string, UnitSeen>()
    // One block a unit, in the order asked for; `Id` may be another name of it.
    stdout
        .trim()
        .split('\n\n')
        .forEach((block, at) => {
            const told = Object.fromEntries(
                block.split('\n').map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
            )
            const unit = units[at]
            if (!unit) return
            const active = told.ActiveState
            found.set(unit, {
                known: told.LoadState === 'loaded',
                enabled: /^(enabled|enabled-runtime|static|alias|generated|linked)$/.test(told.UnitFileState ?? ''),
                // A oneshot that is on its way counts: starting it again would not make it quicker.
                active: active === 'active' || active === 'reloading' || active === 'activating',
                masked: told.LoadState === 'masked',
                failed: active === 'failed',
            })
        })
    return found
}

async function seeUnitFiles(root: Probe, units: readonly string[]): Promise<Map<string, UnitSeen>> {
    const { stdout } = await root.query({ argv: ['systemctl', 'is-enabled', '--', ...units], deadlineMs: LOOK_MS })
    const states = stdout.trim().split('\n')
    return new Map(
        units.map((unit, at) => {
            const state = states[at] ?? ''
            const enabled = /^(enabled|static|alias|generated|linked)$/.test(state)
            // Nothing runs below a root folder: what should be active is started by the boot.
            return [
                unit,
                { known: state !== 'not-found', enabled, active: true, masked: state === 'masked', failed: false },
            ]
        }),
    )
}

const unique = (words: readonly string[]) => [...new Set(words)]

async function mapOf<T, V>(things: readonly T[], look: (thing: T) => Promise<[string, V]>): Promise<Map<string, V>> {
    const found = new Map<string, V>()
    for (let at = 0; at < things.length; at += AT_ONCE) {
        for (const [key, value] of await Promise.all(things.slice(at, at + AT_ONCE).map(look))) found.set(key, value)
    }
    return found
}
