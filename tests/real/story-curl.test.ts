// The story of 'Run a node' with curl alone (and a WebSocket for the console, which curl cannot): JSON in, JSON out.
import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import WebSocket from 'ws'
import { type Talk, talkTo } from './expect-console.ts'
import { debianImage } from './world.ts'
import { type DaemonWorld, startDaemon } from './world-daemon.ts'

const MINUTE_MS = 60_000
const PASSWORD = 'correct horse battery'
// What "openssl passwd -6" makes of `guest password`: an API client hashes on its own side.
let hash: string
let world: DaemonWorld
let folder: string
let token = ''
let confirmationToken = ''

const run = async (argv: string[]) =>
    (await promisify(execFile)('curl', argv, { maxBuffer: 1 << 26, timeout: 5 * MINUTE_MS })).stdout

/** POSTs JSON and answers JSON; the error of the API is an answer as well. */
async function call<T = Record<string, string>>(method: string, body: object = {}, more: string[] = []): Promise<T> {
    const auth = token ? ['-H', `@${join(folder, 'auth')}`] : []
    const json = ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)]
    const url = `${world.url}/debvisor.${method}`
    return JSON.parse(await run(['-sS', '--cacert', join(folder, 'ca.pem'), ...auth, ...json, ...more, url]))
}

/** Begins a change and waits for its task; fails with the task's problem. */
async function change(method: string, body: object): Promise<Record<string, string>> {
    const begun = await call(method, body)
    if (!begun.task) throw new Error(`${method}: ${JSON.stringify(begun)}`)
    for (;;) {
        const { task } = await call<{ task: { state: string } }>('task.v1.TaskService/Get', { id: begun.task })
        const { state } = task
        if (state === 'DONE') return begun
        if (state !== 'RUNNING') throw new Error(`${method}: ${JSON.stringify(task)}`)
    }
}

/** The password once more: for what destroys, with the token. */
async function confirm(): Promise<void> {
    const answer = await call('identity.v1.IdentityService/Confirm', { password: PASSWORD })
    confirmationToken = answer.confirmationToken ?? ''
}

async function serial(vm: string): Promise<Talk & { close(): void }> {
    const opened = await call('console.v1.ConsoleService/Open', { vm, kind: 'SERIAL', force: true })
    const socket = new WebSocket(
        `${world.url.replace('https', 'wss')}${opened.path}`,
        ['debvisor.console', `ticket.${opened.ticket}`],
        { ca: await world.certificate(), headers: { authorization: `Bearer ${token}` } },
    )
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    const [input, output] = [new PassThrough(), new PassThrough()]
    input.on('data', data => socket.send(data))
    socket.on('message', (data: Buffer) => output.write(data))
    return { ...talkTo({ input, output }), close: () => socket.close() }
}

beforeAll(async () => {
    await debianImage()
    folder = await mkdtemp(join(tmpdir(), 'story-curl-'))
    hash = (await promisify(execFile)('openssl', ['passwd', '-6', 'guest password'])).stdout.trim()
    world = await startDaemon()
    await writeFile(join(folder, 'ca.pem'), await world.certificate())
}, 12 * MINUTE_MS)
afterAll(async () => {
    await world?.stop()
    if (folder) await rm(folder, { recursive: true, force: true })
})

it('the link of the first login makes the first administrator, once', async () => {
    const secret = world.firstLogin!.split('/').at(-1)
    const jar = ['-c', join(folder, 'jar')]
    const first = await call<{ user: object; confirmation?: { confirmationToken: string } }>(
        'identity.v1.IdentityService/FirstLogin',
        { secret, user: 'ann', password: PASSWORD },
        jar,
    )
    expect(first.user).toMatchObject({ name: 'ann', role: 'admin' })
    confirmationToken = first.confirmation?.confirmationToken ?? ''
    const again = await call('identity.v1.IdentityService/FirstLogin', { secret, user: 'eve', password: PASSWORD })
    expect(again.code).toMatch(/permission_denied|failed_precondition|unauthenticated/)
})

it('without a login nothing is told', async () => {
    expect((await call('vm.v1.VmService/List')).code).toBe('unauthenticated')
})

it('a token is made with the session, and is enough from then on', async () => {
    const jar = ['-b', join(folder, 'jar')]
    const asked = { name: 'curl', days: 1 }
    // A session alone makes no token: who has just logged in has confirmed who they are.
    expect(await call('identity.v1.IdentityService/CreateToken', asked, jar)).toMatchObject({
        code: 'permission_denied',
    })
    const made = await call('identity.v1.IdentityService/CreateToken', { ...asked, confirmationToken }, jar)
    token = made.secret ?? ''
    expect(token).toMatch(/^dvt_/)
    await writeFile(join(folder, 'auth'), `Authorization: Bearer ${token}\n`, { mode: 0o600 })
    expect(await call('vm.v1.VmService/List')).toEqual({})
})

