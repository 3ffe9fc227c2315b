// Answers that are ready: the same bytes to whoever asks, compressed for those who take it, and never where they may not be.
import { gunzipSync } from 'node:zlib'
import { create, fromBinary, fromJsonString, toBinary, toJson, toJsonString } from '@bufbuild/protobuf'
import { createConnectRouter, createContextValues } from '@connectrpc/connect'
import { expect, it } from 'vitest'
import { Fault } from '../../base/fault.ts'
import { answerReady } from '../../capabilities/ready.ts'
import { ListResponseSchema, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { sendReady } from './ready.ts'

const vms = Array.from({ length: 100 }, (_, i) => ({ name: `vm${i} ü🦆`, description: 'one of many' }))
const message = create(ListResponseSchema, { vms })
const plain = create(ListResponseSchema, { vms: [{ name: 'by the library' }] })
const halves = (bytes: Uint8Array) => [bytes.subarray(0, 999), bytes.subarray(999)]
const pieces = {
    json: halves(Buffer.from(toJsonString(ListResponseSchema, message))),
    binary: halves(toBinary(ListResponseSchema, message)),
}

const router = createConnectRouter()
router.service(VmService, {
    list({ search }, context) {
        if (search === 'late') answerReady(context, () => pieces.binary)
        if (search === 'late') throw new Fault('internal', { summary: 'it broke after all' })
        const json = context.responseHeader.get('content-type') === 'application/json'
        return answerReady(context, () => (json ? pieces.json : pieces.binary)) ? create(ListResponseSchema) : plain
    },
})
sendReady(router)

async function ask(type: string, body: Uint8Array | string, more: Record<string, string> = {}) {
    const handler = router.handlers.find(one => one.method.name === 'List' && one.supportedContentType(type))!
    const response = await handler({
        httpVersion: '2.0',
        method: 'POST',
        url: 'http://here/list',
        header: new Headers({ 'content-type': type, ...more }),
        body: (async function* () {
            yield Buffer.from(body)
        })(),
        signal: new AbortController().signal,
        contextValues: createContextValues(),
    })
    const parts: Uint8Array[] = []
    for await (const part of response.body ?? []) parts.push(part)
    return { status: response.status, header: new Headers(response.header), parts, bytes: Buffer.concat(parts) }
}

it('sends the very bytes, and says how many they are', async () => {
    for (const [type, body, sent] of [
        ['application/json', '{}', pieces.json],
        ['application/proto', '', pieces.binary],
    ] as const) {
        const { parts, bytes, header } = await ask(type, body)
        expect(parts.every((part, i) => part === sent[i])).toBe(true)
        expect(header.get('content-length')).toBe(String(bytes.length))
        expect(header.get('content-encoding')).toBeNull()
    }
    const { bytes } = await ask('application/json', '{}')
    expect(fromJsonString(ListResponseSchema, bytes.toString())).toEqual(message)
})

it('compresses once for all who take gzip', async () => {
    const first = await ask('application/proto', '', { 'accept-encoding': 'br, gzip' })
    const second = await ask('application/proto', '', { 'accept-encoding': 'gzip' })
    expect(first.header.get('content-encoding')).toBe('gzip')
    expect(first.header.get('content-length')).toBe(String(first.bytes.length))
    expect(first.bytes.length).toBeLessThan(pieces.binary.reduce((sum, { length }) => sum + length, 0) / 4)
    expect(fromBinary(ListResponseSchema, gunzipSync(first.bytes))).toEqual(message)
    expect(second.parts[0]).toBe(first.parts[0])
})

it('leaves gRPC and failures to the library', async () => {
    const { bytes } = await ask('application/grpc+proto', new Uint8Array(5), { te: 'trailers' })
    expect(toJson(ListResponseSchema, fromBinary(ListResponseSchema, bytes.subarray(5)))).toEqual(
        toJson(ListResponseSchema, plain),
    )
    const failed = await ask('application/json', '{"search":"late"}')
    expect(failed.status).toBe(500)
    expect(JSON.parse(failed.bytes.toString())).toHaveProperty('code')
})
