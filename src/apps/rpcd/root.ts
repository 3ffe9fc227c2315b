// The way to debvisor-rootd: calls over its Unix socket. Whether it is there shows with each call.
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import type { RootService } from '../../capabilities/node/configure.ts'
import { RootdService } from '../../gen/proto/apps/rootd/rootd_pb.js'

export const rootClient = (socketPath: string): RootService =>
    createClient(
        RootdService,
        createConnectTransport({ baseUrl: 'http://localhost', httpVersion: '1.1', nodeOptions: { socketPath } }),
    )
