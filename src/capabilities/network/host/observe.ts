// Looks at the network of the host: its cards, what NetworkManager has, which files there are, and who answers.
import { LOOK_MS } from '../../../base/look.ts'
import type { Look } from '../../../engine/resource.ts'
import type { Probe } from '../../../ports/ports.ts'
import { type HostLink, readLinks } from '../links.ts'
import { seeOpenChange } from './checkpoint.ts'
import { LINK_FOLDER, nameOfLink } from './names.ts'
import { seeManager, type Told } from './nmcli.ts'
import { isOurs } from './profiles.ts'

export const ETC_FOLDER = '/etc/NetworkManager/system-connections'
export const RUN_FOLDER = '/run/NetworkManager/system-connections'

export interface ProfileFile {
    content: string
    /** NetworkManager reads only what root alone can read. */
    closed: boolean
}

export interface HostSeen {
    /** A tree that is being made: nothing runs in it. */
    offline: boolean
    links: readonly HostLink[]
    /** Names of cards. */
    cards: readonly string[]
    /** Slots of cards, as udev names them. */
    paths: Readonly<Record<string, string>>
    /** Ways to everywhere, the best first. */
    routes: readonly { device: string; gateway?: string }[]
    /** Undefined where NetworkManager does not run. */
    manager?: Told
    openChange: boolean
    /** Profiles of ours by the names of their files: at boot, and in memory. */
    etc: Readonly<Record<string, ProfileFile>>
    run: Readonly<Record<string, ProfileFile>>
    /** Names of cards that are pinned, and the file that does it. */
    pins: Readonly<Record<string, string>>
    /** Interfaces that ifupdown is told to look after. */
    ifupdown: readonly string[]
}

/** Without what NetworkManager does now: enough to know which cards are meant. */
export const seeCards = (look: Look): Promise<HostSeen> => see(look, true)

/** All but who answers: that takes its time, and is asked only before a change. */
export const seeHost = (look: Look): Promise<HostSeen> => see(look, look.phase === 'image')

async function see({ phase, root, machine }: Look, quiet: boolean): Promise<HostSeen> {
    const offline = phase === 'image'
    const [links, names, routes, manager, openChange, etc, run, pins, ifupdown] = await Promise.all([
        readLinks(machine),
        machine.list('/sys/class/net'),
        seeRoutes(machine),
        quiet ? undefined : seeManager(machine),
        quiet ? false : seeOpenChange(machine),
        seeFiles(root, ETC_FOLDER),
        offline ? {} : seeFiles(machine, RUN_FOLDER),
        seePins(root),
        seeIfupdown(root),
    ])
    const cards: string[] = []
    const paths: Record<string, string> = {}
    for (const name of names) {
        if (!(await machine.resolve(`/sys/class/net/${name}/device`))) continue
        if (await machine.look(`/sys/class/net/${name}/phy80211`)) continue
        cards.push(name)
        const index = links.find(link => link.name === name)?.index
        const path = /^E:ID_PATH=(.*)$/m.exec((await machine.readText(`/run/udev/data/n${index}`)) ?? '')?.[1]
        if (path) paths[name] = path
    }
    return { offline, links, cards, paths, routes, manager, openChange, etc, run, pins, ifupdown }
}

interface IpRoute {
    dev?: string
    gateway?: string
    metric?: number
}

async function seeRoutes(machine: Probe): Promise<HostSeen['routes']> {
    const ask = async (family: string) => {
        const argv: [string, ...string[]] = ['ip', family, '-json', 'route', 'show', 'default']
        const { stdout, exitCode } = await machine.query({ argv, deadlineMs: LOOK_MS })
        const told = exitCode === 0 ? (JSON.parse(stdout.trim() || '[]') as IpRoute[]) : []
        return told.toSorted((one, other) => (one.metric ?? 0) - (other.metric ?? 0))
    }
    const [four, six] = await Promise.all([ask('-4'), ask('-6')])
    return [...four, ...six].flatMap(({ dev, gateway }) =>
        dev ? [{ device: dev, ...(gateway ? { gateway } : {}) }] : [],
    )
}

async function seeFiles(probe: Probe, folder: string): Promise<Record<string, ProfileFile>> {
    const found: Record<string, ProfileFile> = {}
    for (const name of (await probe.list(folder)).filter(isOurs)) {
        const facts = await probe.look(`${folder}/${name}`)
        const content = facts?.kind === 'file' ? await probe.readText(`${folder}/${name}`) : undefined
        if (facts && content !== undefined)
            found[name] = { content, closed: (facts.mode & 0o77) === 0 && facts.uid === 0 }
    }
    return found
}

async function seePins(root: Probe): Promise<Record<string, string>> {
    const found: Record<string, string> = {}
    for (const file of await root.list(LINK_FOLDER)) {
        const name = nameOfLink(file)
        if (name) found[name] = (await root.readText(`${LINK_FOLDER}/${file}`)) ?? ''
    }
    return found
}

async function seeIfupdown(root: Probe): Promise<string[]> {
    const folder = '/etc/network/interfaces.d'
    const paths = ['/etc/network/interfaces', ...(await root.list(folder)).map(name => `${folder}/${name}`)]
    const texts = await Promise.all(paths.map(path => root.readText(path)))
    const names = texts.flatMap(text => [...(text ?? '').matchAll(/^\s*iface\s+(\S+)/gm)].map(([, name]) => name!))
    return [...new Set(names)].filter(name => name !== 'lo')
}

/** Of those addresses, who answers now; all are asked at once. */
export async function seeAnswers(machine: Probe, addresses: readonly string[]): Promise<string[]> {
    const answers = await Promise.all(
        addresses.map(async address => {
            const argv = pingArgv(address)
            const { exitCode } = await machine.query({ argv, deadlineMs: 10_000 }).catch(() => ({ exitCode: 1 }))
            return exitCode === 0
        }),
    )
    return addresses.filter((_, i) => answers[i])
}

export const PING = '/usr/bin/ping'
export const pingArgs = (address: string): string[] => ['-n', '-c', '1', '-W', '2', address]
const pingArgv = (address: string): [string, ...string[]] => [PING, ...pingArgs(address)]

/** Who is connected by SSH now. */
export async function seeOperators(machine: Probe): Promise<string[]> {
    const argv: [string, ...string[]] = ['/usr/bin/ss', '-Hnt', 'state', 'established', 'sport', '=', ':22']
    const result = await machine.query({ argv, deadlineMs: LOOK_MS }).catch(() => undefined)
    const lines = result?.exitCode === 0 ? result.stdout.split('\n') : []
    const peers = lines.flatMap(line => {
        const end = line.trim().split(/\s+/)[3] ?? ''
        return /^\[?(?:::ffff:)?([0-9a-f.:]+?)\]?:\d+$/.exec(end)?.[1] ?? []
    })
    return [...new Set(peers)].filter(address => !/^(127\.|::1$|fe80:)/.test(address))
}
