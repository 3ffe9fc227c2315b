// How rootd is told what it needs: options of its command line, each with the default of an installed node.
import { parseArgs } from 'node:util'
import { Fault } from '../../base/fault.ts'
import { EXPOSED_FILE } from '../../capabilities/firewall/rules.ts'

export interface Settings {
    /** Where it listens when systemd hands it no socket. */
    socketPath: string
    group: string
    /** State folder of rpcd: there is the copy of identity. */
    stateFolder: string
    /** Ports of containers that are open; the rules of the firewall load it. */
    exposedFile: string
    /** A system below a folder instead of the running one; empty for that. */
    root: string
    logLevel: string
}

const OPTIONS = {
    socket: { type: 'string', default: '/run/debvisor-rootd.sock' },
    group: { type: 'string', default: 'debvisor-rpc' },
    state: { type: 'string', default: '/var/lib/debvisor' },
    exposed: { type: 'string', default: EXPOSED_FILE },
    root: { type: 'string', default: '' },
    'log-level': { type: 'string', default: 'info' },
} as const

/** @throws Fault `invalid` for what is not an option, with the ones there are */
export function settingsOf(argv: readonly string[]): Settings {
    try {
        const { values } = parseArgs({ args: [...argv], options: OPTIONS, strict: true })
        const { socket, group, state, root, exposed } = values
        return {
            socketPath: socket,
            group,
            stateFolder: state,
            exposedFile: exposed,
            root,
            logLevel: values['log-level'],
        }
    } catch (cause) {
        throw new Fault('invalid', {
            summary: 'The command line of debvisor-rootd is wrong',
            detail: cause instanceof Error ? cause.message : String(cause),
            fix: `It takes --${Object.keys(OPTIONS).join(', --')}.`,
            cause,
        })
    }
}
