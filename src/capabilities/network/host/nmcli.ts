// nmcli: what it is asked, and what its terse lines say.
import type { Tool } from '../../../engine/kit.ts'
import type { RunStep } from '../../../engine/step.ts'
import type { Probe } from '../../../ports/ports.ts'

export const nmcliTool: Tool = { name: 'nmcli', program: '/usr/bin/nmcli', half: 'machine' }

/** A profile that NetworkManager has loaded. */
export interface Loaded {
    uuid: string
    id: string
    /** Where it was read from. */
    path: string
    /** The interface that it is active on; empty where it is not. */
    device: string
    /** `activated`, `activating`, or another; empty where it is not active. */
    state: string
}

export interface Device {
    name: string
    /** `connected`, `disconnected`, `unmanaged`, `unavailable`, and words after them. */
    state: string
}

export interface Told {
    profiles: Loaded[]
    devices: Device[]
}

async function said(probe: Probe, args: readonly string[]): Promise<string | undefined> {
    const run = { argv: [nmcliTool.program, '--terse', ...args] as [string, ...string[]], deadlineMs: 30_000 }
    const result = await probe.query(run).catch(() => undefined)
    return result?.exitCode === 0 ? result.stdout : undefined
}

/** Undefined where NetworkManager does not run. */
export async function seeManager(probe: Probe): Promise<Told | undefined> {
    const [profiles, devices] = await Promise.all([
        said(probe, ['--fields', 'UUID,NAME,FILENAME,DEVICE,STATE', 'connection', 'show']),
        said(probe, ['--fields', 'DEVICE,STATE', 'device', 'status']),
    ])
    if (profiles === undefined || devices === undefined) return undefined
    return { profiles: parseProfiles(profiles), devices: parseDevices(devices) }
}

/** Lines of `UUID:NAME:FILENAME:DEVICE:STATE`; colons and backslashes in values stand behind a backslash. */
export const parseProfiles = (text: string): Loaded[] =>
    rowsOf(text).map(([uuid = '', id = '', path = '', device = '', state = '']) => ({ uuid, id, path, device, state }))

export const parseDevices = (text: string): Device[] => rowsOf(text).map(([name = '', state = '']) => ({ name, state }))

function rowsOf(text: string): string[][] {
    return text
        .split('\n')
        .filter(Boolean)
        .map(line =>
            [...line.matchAll(/((?:\\.|[^:\\])*)(?::|$)/g)].map(([, cell = '']) => cell.replace(/\\(.)/g, '$1')),
        )
}

const run = (say: string, args: readonly string[], more: Partial<RunStep> = {}): RunStep => ({
    ...{ do: 'run', say, tool: nmcliTool.name, args, deadlineMs: 60_000 },
    ...more,
})

export const loadStep = (paths: readonly string[]) =>
    run('Let NetworkManager read the new profiles', ['connection', 'load', ...paths])

export const reloadStep = () => run('Let NetworkManager read all profiles again', ['connection', 'reload'])

/** Waits a while; that it takes longer (3) is not wrong yet: what must come is checked. */
export const upStep = (name: string, uuid: string) =>
    run(`Bring ${name} up`, ['--wait', '20', 'connection', 'up', 'uuid', uuid], { codes: [0, 3] })

/** Changes addresses and sizes without letting go of what is in it. */
export const reapplyStep = (name: string) => run(`Give ${name} its new settings`, ['device', 'reapply', name])

/** 10: it is not active any more. */
export const downStep = (name: string, uuid: string) =>
    run(`Take ${name} down`, ['connection', 'down', 'uuid', uuid], { codes: [0, 10] })
