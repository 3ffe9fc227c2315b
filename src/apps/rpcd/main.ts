// debvisor-rpcd: takes its lock, makes the parts, listens, says that it is ready, and ends cleanly when asked to.
import { asFault } from '../../base/fault.ts'
import { openCertificates } from '../../capabilities/certificate/store.ts'
import { TASKS_END_MS } from '../../engine/tasks.ts'
import { pinoLog, realClock, realSystem } from '../../ports/real.ts'
import { handlerOf, listenLocal, listenTls } from './listen.ts'
import { checkNobodyAt, lockFolders } from './lock.ts'
import { settingsOf } from './settings.ts'
import { panelFiles } from './static.ts'
import { wire } from './wire.ts'

/** What hangs must not keep a service manager waiting; tasks get their time first. */
const END_MS = TASKS_END_MS + 3_000

async function main(): Promise<void> {
    const settings = settingsOf(process.argv.slice(2))
    const log = pinoLog({ level: settings.logLevel })
    const clock = realClock()
    const system = realSystem()
    process.on('unhandledRejection', thrown => log.error('a promise was rejected and nobody looked', { err: thrown }))

    // Before anything is read or made: a second daemon would take back what the first one is doing.
    await lockFolders([settings.stateFolder, settings.auditFolder], system)
    await checkNobodyAt(settings.socketPath)
    const certificates = await openCertificates(settings.pkiFolder, { system, clock, log })
    const daemon = await wire({ settings, certificates, system, clock, log })
    let begin = () => {}
    const ready = new Promise<void>(resolve => {
        begin = resolve
    })
    const handler = handlerOf({ ...daemon, ready, files: panelFiles(settings.panelFolder, system), log })
    const tls = await listenTls(settings.listen, certificates.current(), handler)
    certificates.onChange(tls.show)
    await system.remove(settings.socketPath)
    const local = await listenLocal(settings.socketPath, handler, daemon.root)

    const stop = async (signal: string) => {
        log.info('ending', { signal })
        setTimeout(() => process.exit(1), END_MS).unref()
        try {
            await Promise.all([tls.close(), local.close()])
            await daemon.close()
            process.exit(0)
        } catch (thrown) {
            log.error('it could not end cleanly', { err: thrown })
            process.exit(1)
        }
    }
    process.once('SIGTERM', () => void stop('SIGTERM'))
    process.once('SIGINT', () => void stop('SIGINT'))

    await daemon.start()
    begin()

    // The link of the first login is a secret and this line may end in a journal: root asks for one over the socket.
    process.stdout.write(
        `${JSON.stringify({ ready: true, url: tls.url, fingerprint: certificates.current().fingerprint })}\n`,
    )
    log.info('ready', { url: tls.url, socket: settings.socketPath })
}

main().catch(thrown => {
    const { summary, detail, fix } = asFault(thrown)
    process.stderr.write(`debvisor-rpcd: ${summary}${detail ? `: ${detail}` : ''}\n${fix ? `${fix}\n` : ''}`)
    process.exit(1)
})