it(
    'an image and an ISO are uploaded by PUT',
    async () => {
        for (const [file, name, format] of [
            [await debianImage(), 'debian.qcow2', 'qcow2'],
            ['/usr/lib/ipxe/ipxe.iso', 'ipxe.iso', 'iso'],
        ] as const) {
            const { size } = await stat(file)
            const begun = await call('image.v1.ImageService/BeginUpload', {
                pool: 'default',
                name,
                sizeBytes: String(size),
                format,
            })
            await run([
                ...['-sSf', '--cacert', join(folder, 'ca.pem'), '-H', `@${join(folder, 'auth')}`, '-T', file],
                ...['-H', `Content-Range: bytes 0-${size - 1}/${size}`, `${world.url}${begun.path}`],
            ])
            await expect
                .poll(async () => (await call('task.v1.TaskService/Get', { id: begun.task })).task, {
                    timeout: 2 * MINUTE_MS,
                })
                .toMatchObject({ state: 'DONE' })
        }
        const { volumes } = await call<{ volumes: { name: string }[] }>('image.v1.ImageService/ListVolumes')
        expect(volumes.map(v => v.name).sort()).toEqual(['debian.qcow2', 'ipxe.iso'])
    },
    5 * MINUTE_MS,
)

it(
    'a VM boots from an ISO, and its display is seen',
    async () => {
        const nic = { network: 'default' }
        await change('vm.v1.VmService/Create', {
            ...{
                name: 'boot1',
                memoryBytes: '268435456',
                vcpus: 1,
                nics: [nic],
                isos: ['default/ipxe.iso'],
                start: true,
            },
        })
        const shot = await call('console.v1.ConsoleService/Screenshot', { vm: 'boot1' })
        expect(
            Buffer.from(shot.png ?? '', 'base64')
                .subarray(1, 4)
                .toString(),
        ).toBe('PNG')
        expect(Number(shot.width)).toBeGreaterThan(100)
        expect(await call('vm.v1.VmService/Delete', { vm: 'boot1', disks: true, force: true })).toMatchObject({
            code: 'permission_denied',
        })
        await confirm()
        await change('vm.v1.VmService/Delete', { vm: 'boot1', disks: true, force: true, confirmationToken })
    },
    2 * MINUTE_MS,
)

it(
    'a VM is made from the image, used, snapshotted, changed and reverted',
    async () => {
        await change('vm.v1.VmService/Create', {
            ...{ name: 'web1', memoryBytes: '536870912', vcpus: 1, start: true, nics: [{ network: 'default' }] },
            disks: [{ from: 'default/debian.qcow2', sizeBytes: '3221225472' }],
            cloudInit: { user: 'ann', passwordHash: hash },
        })
        const talk = await serial('web1')
        const nudge = setInterval(() => talk.type('\n'), 5000)
        await talk.wait(/web1 login: /, 8 * MINUTE_MS).finally(() => clearInterval(nudge))
        talk.type('ann\n')
        await talk.wait(/Password: /, MINUTE_MS)
        talk.type('guest password\n')
        await talk.wait(/ann@web1/, 2 * MINUTE_MS)
        talk.type('echo before > state; sync; echo written-$((1 + 1))\n')
        await talk.wait(/written-2/)
        await change('vm.v1.VmService/CreateSnapshot', { vm: 'web1', name: 'clean', memory: true })
        talk.type('echo after > state; sync; echo changed-$((1 + 1))\n')
        await talk.wait(/changed-2/)
        const plan = await call<{ plan: { destroys?: string }[] }>('vm.v1.VmService/RevertSnapshot', {
            vm: 'web1',
            name: 'clean',
            dryRun: true,
        })
        expect(plan.plan.some(step => step.destroys)).toBe(true)
        await change('vm.v1.VmService/RevertSnapshot', { vm: 'web1', name: 'clean' })
        talk.close()
        const again = await serial('web1')
        again.type('\n')
        await again.wait(/ann@web1/, MINUTE_MS)
        again.type('cat state; echo read-$((1 + 1))\n')
        expect(await again.wait(/before\s+read-2/, MINUTE_MS)).toContain('before')
        again.close()
    },
    18 * MINUTE_MS,
)

it(
    'it is stopped, cloned, and all is deleted; the record is whole',
    async () => {
        await change('vm.v1.VmService/Stop', { vm: 'web1' })
        await change('vm.v1.VmService/SetTemplate', { vm: 'web1', template: true })
        await change('vm.v1.VmService/Clone', { vm: 'web1', name: 'web2', linked: true })
        const { vms } = await call<{ vms: { name: string; vcpus: number }[] }>('vm.v1.VmService/List')
        expect(vms.map(({ name, vcpus }) => `${name} ${vcpus}`)).toEqual(['web1 1', 'web2 1'])
        await confirm()
        expect(await call('vm.v1.VmService/Delete', { vm: 'web1', disks: true, confirmationToken })).toMatchObject({
            code: 'aborted',
        })
        await change('vm.v1.VmService/Delete', { vm: 'web2', disks: true, confirmationToken })
        await change('vm.v1.VmService/Delete', { vm: 'web1', disks: true, confirmationToken })
        expect(await call('vm.v1.VmService/List')).toEqual({})
        const { records } = await call<{ records: object[] }>('audit.v1.AuditService/List', { limit: 1000 })
        expect(JSON.stringify(records)).not.toContain(hash)
        expect(records).toContainEqual(expect.objectContaining({ what: 'vm.Clone', who: 'ann', result: 'intent' }))
        expect(await call('audit.v1.AuditService/Verify')).toMatchObject({ intact: true })
    },
    5 * MINUTE_MS,
)
