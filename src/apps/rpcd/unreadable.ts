// Calls whose message cannot be read: the library answers them before any interceptor, without saying what to do.
import { create, toBinary, toJson } from '@bufbuild/protobuf'
import type { ConnectRouter } from '@connectrpc/connect'
import type { UniversalServerResponse } from '@connectrpc/connect/protocol'
import { ProblemSchema } from '../../gen/proto/capabilities/debvisor_pb.js'

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/**
 * Gives answers of that kind the code `invalid_argument` and a Problem with its fix, as every other error has. Only for
 * single calls over Connect, whose errors are JSON; gRPC keeps the code that its own specification names.
 */
export function explainUnreadable(router: ConnectRouter): void {
    const { handlers } = router
    for (const [i, handler] of handlers.entries()) {
        const explaining = async (request: Parameters<typeof handler>[0]) => {
            const response = await handler(request)
            return response.status >= 400 ? await explained(response) : response
        }
        handlers[i] = Object.assign(explaining, handler)
    }
}

async function explained(response: UniversalServerResponse): Promise<UniversalServerResponse> {
    const header = new Headers(response.header)
    const isJson = header.get('content-type')?.startsWith('application/json') && !header.has('content-encoding')
    if (!isJson || !response.body) return response
    const bytes = await allOf(response.body)
    const error = JSON.parse(decoder.decode(bytes)) as { code: string; message?: string; details?: unknown[] }
    const message = error.message ?? ''
    if (error.details?.length || !/^parse binary: |from JSON|JSON\b/i.test(message)) {
        return { ...response, body: one(bytes) }
    }
    const problem = create(ProblemSchema, {
        code: 'invalid',
        summary: 'The request cannot be read',
        detail: message.slice(0, 400),
        fix: 'Compare it with the API reference: fields by their names, 64-bit numbers as strings or whole numbers, bytes as base64.',
    })
    const detail = {
        type: ProblemSchema.typeName,
        value: Buffer.from(toBinary(ProblemSchema, problem)).toString('base64').replace(/=+$/, ''),
        debug: toJson(ProblemSchema, problem),
    }
    const words = { code: 'invalid_argument', message: `${problem.summary}: ${problem.detail}`, details: [detail] }
    const body = encoder.encode(JSON.stringify(words))
    if (header.has('content-length')) header.set('content-length', String(body.length))
    return { ...response, status: 400, header, body: one(body) }
}

async function allOf(body: NonNullable<UniversalServerResponse['body']>): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    for await (const part of body) parts.push(part)
    return Buffer.concat(parts)
}

async function* one(bytes: Uint8Array) {
    yield bytes
}
