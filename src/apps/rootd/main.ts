// debvisor-rootd: the small service that changes the node, as root, for debvisor-rpcd and nobody else.
import { asFault } from '../../base/fault.ts'
import { checks, documentSchema, kit, resources, sample, titles } from '../../capabilities/table.provision.ts'
import { createProvision } from '../../engine/provision.ts'
import { jsonSchemaOf } from '../../engine/sample.ts'
import { pinoLog, realClock, realSystem, rootedSystem } from '../../ports/real.ts'
import { settingsOf } from './settings.ts'
import { startRootd } from './start.ts'

async function main(): Promise<void> {
    const settings = settingsOf(process.argv.slice(2))
    const log = pinoLog({ level: settings.logLevel })
    const clock = realClock()
    const machine = realSystem()
    process.on('unhandledRejection', thrown => log.error('a promise was rejected and nobody looked', { err: thrown }))
    const touch = settings.root
        ? { phase: 'image' as const, root: rootedSystem(settings.root), machine }
        : { phase: 'boot' as const, root: machine, machine }
    const rootd = await startRootd({
        ...{ settings, system: machine, clock, log, titles },
        provision: createProvision({
            ...{ schema: documentSchema, checks, resources, kit, touch, clock, pid: process.pid },
        }),
        draft: profile => sample(machine, profile),
        schema: jsonSchemaOf(documentSchema),
    })
    const stop = async (signal: string) => {
        log.info('ending', { signal })
        await rootd.close()
        process.exit(0)
    }
    process.once('SIGTERM', () => void stop('SIGTERM'))
    process.once('SIGINT', () => void stop('SIGINT'))
    log.info('ready', {})
}

main().catch(thrown => {
    const { summary, detail, fix } = asFault(thrown)
    process.stderr.write(`debvisor-rootd: ${summary}${detail ? `: ${detail}` : ''}\n${fix ? `${fix}\n` : ''}`)
    process.exit(1)
})
