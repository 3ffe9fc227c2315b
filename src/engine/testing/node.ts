// A node in memory for tests: files, packages and units that answer systemctl, dpkg and apt-get as Debian's would.
import { type FakeSystem, type FakeTool, fakeSystem } from '../../ports/fake.ts'
import type { ToolRun } from '../../ports/ports.ts'
import type { Touch } from '../resource.ts'

export interface SimulatedUnit {
    enabled: boolean
    active: boolean
    masked?: boolean
    failed?: boolean
    /** It failed too often in a row, and systemd refuses to start it. */
    limited?: boolean
    /** How often it was started, restarted or reloaded. */
    starts?: number
}

export interface SimulatedNode {
    touch: Touch
    system: FakeSystem
    packages: Set<string>
    units: Map<string, SimulatedUnit>
    /** Units that come with a package, and start with it as Debian's do. */
    brings: Map<string, string[]>
    /** Called before each tool that changes something; a throw is the power going. */
    onTouch: (argv: readonly string[]) => void
}

export interface NodeOptions {
    files?: Record<string, string>
    /** Of files and folders; 0644 and 0755 unless told. */
    modes?: Record<string, number>
    packages?: readonly string[]
    units?: Record<string, SimulatedUnit>
    brings?: Record<string, string[]>
    tools?: FakeTool[]
}

const PASSWD =
    'root:x:0:0:root:/root:/bin/bash\nceph:x:64045:64045::/var/lib/ceph:/usr/sbin/nologin\n' +
    'debvisor-rpc:x:990:990::/:/usr/sbin/nologin\n'

/** A Debian with the given things; everything may be written. */
export function simulatedNode(options: NodeOptions = {}): SimulatedNode {
    const packages = new Set(options.packages ?? [])
    const units = new Map(Object.entries(options.units ?? {}).map(([name, unit]) => [name, { starts: 0, ...unit }]))
    const brings = new Map(Object.entries(options.brings ?? {}))
    const unitOf = (name: string) => {
        const unit = units.get(name) ?? { enabled: false, active: false, starts: 0 }
        units.set(name, unit)
        return unit
    }
    const is = (program: string, verb?: string) => (argv: readonly string[]) =>
        argv[0] === program && (verb === undefined || argv[1] === verb)
    const after = (argv: readonly string[]) => argv.slice(argv.indexOf('--') + 1)

    const show = ({ argv }: ToolRun) => ({
        stdout: after(argv)
            .map(name => {
                const unit = units.get(name)
                const state = unit?.failed ? 'failed' : unit?.active ? 'active' : 'inactive'
                const load = unit?.masked ? 'masked' : unit ? 'loaded' : 'not-found'
                const file = unit?.masked ? 'masked' : unit?.enabled ? 'enabled' : 'disabled'
                return `Id=${name}\nNames=${name}\nLoadState=${load}\nActiveState=${state}\nUnitFileState=${file}`
            })
            .join('\n\n'),
    })
    const act = ({ argv }: ToolRun) => {
        node.onTouch(argv)
        const [, verb = '', , name = ''] = argv
        if (verb === 'daemon-reload') return {}
        if (verb === 'reset-failed') {
            const failed = units.get(name)
            if (failed) failed.limited = false
            return { exitCode: failed ? 0 : 1 }
        }
        const unit = unitOf(name)
        if (unit.limited && (verb === 'start' || verb === 'restart')) return { exitCode: 1 }
        if (verb === 'enable') unit.enabled = true
        if (verb === 'disable') unit.enabled = false
        if (verb === 'mask') unit.masked = true
        if (verb === 'unmask') unit.masked = false
        if (verb === 'stop') unit.active = false
        if (verb === 'start' || verb === 'restart' || verb === 'reload') {
            Object.assign(unit, { active: true, failed: false, starts: (unit.starts ?? 0) + 1 })
        }
        return {}
    }
    const install = ({ argv }: ToolRun) => {
        node.onTouch(argv)
        for (const name of after(argv)) {
            packages.add(name)
            for (const unit of brings.get(name) ?? []) Object.assign(unitOf(unit), { enabled: true, active: true })
        }
        return {}
    }
    const tools: FakeTool[] = [
        {
            argv: is('dpkg-query'),
            answer: ({ argv }) => {
                const known = argv.slice(4).filter(name => packages.has(name))
                const stdout = known.map(name => `${name}\tinstalled\n`).join('')
                return { stdout, exitCode: known.length === argv.length - 4 ? 0 : 1 }
            },
        },
        { argv: is('systemctl', 'show'), answer: show },
        {
            argv: is('systemctl', 'is-active'),
            answer: ({ argv }) => ({ exitCode: units.get(argv.at(-1)!)?.active ? 0 : 3 }),
        },
        { argv: is('systemctl'), answer: act },
        { argv: is('dpkg', '--configure'), answer: {} },
        { argv: argv => argv[0] === 'apt-get' && argv.includes('update'), answer: {} },
        { argv: argv => argv[0] === 'apt-get' && argv.includes('install'), answer: install },
        ...(options.tools ?? []),
    ]
    const files = { '/etc/passwd': PASSWD, '/etc/group': PASSWD.replace(/:\/.*$/gm, ''), ...options.files }
    const fake = fakeSystem({ files, tools, writable: ['/etc', '/var', '/run', '/srv', '/usr', '/root', '/home'] })
    for (const [path, mode] of Object.entries(options.modes ?? {})) {
        if (!fake.files.has(path)) fake.files.set(path, null)
        fake.modes.set(path, mode)
    }
    const system: FakeSystem = {
        ...fake,
        writeFile: async (path, data, mode) => {
            node.onTouch(['write', path])
            await fake.writeFile(path, data, mode)
        },
    }
    const node: SimulatedNode = {
        ...{ system, packages, units, brings },
        touch: { phase: 'boot', root: system, machine: system },
        onTouch: () => {},
    }
    return node
}
