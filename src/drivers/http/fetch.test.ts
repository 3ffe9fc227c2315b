// Names are judged by the addresses they lead to, and URLs by what they hold.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import type { Fault } from '../../base/fault.ts'
import { checkUrl, fetchUrl } from './fetch.ts'

const whyRefused = (address: string) => (/^(127\.|0\.|::1$|::$)/.test(address) ? 'it is loopback' : undefined)
const options = { whyRefused, signal: new AbortController().signal }

test.each([
    'http://localhost:1/x',
    'http://127.0.0.1:1/',
    'http://[::1]:1/',
    'https://localhost:1/',
    'http://0/',
    'http://127.1/',
    'http://0177.0.0.1/',
])('%s is not fetched', async url => {
    await expect(fetchUrl(url, options)).rejects.toMatchObject({ code: 'denied', at: 'source' })
})

test.each([
    '',
    'x',
    '/etc/passwd',
    'file:///etc/passwd',
    'ftp://h/x',
    'http://u:p@h/x',
    'http://u@h/x',
    'javascript:1',
    `http://h/${'x'.repeat(5000)}`,
])('%j is no URL to fetch', url => {
    expect(() => checkUrl(url)).toThrow('not a URL that can be fetched')
})

test('what stands behind the question mark of a bad URL is not told', () => {
    expect(() => checkUrl('s3://bucket/x?X-Amz-Signature=KEY')).toThrow()
    for (const bad of ['bucket/x?Signature=KEY', 's3://bucket/x?Signature=KEY']) {
        try {
            checkUrl(bad)
            expect.unreachable()
        } catch (thrown) {
            expect(JSON.stringify(thrown)).not.toContain('KEY')
            expect((thrown as Fault).detail).toBeTruthy()
            expect((thrown as Fault).detail).not.toContain('KEY')
        }
    }
})

test('a body that is packed is refused, one that is not is given', async () => {
    const packed: Record<string, string> = { '/gzip': 'gzip', '/br': 'identity, BR', '/plain': 'identity' }
    const asked: (string | undefined)[] = []
    const server = createServer((request, response) => {
        asked.push(request.headers['accept-encoding'])
        response.writeHead(200, { 'content-encoding': packed[request.url!]! }).end('the bytes')
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const own = { ...options, whyRefused: () => undefined }
    try {
        for (const path of ['/gzip', '/br']) {
            const refused = { code: 'unavailable', detail: expect.stringMatching(/packed.*(gzip|br)/) }
            await expect(fetchUrl(url + path, own)).rejects.toMatchObject(refused)
        }
        const { chunks } = await fetchUrl(`${url}/plain`, own)
        let text = ''
        for await (const chunk of chunks) text += Buffer.from(chunk)
        expect(text).toBe('the bytes')
        expect(asked).toEqual(['identity', 'identity', 'identity'])
    } finally {
        server.close()
    }
})

test('an aborted fetch is that', async () => {
    const signal = AbortSignal.abort(new Error('taken back'))
    await expect(fetchUrl('http://192.0.2.77/x', { ...options, signal })).rejects.toThrow('taken back')
})
