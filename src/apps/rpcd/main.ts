// debvisor-rpcd: makes the parts, joins them, listens, says that it is ready, and ends cleanly when asked to.
import { asFault } from '../../base/fault.ts'
import { pinoLog, realClock, realSystem } from '../../ports/real.ts'
import { certificateIn } from './certificate.ts'
import { handlerOf, listenLocal, listenTls } from './listen.ts'
import { settingsOf } from './settings.ts'
import { panelFiles } from './static.ts'
import { wire } from './wire.ts'

async function main(): Promise<void> {
    const settings = settingsOf(process.argv.slice(2))
    const log = pinoLog({ level: settings.logLevel })
    const clock = realClock()
    const system = realSystem()
    process.on('unhandledRejection', thrown => log.error('a promise was rejected and nobody looked', { err: thrown }))

    const certificate = await certificateIn(settings.pkiFolder, { system, clock, log })
    const daemon = await wire({ settings, system, clock, log })
    const handler = handlerOf({ ...daemon, files: panelFiles(settings.panelFolder, system), log })
    await system.remove(settings.socketPath)
    const local = await listenLocal(settings.socketPath, handler, daemon.root)
    const tls = await listenTls(settings.listen, certificate, handler)

    const stop = async (signal: string) => {
        log.info('ending', { signal })
        // What hangs must not keep a service manager waiting.
        setTimeout(() => process.exit(1), 10_000).unref()
        await Promise.all([tls.close(), local.close()])
        await daemon.close()
        process.exit(0)
    }
    process.once('SIGTERM', () => void stop('SIGTERM'))
    process.once('SIGINT', () => void stop('SIGINT'))

    const first = await daemon.firstLogin()
    const ready = {
        ready: true,
        url: tls.url,
        fingerprint: certificate.fingerprint,
        firstLogin: first ? `${tls.url}${first.path}` : null,
    }
    process.stdout.write(`${JSON.stringify(ready)}\n`)
    log.info('ready', { url: tls.url, socket: settings.socketPath })
}

main().catch(thrown => {
    const { summary, detail, fix } = asFault(thrown)
    process.stderr.write(`debvisor-rpcd: ${summary}${detail ? `: ${detail}` : ''}\n${fix ? `${fix}\n` : ''}`)
    process.exit(1)
})
