// The way to debvisor-rootd: calls over its Unix socket. Whether it is there shows with each call.
import { request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { Fault } from '../../base/fault.ts'
import type { RootService } from '../../capabilities/node/configure.ts'
import { RootdService } from '../../gen/proto/apps/rootd/rootd_pb.js'

export const rootClient = (socketPath: string): RootService =>
    createClient(
        RootdService,
        createConnectTransport({ baseUrl: 'http://localhost', httpVersion: '1.1', nodeOptions: { socketPath } }),
    )

/** A connection to rootd that is the terminal of a shell from now on (rootd/shell.ts). @throws Fault `unavailable`, `denied` */
export function rootUpgrade(socketPath: string, ticket: string): Promise<Duplex> {
    return new Promise((resolve, reject) => {
        const asked = httpRequest({
            ...{ socketPath, path: '/shell', agent: false },
            headers: {
                host: 'localhost',
                connection: 'Upgrade',
                upgrade: 'debvisor-shell',
                'x-debvisor-ticket': ticket,
            },
        })
        asked.once('upgrade', (_response, socket, head) => {
            if (head.length > 0) socket.unshift(head)
            resolve(socket)
        })
        asked.once('response', response => {
            response.resume()
            reject(new Fault('denied', { summary: 'The shell was not opened', fix: 'Open it again.' }))
        })
        asked.once('error', cause =>
            reject(
                new Fault('unavailable', {
                    summary: 'The root service of this node does not run',
                    detail: socketPath,
                    fix: 'On the node: systemctl start debvisor-rootd.socket',
                    cause,
                }),
            ),
        )
        asked.end()
    })
}
