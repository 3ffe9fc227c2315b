// The byte stream of a VNC server: a Unix socket, or a local TCP port for domains that others made with one.
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { Fault } from '../../base/fault.ts'

export type VncAddress = { path: string } | { host: string; port: number }

/** Connects. @throws Fault `denied` when the socket is closed to this user, `unavailable` when nothing listens */
export function connectVnc(address: VncAddress, deadlineMs = 5000): Promise<Duplex> {
    const where = 'path' in address ? address.path : `${address.host}:${address.port}`
    return new Promise((resolve, reject) => {
        const socket = net.connect(address)
        const timer = setTimeout(
            () => socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
            deadlineMs,
        )
        socket.once('connect', () => {
            clearTimeout(timer)
            socket.off('error', failed)
            socket.setNoDelay(true)
            resolve(socket)
        })
        const failed = (cause: NodeJS.ErrnoException) => {
            clearTimeout(timer)
            const denied = cause.code === 'EACCES' || cause.code === 'EPERM'
            reject(
                new Fault(denied ? 'denied' : 'unavailable', {
                    summary: denied
                        ? 'The display of the VM is closed to DebVisor'
                        : 'The display of the VM does not answer',
                    detail: `${where}: ${cause.code}`,
                    fix: denied
                        ? 'Give the VM a VNC display on a socket in the folder of DebVisor, or a free listen address.'
                        : 'See whether the VM still runs, and try again.',
                    cause,
                }),
            )
        }
        socket.once('error', failed)
    })
}
