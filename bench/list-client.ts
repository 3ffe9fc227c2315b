// A client of its own process: asks for the list so many times over one HTTP/2 connection, and prints the times in ms.
import { connect } from 'node:http2'

const [url, token, format, requests, count] = process.argv.slice(2)
// Windows as large as those of browsers and curl: with Node's own 64 kB the answer would wait for the client ten times.
const WINDOW_BYTES = 8 << 20
const session = connect(url!, { ca: process.env.CERTIFICATE, settings: { initialWindowSize: WINDOW_BYTES } })
session.on('connect', () => session.setLocalWindowSize(WINDOW_BYTES))
const json = format === 'json'
const empty = format === 'empty'

function ask(): Promise<{ tookMs: number; body: Buffer }> {
    const began = performance.now()
    return new Promise((resolve, reject) => {
        const stream = session.request({
            ':method': 'POST',
            ':path': empty ? '/debvisor.identity.v1.IdentityService/WhoAmI' : '/debvisor.vm.v1.VmService/List',
            'content-type': json ? 'application/json' : 'application/proto',
            'connect-protocol-version': '1',
            ...(format === 'proto+gzip' ? { 'accept-encoding': 'gzip' } : {}),
            authorization: `Bearer ${token}`,
        })
        const parts: Buffer[] = []
        let status = 0
        stream.on('response', headers => {
            status = Number(headers[':status'])
        })
        stream.on('data', part => parts.push(part))
        stream.on('error', reject)
        stream.on('end', () => {
            const body = Buffer.concat(parts)
            if (status !== 200) reject(new Error(`${status}: ${body}`))
            else resolve({ tookMs: performance.now() - began, body })
        })
        stream.end(json ? '{}' : undefined)
    })
}

const { body } = await ask()
if (json && JSON.parse(body.toString()).vms.length !== Number(count)) throw new Error('the list is not whole')
for (let i = 0; i < 20; i++) await ask()
const samples: number[] = []
for (let i = 0; i < Number(requests); i++) samples.push((await ask()).tookMs)
process.stdout.write(JSON.stringify(samples))
session.close()
