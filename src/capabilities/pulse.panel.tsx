// Notices a network that swallows what is sent: nothing is closed, and nothing comes any more.
import { Code, ConnectError } from '@connectrpc/connect'
import { catalogue } from './words.panel.tsx'

const words = catalogue('pulse', { silent: 'nothing came from it for a while' })

/** After so long without a word from the server it is asked whether it is there. */
const QUIET_MS = 8_000
const ANSWER_MS = 8_000
/** What is uploaded stands in the line before the question. */
const ANSWER_BUSY_MS = 60_000
const LOOK_MS = 1_000

const waiting = new Set<() => void>()
let uploads = 0
let heardMs = 0
let timer: ReturnType<typeof setInterval> | undefined
let asking = false

const heard = (): void => void (heardMs = performance.now())

/** Calls `silent` when the server has fallen silent; until what it answers is called. */
export function untilSilence(silent: () => void): () => void {
    const one = () => silent()
    if (waiting.size === 0) {
        heard()
        timer = setInterval(() => void look(), LOOK_MS)
    }
    waiting.add(one)
    return () => {
        waiting.delete(one)
        if (waiting.size === 0) clearInterval(timer)
    }
}

/** To be called when an upload begins; what it answers, when it has ended. */
export function uploading(): () => void {
    uploads++
    return () => void uploads--
}

async function look(): Promise<void> {
    if (asking || performance.now() - heardMs < QUIET_MS) return
    asking = true
    try {
        // A path of its own, which is no use of the session: whoever looks on for hours is logged out all the same.
        const signal = AbortSignal.timeout(uploads > 0 ? ANSWER_BUSY_MS : ANSWER_MS)
        await fetch('/alive', { method: 'HEAD', cache: 'no-store', credentials: 'same-origin', signal })
    } catch {
        for (const silent of [...waiting]) silent()
    }
    // Either it is there, or what begins anew now gets as long as this did.
    heard()
    asking = false
}

/** As fetch; fails with `unavailable`, also in the midst of an answer, when the server has fallen silent. */
export async function fetchAlive(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const own = new AbortController()
    const signal = init.signal ? AbortSignal.any([init.signal, own.signal]) : own.signal
    const end = untilSilence(() => own.abort(new ConnectError(words.silent, Code.Unavailable)))
    signal.addEventListener('abort', end)
    try {
        const response = await fetch(input, { ...init, signal })
        heard()
        if (response.body) return new Response(listened(response.body, end), response)
        end()
        return response
    } catch (thrown) {
        end()
        throw thrown
    }
}

/** The same bytes, each a sign of life. */
function listened(body: ReadableStream<Uint8Array>, end: () => void): ReadableStream<Uint8Array> {
    const reader = body.getReader()
    return new ReadableStream<Uint8Array>({
        async pull(controller) {
            try {
                const { done, value } = await reader.read()
                heard()
                if (value) controller.enqueue(value)
                if (!done) return
                end()
                controller.close()
            } catch (thrown) {
                end()
                controller.error(thrown)
            }
        },
        cancel(reason) {
            end()
            return reader.cancel(reason)
        },
    })
}
