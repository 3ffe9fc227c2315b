// Fetches by http or https; whoever asks judges every address before it is connected to, redirects included.
import { lookup as resolveName } from 'node:dns/promises'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { asFault, Fault } from '../../base/fault.ts'

export interface Fetched {
    /** As the server says it; undefined when it does not. */
    sizeBytes?: number
    /** Name at the end of the last URL. */
    name: string
    chunks: AsyncIterable<Uint8Array>
    /** Lets go of the server, however much was read. */
    close(): void
}

export interface FetchOptions {
    /** Why an address may not be connected to, or undefined when it may. */
    whyRefused: (address: string) => string | undefined
    signal: AbortSignal
    /** For tests. */
    ca?: string
}

const REDIRECTS_MAX = 5
const SILENCE_MS = 60_000
const CONNECT_MS = 30_000

/** The URL as it may be shown and kept: behind `?` there may be the key of a presigned one. */
export const withoutQuery = (url: string): string => url.split(/[?#]/)[0]!

/** @throws Fault `invalid` unless it is a plain http or https URL without a password in it */
export function checkUrl(text: string, at = 'source'): URL {
    const refuse = (detail: string) =>
        new Fault('invalid', {
            summary: 'That is not a URL that can be fetched',
            detail,
            fix: 'Give https://host/path, without user and password.',
            at,
        })
    if (text.length > 4096 || !URL.canParse(text)) throw refuse(JSON.stringify(withoutQuery(text).slice(0, 120)))
    const url = new URL(text)
    if (url.protocol !== 'https:' && url.protocol !== 'http:')
        throw refuse(`the scheme is ${url.protocol.slice(0, 20)}`)
    // It would be kept in tasks and audit.
    if (url.username || url.password) throw refuse('it holds a user or a password')
    return url
}

/** The answer at the end of the redirects, its body not read yet: read it, or `close` it. */
export async function fetchUrl(text: string, options: FetchOptions): Promise<Fetched> {
    let url = checkUrl(text)
    for (let redirects = 0; ; redirects++) {
        const answer = await ask(url, options)
        const status = answer.statusCode ?? 0
        if (status >= 300 && status < 400 && answer.headers.location) {
            answer.destroy()
            if (redirects === REDIRECTS_MAX)
                throw unfetched('the server leads on and on', `more than ${REDIRECTS_MAX} redirects`)
            url = nextUrl(url, answer.headers.location)
            continue
        }
        if (status !== 200) {
            answer.destroy()
            throw unfetched('the server does not give it', `HTTP ${status} from ${url.host}`)
        }
        // Nothing but the bytes themselves was asked for: what is packed would be kept as if it were the file.
        const packed = packedAs(answer)
        if (packed) {
            answer.destroy()
            throw unfetched('the server sends it packed, though it was asked not to', packed)
        }
        const length = Number(answer.headers['content-length'] ?? Number.NaN)
        const name = url.pathname.split('/').at(-1) ?? ''
        return {
            name,
            chunks: bodyOf(answer, options.signal),
            close: () => void answer.destroy(),
            ...(Number.isSafeInteger(length) ? { sizeBytes: length } : {}),
        }
    }
}

/** How the body is encoded, or undefined when it is the file as it is. */
function packedAs(answer: IncomingMessage): string | undefined {
    const encodings = [answer.headers['content-encoding'] ?? '', answer.headers['transfer-encoding'] ?? '']
        .flatMap(header => header.split(','))
        .map(word => word.trim().toLowerCase())
        .filter(word => !['', 'identity', 'chunked'].includes(word))
    return encodings.length > 0 ? encodings.join(', ').slice(0, 80) : undefined
}

function nextUrl(from: URL, location: string): URL {
    if (!URL.canParse(location, from.href))
        throw unfetched('the server leads to no URL', JSON.stringify(withoutQuery(location).slice(0, 80)))
    const next = checkUrl(new URL(location, from.href).href)
    if (from.protocol === 'https:' && next.protocol === 'http:')
        throw unfetched('the server leads from https to http', next.host)
    return next
}

function ask(url: URL, options: FetchOptions): Promise<IncomingMessage> {
    const { whyRefused, signal, ca } = options
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const check = (address: string) => {
        const why = whyRefused(address)
        if (!why) return
        throw new Fault('denied', {
            summary: 'Nothing is fetched from that address',
            detail: `${host} is ${address}: ${why}`,
            fix: 'Fetch it to another machine first, or copy the file to the node.',
            at: 'source',
        })
    }
    // The very addresses that are checked are connected to: a name that changes between two questions gains nothing.
    const lookup: LookupFunction = (name, given, done) => {
        resolveName(name, { all: true, verbatim: true }).then(
            found => {
                try {
                    for (const { address } of found) check(address)
                    if (given.all) done(null, found)
                    else done(null, found[0]!.address, found[0]!.family)
                } catch (thrown) {
                    done(thrown as Error, '', 0)
                }
            },
            cause => done(cause, '', 0),
        )
    }
    return new Promise((resolve, reject) => {
        const fail = (thrown: unknown) => {
            if (signal.aborted) return reject(signal.reason)
            reject(
                thrown instanceof Fault
                    ? thrown
                    : unfetched('the server cannot be reached', `${url.host}: ${asFault(thrown).detail}`),
            )
        }
        try {
            // The lookup is not asked for what is an address already.
            if (isIP(host)) check(host)
            const headers = { 'user-agent': 'debvisor', accept: '*/*', 'accept-encoding': 'identity' }
            const how = { lookup, signal, headers, agent: false as const, timeout: CONNECT_MS, ca }
            const request: ClientRequest = url.protocol === 'https:' ? httpsRequest(url, how) : httpRequest(url, how)
            request.on('timeout', () => request.destroy(new Error('no answer within 30 s')))
            request.on('error', fail)
            request.on('response', answer => {
                // Belt and braces: what was really connected to.
                try {
                    check(request.socket?.remoteAddress ?? '')
                    resolve(answer)
                } catch (thrown) {
                    answer.destroy()
                    fail(thrown)
                }
            })
            request.end()
        } catch (thrown) {
            fail(thrown)
        }
    })
}

async function* bodyOf(answer: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    answer.setTimeout(SILENCE_MS, () => answer.destroy(new Error('nothing came for a minute')))
    try {
        for await (const chunk of answer) yield chunk as Uint8Array
    } catch (thrown) {
        signal.throwIfAborted()
        throw unfetched('the server stopped in the middle', asFault(thrown).detail)
    }
    if (!answer.complete) throw unfetched('the server stopped in the middle', 'the body is not whole')
}

const unfetched = (why: string, detail: string): Fault =>
    new Fault('unavailable', {
        summary: 'The file could not be fetched',
        detail: `${why}: ${detail}`,
        fix: 'Check the URL, and that the node reaches that server.',
        at: 'source',
    })
