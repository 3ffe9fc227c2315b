// Makes a rootd of its parts and listens; what a document may say is handed in.
import { expose } from '../../capabilities/firewall/exposed.ts'
import { createAttempts } from '../../capabilities/identity/attempts.ts'
import { createPasswords } from '../../capabilities/identity/password.ts'
import { COPY_FILE, personIn } from '../../capabilities/identity/person.ts'
import type { Clock, Log, System } from '../../ports/ports.ts'
import { createConfirmations } from './confirm.ts'
import { isHanded, listen } from './listen.ts'
import { createRootd, type RootdDeps } from './service.ts'
import type { Settings } from './settings.ts'
import { createShells } from './shell.ts'

interface Deps extends Pick<RootdDeps, 'provision' | 'draft' | 'schema' | 'titles'> {
    settings: Settings
    system: System
    clock: Clock
    log: Log
}

/** Answers how it is ended: what runs stops between two steps first. */
export async function startRootd({ settings, system, ...deps }: Deps): Promise<{ close(): Promise<void> }> {
    const { clock } = deps
    const copy = `${settings.stateFolder}/${COPY_FILE}`
    const confirmations = createConfirmations({
        personOf: async name => personIn((await system.readText(copy)) ?? '', name),
        passwords: createPasswords(),
        attempts: createAttempts(clock, () => false),
        clock,
    })
    const shells = createShells({ system, clock, log: deps.log })
    const rootd = createRootd({
        ...{ ...deps, machine: system, confirmations, shells },
        expose: ports => expose(system, ports, settings.exposedFile),
    })
    const where = isHanded(process.env, process.pid)
        ? { handed: true as const }
        : { path: settings.socketPath, group: settings.group }
    const listening = await listen(where, { routes: rootd.routes, upgrade: shells.upgrade }, system)
    return {
        async close() {
            shells.close()
            await rootd.close()
            await listening.close()
        },
    }
}
