// The panel's files: served from one folder, compressed once, with headers that let nothing else in.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { CONTENT_SECURITY_POLICY } from '../../base/content-policy.ts'
import type { System } from '../../ports/ports.ts'

const TYPES: Record<string, string> = {
    html: 'text/html; charset=utf-8',
    js: 'text/javascript; charset=utf-8',
    css: 'text/css; charset=utf-8',
    svg: 'image/svg+xml',
    png: 'image/png',
    ico: 'image/x-icon',
    woff2: 'font/woff2',
    json: 'application/json',
    txt: 'text/plain; charset=utf-8',
}
const COMPRESSED = new Set(['html', 'js', 'css', 'svg', 'json', 'txt'])

/** On every answer, whatever it is. */
export const SECURITY_HEADERS: Record<string, string> = {
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'strict-transport-security': 'max-age=31536000',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), microphone=(), geolocation=()',
}

interface Asset {
    type: string
    plain: Buffer
    gzip: Buffer | undefined
    forever: boolean
}

/**
 * Serves GET and HEAD below `folder`. Paths without a file are the panel's own routes and get index.html, but for
 * those with an ending, which are 404. Only names seen in the folder at first use are served: no path is ever built
 * from a request.
 */
export function panelFiles(folder: string, system: System) {
    let assets: Promise<Map<string, Asset>> | undefined
    return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
        if (request.method !== 'GET' && request.method !== 'HEAD')
            return end(response, 405, 'Only GET is served here.\n')
        assets ??= load(folder, system)
        const found = await assets.catch(thrown => {
            assets = undefined
            throw thrown
        })
        if (found.size === 0) assets = undefined
        const path = (request.url ?? '/').split(/[?#]/)[0]!
        const asset =
            found.get(path === '/' ? '/index.html' : path) ??
            (/\.[a-z0-9]+$/i.test(path) ? undefined : found.get('/index.html'))
        if (!asset) {
            const text = found.size === 0 ? 'The panel is not built: run "make build".\n' : 'There is no such page.\n'
            return end(response, 404, text)
        }
        const gzip = asset.gzip && /\bgzip\b/.test(String(request.headers['accept-encoding'])) ? asset.gzip : undefined
        const body = gzip ?? asset.plain
        response.writeHead(200, {
            ...SECURITY_HEADERS,
            'content-type': asset.type,
            'content-length': body.length,
            'cache-control': asset.forever ? 'public, max-age=31536000, immutable' : 'no-cache',
            ...(gzip ? { 'content-encoding': 'gzip' } : {}),
            vary: 'accept-encoding',
        })
        response.end(request.method === 'HEAD' ? undefined : body)
    }
}

function end(response: ServerResponse, status: number, text: string): void {
    response.writeHead(status, { ...SECURITY_HEADERS, 'content-type': TYPES.txt })
    response.end(text)
}

async function load(folder: string, system: System, prefix = '/'): Promise<Map<string, Asset>> {
    const assets = new Map<string, Asset>()
    for (const name of await system.list(folder)) {
        const path = `${folder}/${name}`
        const facts = await system.look(path)
        if (facts?.kind === 'directory') {
            for (const [key, asset] of await load(path, system, `${prefix}${name}/`)) assets.set(key, asset)
        }
        const ending = name.split('.').at(-1)!
        if (facts?.kind !== 'file' || !TYPES[ending]) continue
        const plain = Buffer.from(await system.readRange(path, 0, facts.sizeBytes))
        const gzip = COMPRESSED.has(ending) ? gzipSync(plain, { level: 9 }) : undefined
        assets.set(`${prefix}${name}`, { type: TYPES[ending], plain, gzip, forever: prefix.startsWith('/assets/') })
    }
    return assets
}
