// rpcd with the panel: starts it, waits for its one line, and asks it for a fresh link of the first login.
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { root } from '../stages.ts'
import { reachableUrl } from './address.ts'
import type { Etcd } from './etcd.ts'
import { keepRunning, type Service } from './supervise.ts'
import { unitPrefix } from './systemd.ts'

/** What the line says that rpcd prints when it listens. */
export interface Ready {
    url: string
    fingerprint: string
}

interface RpcdOptions {
    state: string
    listen: string
    libvirtSocket: string
    etcd: Etcd
    accel: 'kvm' | 'tcg'
    /** Folders that images may be imported from by path. */
    importFolders: string[]
    /** Networks that images are never fetched from. */
    refusedNetworks: string[]
    asUnit: boolean
    onEnd: (how: string) => void
    /** Called each time it listens again after it ended: the links that it gave before are no good any more. */
    onAgain: (ready: Ready) => void
    signal?: AbortSignal
}

export const socketOf = (state: string): string => join(state, 'rpcd.sock')

/** Starts rpcd and resolves with its line; rejects when it ends first, is called off, or says nothing for half a minute. */
export async function startRpcd(options: RpcdOptions): Promise<{ service: Service; ready: Ready }> {
    const { state, etcd } = options
    const logPath = join(state, 'log/rpcd.log')
    let heard: (ready: Ready) => void = () => {}
    let ended: (trouble: Error) => void = () => {}
    const first = new Promise<Ready>((resolve, reject) => {
        heard = resolve
        ended = reject
    })
    let isUp = false
    const service = keepRunning({
        name: 'rpcd',
        argv: [
            ...[process.execPath, '--enable-source-maps', join(root, 'dist/rpcd.mjs'), '--state', state],
            ...['--audit', join(state, 'audit'), '--pki', join(state, 'pki'), '--pool', join(state, 'images')],
            ...['--listen', options.listen, '--libvirt', options.libvirtSocket, '--etcd', etcd.endpoint],
            ...['--etcd-ca', etcd.caPath, '--etcd-cert', etcd.certPath, '--etcd-key', etcd.keyPath],
            ...['--catalogue', join(root, 'deploy/compose')],
            // A rootd of this machine would be another node's than that of this state folder.
            ...['--rootd', join(state, 'rootd.sock')],
            ...['--accel', options.accel, '--socket', socketOf(state), '--panel', join(root, 'dist/panel')],
            ...options.importFolders.flatMap(folder => ['--import-folder', folder]),
            ...options.refusedNetworks.flatMap(network => ['--refuse-network', network]),
        ],
        logPath,
        unit: options.asUnit ? `${unitPrefix}rpcd` : undefined,
        onLine: line => {
            const ready = readyLine(line)
            if (!ready) return false
            if (isUp) options.onAgain(ready)
            isUp = true
            heard(ready)
            return true
        },
        onEnd: how => (isUp ? options.onEnd(how) : ended(new Error(`rpcd ended (${how}):\n${lastLines(logPath)}`))),
    })
    const calledOff = () => ended(new Error('interrupted'))
    options.signal?.addEventListener('abort', calledOff)
    const late = setTimeout(() => ended(new Error(`rpcd did not say that it listens; see ${logPath}`)), 30_000)
    try {
        return { service, ready: await first }
    } catch (trouble) {
        await service.stop()
        throw trouble
    } finally {
        clearTimeout(late)
        options.signal?.removeEventListener('abort', calledOff)
    }
}

function lastLines(path: string): string {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-6).join('\n')
}

function readyLine(line: string): Ready | undefined {
    if (!line.startsWith('{"ready":true')) return undefined
    const { url, fingerprint } = JSON.parse(line) as Ready
    return { url: reachableUrl(url), fingerprint }
}

/** A fresh link for the first login; 'done' when an administrator exists, 'silent' when rpcd gives no answer. */
export function freshLink(state: string, url: string): Promise<URL | 'done' | 'silent'> {
    return new Promise(resolve => {
        const asked = request({
            socketPath: socketOf(state),
            path: '/debvisor.identity.v1.IdentityService/NewFirstLogin',
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            timeout: 5_000,
        })
        asked.once('response', answer => {
            let text = ''
            answer.on('data', chunk => {
                text += chunk
            })
            answer.once('end', () => {
                const { path, code } = parsed(text)
                if (path) resolve(new URL(path, url))
                else resolve(code === 'failed_precondition' || code === 'already_exists' ? 'done' : 'silent')
            })
        })
        asked.once('error', () => resolve('silent'))
        asked.once('timeout', () => asked.destroy())
        asked.end('{}')
    })
}

function parsed(text: string): { path?: string; code?: string } {
    try {
        return JSON.parse(text) as { path?: string; code?: string }
    } catch {
        return {}
    }
}
