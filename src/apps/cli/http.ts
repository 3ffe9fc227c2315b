// Plain HTTP to the node, for what is no call: the bytes of uploads and downloads, and WebSockets.
import http from 'node:http'
import https from 'node:https'
import type { Readable } from 'node:stream'
import WebSocket from 'ws'
import { Fault, type FaultCode } from '../../base/fault.ts'
import type { Target } from './connect.ts'

export interface Exchange {
    method: string
    path: string
    headers?: Record<string, string>
    body?: Uint8Array
    /** Sent as it comes, instead of a body; its length stands in the headers. */
    stream?: Readable
    signal?: AbortSignal
}

const options = (target: Target) =>
    'socket' in target
        ? { socketPath: target.socket, host: 'localhost' }
        : {
              ...(target.certificate ? { ca: target.certificate, checkServerIdentity: () => undefined } : {}),
              headers: { authorization: `Bearer ${target.token}` },
          }

/** Sends one request; the answer's body is left to be read. @throws the node's Fault for a status of 400 and above */
export function exchange(
    target: Target,
    { method, path, headers, body, stream, signal }: Exchange,
): Promise<http.IncomingMessage> {
    const base = options(target)
    const how = { ...base, method, signal, headers: { ...('headers' in base ? base.headers : {}), ...headers } }
    return new Promise((resolve, reject) => {
        const answer = (response: http.IncomingMessage) => {
            if ((response.statusCode ?? 500) < 400) return resolve(response)
            textOf(response).then(text => reject(faultFrom(text, response.statusCode ?? 500)), reject)
        }
        const request =
            'socket' in target
                ? http.request({ ...how, path }, answer)
                : https.request(new URL(path, target.server), how, answer)
        request.on('error', reject)
        if (!stream) return void request.end(body)
        stream.once('error', reject)
        stream.pipe(request)
    })
}

async function textOf(stream: Readable): Promise<string> {
    let text = ''
    for await (const chunk of stream) text += chunk
    return text
}

function faultFrom(text: string, status: number): Fault {
    try {
        const { code, summary, detail, fix, at } = JSON.parse(text)
        return new Fault(code as FaultCode, { summary, detail, fix, at })
    } catch {
        return new Fault('internal', { summary: 'The node refused', detail: `status ${status}` })
    }
}

/** Opens a WebSocket with its subprotocols. */
export function openSocket(target: Target, path: string, protocols: string[]): Promise<WebSocket> {
    const socket =
        'socket' in target
            ? new WebSocket(`ws+unix:${target.socket}:${path}`, protocols)
            : new WebSocket(new URL(path, target.server.replace(/^http/, 'ws')), protocols, options(target))
    return new Promise((resolve, reject) => {
        socket.once('open', () => resolve(socket))
        socket.once('unexpected-response', (_request, response) => {
            textOf(response).then(text => reject(faultFrom(text, response.statusCode ?? 500)), reject)
        })
        socket.once('error', cause =>
            reject(
                new Fault('unavailable', {
                    summary: 'The console cannot be opened',
                    detail: cause.message,
                    fix: 'Try again.',
                    cause,
                }),
            ),
        )
    })
}
