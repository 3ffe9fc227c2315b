// What of libvirt's belongs to a state folder: noted before, listed by virsh, removed, or named with why it stays.
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const virsh = async (...words: string[]): Promise<string> =>
    (await run('virsh', ['--quiet', '--connect', 'qemu:///system', ...words], { timeout: 60_000 })).stdout
const lines = async (...words: string[]) =>
    (await virsh(...words))
        .split('\n')
        .map(line => line.trim())
        .filter(Boolean)

/** Networks by UUID: whether each ran before DebVisor was first started here. */
type Before = Record<string, { active: boolean }>

const beforePath = (state: string) => join(state, 'before.json')

/** Notes once which networks there are and run, so that `make clean-run` knows what DebVisor found. */
export async function noteBefore(state: string): Promise<void> {
    if (existsSync(beforePath(state))) return
    const active = new Set(await lines('net-list', '--uuid'))
    const all = await lines('net-list', '--all', '--uuid')
    const before: Before = Object.fromEntries(all.map(uuid => [uuid, { active: active.has(uuid) }]))
    writeFileSync(beforePath(state), JSON.stringify(before), { mode: 0o600 })
}

/** Names of the networks that were made through DebVisor, by the audit record in the state folder. */
export function networksMadeHere(state: string): Set<string> {
    const folder = join(state, 'audit')
    const files = existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.jsonl')) : []
    const records = files.flatMap(name => readFileSync(join(folder, name), 'utf8').split('\n')).flatMap(recordIn)
    // A dry run leaves a record too, but begins no task.
    const begun = new Set(records.filter(({ result, task }) => result === 'done' && task).map(({ closes }) => closes))
    const made = records.filter(({ number, what }) => what === 'network.Create' && begun.has(number))
    return new Set(made.map(({ onName }) => onName))
}

interface AuditLine {
    number: number
    what: string
    onName: string
    result: string
    closes: number
    task: string
}

function recordIn(line: string): AuditLine[] {
    try {
        return [JSON.parse(line)]
    } catch {
        return []
    }
}

const entities: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'" }
const plain = (text: string) => text.replace(/&(amp|lt|gt|quot|apos);/g, entity => entities[entity]!)

/** How a domain stands to the state folder; `elsewhere` are its disks that would stay. */
export function claimOn(xml: string, state: string, pools: readonly string[]): { ours: boolean; elsewhere: string[] } {
    const disks = [...xml.matchAll(/<disk\b[^>]*>[\s\S]*?<\/disk>/g)].map(([text]) => text)
    const sourceOf = (disk: string) => {
        const source = /<source\b[^>]*>/.exec(disk)?.[0] ?? ''
        const path = / (?:file|dev|dir|name|volume)=(['"])(.*?)\1/.exec(source)?.[2]
        const pool = / pool=(['"])(.*?)\1/.exec(source)?.[2]
        return path === undefined ? undefined : { path: plain(path), pool: pool && plain(pool) }
    }
    const isHere = ({ path, pool }: { path: string; pool?: string }) =>
        pool === undefined ? path.startsWith(`${state}/`) : pools.includes(pool)
    const sources = disks.flatMap(disk => {
        const source = sourceOf(disk)
        return source ? [{ ...source, isDisk: !/ device=['"](cdrom|floppy)['"]/.test(disk) }] : []
    })
    const elsewhere = sources.filter(source => source.isDisk && !isHere(source)).map(({ path }) => path)
    return { ours: plain(xml).includes(`${state}/`) || sources.some(isHere), elsewhere }
}

/** What was done, and what stays with the reason and the command; sentences. */
export interface Report {
    removed: string[]
    stays: string[]
}

/** Removes what libvirt knows of the state folder. No guest may run on it. Disks outside of it are never touched. */
export async function removeBelongings(state: string): Promise<Report> {
    const report: Report = { removed: [], stays: [] }
    const pools = await poolsIn(state)
    await removeVms(state, [...pools.values()], report)
    const active = await lines('pool-list', '--uuid')
    for (const [uuid, name] of pools) {
        if (active.includes(uuid)) await virsh('pool-destroy', uuid)
        await virsh('pool-undefine', uuid)
        report.removed.push(`the storage pool '${name}', which was in the state folder`)
    }
    await removeNetworks(state, report)
    return report
}

/** Names of the pools in the folder, by UUID. */
async function poolsIn(state: string): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    for (const uuid of await lines('pool-list', '--all', '--uuid')) {
        const xml = await virsh('pool-dumpxml', uuid)
        const path = /<path>(.*?)<\/path>/.exec(xml)?.[1]
        if (path && `${plain(path)}/`.startsWith(`${state}/`)) found.set(uuid, nameIn(xml))
    }
    return found
}

const nameIn = (xml: string) => plain(/<name>(.*?)<\/name>/.exec(xml)?.[1] ?? '')

async function removeVms(state: string, pools: string[], { removed, stays }: Report): Promise<void> {
    for (const uuid of await lines('list', '--all', '--uuid')) {
        const xml = await virsh('dumpxml', '--inactive', uuid)
        const name = nameIn(xml)
        const { ours, elsewhere } = claimOn(xml, state, pools)
        if (!ours) continue
        if (elsewhere.length > 0) {
            stays.push(
                `the VM '${name}', whose disk ${elsewhere[0]} lies elsewhere; what it had in the state folder is gone` +
                    ' (its display has its socket there: virsh edit)',
            )
            continue
        }
        const flags = ['--nvram', '--tpm', '--managed-save', '--snapshots-metadata', '--checkpoints-metadata']
        await virsh('undefine', uuid, ...flags)
        removed.push(`the VM '${name}' with its firmware variables, TPM and saved memory; its disks were here`)
    }
}

async function removeNetworks(state: string, { removed, stays }: Report): Promise<void> {
    const before: Before = existsSync(beforePath(state)) ? JSON.parse(readFileSync(beforePath(state), 'utf8')) : {}
    const made = networksMadeHere(state)
    const running = new Set(await lines('net-list', '--uuid'))
    for (const uuid of await lines('net-list', '--all', '--uuid')) {
        const name = nameIn(await virsh('net-dumpxml', uuid))
        const isMade = !before[uuid] && made.has(name)
        const isWoken = before[uuid]?.active === false && running.has(uuid)
        if (!isMade && !isWoken) continue
        const users = await usersOf(name, isMade)
        if (users.length > 0) {
            const undo = isMade ? `net-undefine ${name}` : `net-destroy ${name}`
            stays.push(`the network '${name}', which ${users.join(', ')} use; to remove it later: virsh ${undo}`)
            continue
        }
        if (running.has(uuid)) await virsh('net-destroy', uuid)
        if (isMade) await virsh('net-undefine', uuid)
        removed.push(isMade ? `the network '${name}'` : `'${name}' from the running networks: it did not run before`)
    }
}

/** VMs on a network: those that run, and with `all` those that would run on it. */
async function usersOf(network: string, all: boolean): Promise<string[]> {
    const found: string[] = []
    for (const uuid of await lines('list', '--uuid', ...(all ? ['--all'] : []))) {
        const xml = await virsh('dumpxml', uuid)
        const sources = xml.match(/<source\b[^>]*\bnetwork=(['"])(.*?)\1/g) ?? []
        if (sources.some(source => plain(/ network=(['"])(.*?)\1/.exec(source)![2]!) === network))
            found.push(nameIn(xml))
    }
    return found
}
