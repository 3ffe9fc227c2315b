// What the daemon takes from a capability once it is made: its services, its web routes, and how it starts and ends.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ConnectRouter } from '@connectrpc/connect'
import type { Caller } from './caller.ts'

export interface Route {
    /** Such as `/upload/`: the path begins with it. */
    prefix: string
    /** What it serves and how it is guarded, for the log and the reference page. */
    summary: string
    /** A plain HTTP exchange; `caller` is who the cookie or token says, or nobody. Faults become JSON problems. */
    handle?(request: IncomingMessage, response: ServerResponse, caller: Caller): Promise<void>
    /** A WebSocket: gets the raw upgrade. */
    upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer, caller: Caller): Promise<void>
}

export interface Capability {
    name: string
    services?(router: ConnectRouter): void
    routes?: Route[]
    /** After all are made. */
    start?(): Promise<void>
    close?(): Promise<void>
}
