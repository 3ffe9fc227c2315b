// A machine without a medium: its firmware's iPXE asks a web server, and what comes is checked before it is used.
import { createReadStream } from 'node:fs'
import { copyFile, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildAll } from '../../scripts/build.ts'
import { tool } from '../real/world-cache.ts'
import { bootNet, builtIso, whyNoIso } from './world-iso.ts'

const MINUTE_MS = 60_000
const missing = whyNoIso()
let folder = ''
let server: Server
let asked: string[] = []
const at = (name: string) => join(folder, 'net', name)

beforeAll(async () => {
    if (missing) return
    const iso = await builtIso()
    await buildAll()
    folder = await mkdtemp(join(tmpdir(), 'dv-netboot-'))
    server = createServer((request, answer) => {
        const name = basename(request.url ?? '')
        asked.push(name)
        createReadStream(at(name))
            .on('error', () => answer.writeHead(404).end())
            .pipe(answer)
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const hash = (await tool(['openssl', 'passwd', '-6', 'glacier tulip marzipan'])).trim()
    await writeFile(
        join(folder, 'answers.yaml'),
        `profile: zfs\ninstall: { machine: any, disks: [{ id: OS }], passwords: { root: '${hash}' } }\n`,
    )
    const words = ['--url', url(), '--answers', join(folder, 'answers.yaml'), '-o', join(folder, 'net')]
    await tool(['node', 'dist/debvisor.mjs', 'iso', 'netboot', iso, ...words], { deadlineMs: 10 * MINUTE_MS })
    await tool(['qemu-img', 'create', '-q', '-f', 'qcow2', join(folder, 'OS.qcow2'), '32G'])
}, 120 * MINUTE_MS)
afterAll(async () => {
    server?.close()
    if (folder) await rm(folder, { recursive: true, force: true })
})

/** As QEMU's network shows this machine to its guest. */
const url = () => `http://10.0.2.2:${(server.address() as AddressInfo).port}`

/** Boots, and chooses the automatic installation in iPXE's menu. */
async function boot() {
    asked = []
    const disks = [{ file: join(folder, 'OS.qcow2'), serial: 'OS' }]
    const machine = bootNet('bios', { bootfile: `${url()}/boot.ipxe`, disks })
    const end = Date.now() + 6 * MINUTE_MS
    while (!asked.includes('vmlinuz')) {
        if (Date.now() > end) throw new Error(`iPXE asked for ${asked.join(', ') || 'nothing'}`)
        await pause(2000)
        // Up from the first entry is the last one; the menu may not be there yet.
        if (asked.includes('boot.ipxe') && !asked.includes('vmlinuz')) machine.monitor('sendkey end', 'sendkey ret')
    }
    return machine
}

it(
    'refuses a live system that is another, and has nothing of it',
    async ({ skip }) => {
        if (missing) skip(missing)
        await copyFile(at('live.squashfs'), join(folder, 'whole'))
        const file = await open(at('live.squashfs'), 'r+')
        await file.write('x', 1_000_000)
        await file.close()
        const machine = await boot()
        try {
            const said = await machine.hear(/is not the live system that was meant: its SHA-256 is/, 10 * MINUTE_MS)
            expect(said).not.toContain('DebVisor: automatic installation')
            expect(asked).not.toContain('answers.yaml')
        } finally {
            await machine.stop()
            await copyFile(join(folder, 'whole'), at('live.squashfs'))
        }
    },
    30 * MINUTE_MS,
)

it(
    'installs by the answers of the server, with the system that it fetches',
    async ({ skip }) => {
        if (missing) skip(missing)
        const machine = await boot()
        try {
            const said = await machine.hear(/Installed in \d+ s\./, 60 * MINUTE_MS)
            expect(said).toContain(`The answers come from ${url()}/answers.yaml.`)
            expect(said).toContain(`Fetch the system from ${url()}/node.squashfs`)
            expect(said).toContain('Compare it with its checksum')
            expect(said).not.toContain('$6$')
            expect((await readFile(at('boot.ipxe'), 'utf8')).match(/sha256=[0-9a-f]{64}/g)).toHaveLength(3)
            await machine.ended(5 * MINUTE_MS)
        } finally {
            await machine.stop()
        }
    },
    75 * MINUTE_MS,
)
