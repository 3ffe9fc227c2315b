// NetworkManager and the kernel's links in memory: profiles are read from files, activated, and brought back by a checkpoint.
import type { SimulatedNode } from '../../../../engine/testing/node.ts'
import type { FakeTool } from '../../../../ports/fake.ts'

interface Link {
    ifname: string
    ifindex: number
    flags: string[]
    mtu: number
    address: string
    master?: string
    max_mtu?: number
    linkinfo?: { info_kind: string }
    addr_info: { family: string; local: string; prefixlen: number; scope: string; dynamic?: boolean }[]
}

interface Profile {
    uuid: string
    id: string
    path: string
    device: string
    state: string
    keys: Record<string, string>
}

interface State {
    links: Link[]
    profiles: Profile[]
    routes: { dev: string; gateway: string }[]
}

const FOLDERS = ['/etc/NetworkManager/system-connections', '/run/NetworkManager/system-connections']
/** What a case says of its machine: a State, as JSON. Kept there as it changes. */
export const STATE = '/run/simulated/network.json'
/** Addresses that answer, with the address that the machine must have for that: `10.0.0.1 10.0.0.` a line. */
export const ANSWERS = '/run/simulated/answers'

const keysOf = (text: string) => {
    const keys: Record<string, string> = {}
    let section = ''
    for (const line of text.split('\n')) {
        section = /^\[(.*)\]$/.exec(line)?.[1] ?? section
        const [, key, value] = /^([^#=]+)=(.*)$/.exec(line) ?? []
        if (key) keys[`${section}.${key}`] = value!
    }
    return keys
}

/** The tools that speak of it, and how it goes on without us. */
export function simulatedManager(host: () => SimulatedNode) {
    let held: { state: string; files: Map<string, Uint8Array | null> } | undefined
    let memory: State | undefined
    const stateOf = async (): Promise<State> => {
        memory ??= JSON.parse(
            (await host().system.readText(STATE)) ?? '{"links":[],"profiles":[],"routes":[]}',
        ) as State
        return memory
    }
    const files = () => host().system.files
    const load = (state: State) => {
        const found = new Map<string, Profile>()
        for (const folder of FOLDERS)
            for (const [path, data] of files()) {
                if (!data || !path.startsWith(`${folder}/debvisor-`)) continue
                const keys = keysOf(Buffer.from(data).toString())
                const uuid = keys['connection.uuid']!
                const before = state.profiles.find(one => one.uuid === uuid)
                found.set(uuid, {
                    ...{ uuid, id: keys['connection.id']!, path, keys },
                    ...{ device: before?.device ?? '', state: before?.state ?? '' },
                })
            }
        state.profiles = [...state.profiles.filter(one => !/\/debvisor-/.test(one.path)), ...found.values()]
    }
    const up = (state: State, profile: Profile, gently = false) => {
        const name = profile.keys['connection.interface-name']!
        for (const other of state.profiles) if (other.device === name) Object.assign(other, { device: '', state: '' })
        const kind = profile.keys['connection.type']!
        let link = state.links.find(one => one.ifname === name)
        if (!link) {
            const address = profile.keys['ethernet.cloned-mac-address'] ?? '02:00:00:00:00:01'
            const ifindex = 100 + state.links.length
            link = { ifname: name, ifindex, flags: ['UP', 'LOWER_UP'], mtu: 1500, address, addr_info: [] }
            link.linkinfo = { info_kind: kind }
            state.links.push(link)
        }
        if (kind === 'ethernet' && !link.flags.includes('LOWER_UP')) return
        Object.assign(profile, { device: name, state: 'activated' })
        link.mtu = Number(profile.keys['ethernet.mtu'] ?? 1500)
        // As the real one does when a bridge is brought up anew, and not when it is given new addresses.
        if (!gently)
            for (const port of state.links)
                if (port.master === name && port.linkinfo?.info_kind === 'tun') delete port.master
        const controller = profile.keys['connection.controller']
        const leased = profile.keys['ipv4.method'] === 'auto' ? [{ text: '10.0.2.15/24', dynamic: true }] : []
        const told = Object.entries(profile.keys).filter(([key]) => /^ipv[46]\.address\d+$/.test(key))
        link.addr_info = [...told.map(([, text]) => ({ text, dynamic: false })), ...leased].map(({ text, dynamic }) => {
            const [local = '', prefix] = text.split('/')
            const family = local.includes(':') ? 'inet6' : 'inet'
            return { family, local, prefixlen: Number(prefix), scope: 'global', ...(dynamic ? { dynamic } : {}) }
        })
        if (controller) link.master = controller
        else delete link.master
        const gateway = profile.keys['ipv4.gateway'] ?? (leased.length > 0 ? '10.0.2.2' : undefined)
        if (gateway) state.routes = [{ dev: name, gateway }]
        for (const port of state.profiles)
            if (port.keys?.['connection.controller'] === name && !port.device) up(state, port)
    }
    const cell = (text: string) => text.replace(/([:\\])/g, '\\$1')
    const nmcli = async ({ argv }: { argv: readonly string[] }) => {
        const state = await stateOf()
        const words = argv
            .filter(word => !word.startsWith('--') && !/^[A-Z-]+,/.test(word) && !/^\d+$/.test(word))
            .slice(1)
        const [about, verb, , id] = words
        const row = (cells: string[]) => cells.map(cell).join(':')
        if (verb === 'show')
            return { stdout: state.profiles.map(p => `${row([p.uuid, p.id, p.path, p.device, p.state])}\n`).join('') }
        if (verb === 'status')
            return {
                stdout: state.links
                    .map(l => `${row([l.ifname, l.ifname === 'lo' ? 'unmanaged' : 'connected'])}\n`)
                    .join(''),
            }
        host().onTouch(argv)
        if (verb === 'load' || verb === 'reload') load(state)
        if (about === 'device' && verb === 'reapply')
            up(state, state.profiles.find(one => one.device === words[2])!, true)
        if (verb === 'up') up(state, state.profiles.find(one => one.uuid === id)!)
        if (verb === 'down') {
            const profile = state.profiles.find(one => one.uuid === id)!
            state.links = state.links.filter(one => one.ifname !== profile.device || !one.linkinfo)
            Object.assign(profile, { device: '', state: '' })
        }
        return {}
    }
    const back = async () => {
        if (!held) return
        const tried = new Set(
            (await stateOf()).profiles.filter(one => one.path.startsWith('/run/')).map(one => one.uuid),
        )
        memory = JSON.parse(held.state) as State
        const [, run] = FOLDERS
        for (const path of [...files().keys()]) if (path.startsWith(`${run}/`)) files().delete(path)
        for (const [path, data] of held.files) files().set(path, data)
        // As 1.52 does: what was hidden by a try is written again, to a file that is called after its id.
        for (const profile of memory.profiles) {
            if (!tried.has(profile.uuid) || !profile.path.startsWith('/etc/')) continue
            const path = `${FOLDERS[0]}/${profile.id}-${profile.uuid}.nmconnection`
            files().set(path, files().get(profile.path)!)
            host().system.modes.set(path, 0o600)
            profile.path = path
        }
        held = undefined
    }
    const busctl = async ({ argv }: { argv: readonly string[] }) => {
        if (argv.includes('Checkpoints'))
            return { stdout: held ? 'ao 1 "/org/freedesktop/NetworkManager/Checkpoint/1"\n' : 'ao 0\n' }
        host().onTouch(argv)
        if (argv.includes('CheckpointCreate')) {
            const kept = [...files()].filter(([path]) => path.startsWith(`${FOLDERS[1]}/`))
            held = { state: JSON.stringify(await stateOf()), files: new Map(kept) }
            return { stdout: 'o "/org/freedesktop/NetworkManager/Checkpoint/1"\n' }
        }
        if (!held) return { exitCode: 1 }
        if (argv.includes('CheckpointRollback')) await back()
        held = undefined
        return {}
    }
    const ip = async ({ argv }: { argv: readonly string[] }) => {
        const { links, routes } = await stateOf()
        if (argv.includes('route')) return { stdout: argv.includes('-4') ? JSON.stringify(routes) : '[]' }
        if (argv.includes('-json')) return { stdout: JSON.stringify(links) }
        const link = links.find(one => one.ifname === argv[argv.indexOf('dev') + 1])
        if (!link) return { exitCode: 1 }
        if (argv.includes('set')) {
            host().onTouch(argv)
            link.master = argv.at(-1)!
            return {}
        }
        if (argv.includes('link')) return { stdout: `2: ${link.ifname}: <${link.flags.join(',')}> mtu ${link.mtu}\n` }
        return {
            stdout: link.addr_info
                .map(a => `2: ${link.ifname}    ${a.family} ${a.local}/${a.prefixlen} scope global\n`)
                .join(''),
        }
    }
    const ping = async ({ argv }: { argv: readonly string[] }) => {
        const { links } = await stateOf()
        const has = links.filter(one => one.flags.includes('LOWER_UP')).flatMap(one => one.addr_info.map(a => a.local))
        const lines = ((await host().system.readText(ANSWERS)) ?? '').split('\n').map(line => line.split(' '))
        const answers = lines.some(([to, from]) => to === argv.at(-1) && from && has.some(one => one.startsWith(from)))
        return { exitCode: answers ? 0 : 1 }
    }
    const is = (program: string) => (argv: readonly string[]) =>
        argv[0] === program || argv[0] === program.split('/').at(-1)
    const tools: FakeTool[] = [
        { argv: is('/usr/bin/nmcli'), answer: nmcli },
        { argv: is('/usr/bin/busctl'), answer: busctl },
        { argv: is('/usr/sbin/ip'), answer: ip },
        { argv: is('/usr/bin/ping'), answer: ping },
        { argv: is('/usr/bin/ss'), answer: {} },
    ]
    return {
        tools,
        state: stateOf,
        /** The timer of NetworkManager fires. */
        back,
        /** The power is back: what was in memory is gone, and what is written is activated. */
        async boot() {
            const state = await stateOf()
            held = undefined
            for (const path of [...files().keys()]) if (path.startsWith(`${FOLDERS[1]}/`)) files().delete(path)
            state.links = state.links.filter(one => !one.linkinfo)
            state.profiles = []
            load(state)
            for (const profile of state.profiles) up(state, profile)
        },
    }
}
