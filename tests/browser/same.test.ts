// The same without the panel: what each form shows to copy is read by the real command line and by the schema of the API.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fromJson } from '@bufbuild/protobuf'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allVerbs } from '../../src/apps/cli/main.ts'
import { type Parsed, program } from '../../src/apps/cli/parse.ts'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { services } from '../../src/capabilities/table.node.ts'
import { topics } from '../../src/capabilities/table.verbs.ts'
import { launch } from './browser.ts'
import { buildPanel } from './build.ts'
import { insideOf } from './sim-page.ts'

let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let sim: SimServer

beforeAll(async () => {
    ;[panel, browser] = await Promise.all([buildPanel(), launch()])
    sim = await startSim({ vms: 10, panel: panel.folder })
})
afterAll(async () => {
    await browser?.close()
    await sim?.close()
    await panel?.remove()
})

/** The words of a command line, as a real shell makes them. */
async function wordsOf(line: string): Promise<string[]> {
    const { stdout } = await promisify(execFile)('sh', ['-c', `printf '%s\\0' ${line}`])
    return stdout.split('\0').slice(0, -1)
}

async function parsed(line: string): Promise<Pick<Parsed, 'args' | 'lists' | 'options'> & { verb: string }> {
    let found: Parsed | undefined
    let said = ''
    const verbs = allVerbs({ stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: {} })
    const words = await wordsOf(line)
    const command = program(verbs, topics, one => (found = one), { out: () => undefined, err: text => (said += text) })
    await command.parseAsync(words.slice(1), { from: 'user' }).catch(thrown => (said ||= String(thrown)))
    expect([line, said]).toEqual([line, ''])
    const { verb, args, lists, options } = found!
    return { verb: verb.words.join(' '), args, lists, options }
}

/** Method and request of a call with curl, read by the schema of that method. */
async function asked(line: string): Promise<{ method: string; request: object }> {
    const words = await wordsOf(line.replaceAll('\\\n', ' '))
    const [service, name] = new URL(words.at(-1)!).pathname.slice(1).split('/')
    const method = services.find(one => one.typeName === service)?.methods.find(one => one.name === name)
    const json = JSON.parse(words[words.indexOf('-d') + 1]!)
    fromJson(method!.input, json)
    return { method: `${service}/${name}`, request: json }
}

interface Form {
    path(): string
    open(page: Page): Promise<void>
    fill(page: Page): Promise<void>
    command: object
    method: string
    request: object
    /** What must be in neither. */
    secret?: string
}
const click = (action: string) => (page: Page) => page.locator(`[data-action=${action}]`).first().click()
const fill = (page: Page, field: string, text: string) => page.locator(`[data-field=${field}]`).fill(text)
const web1 = () => `/vms/${sim.world.find('web1')!.detail.vm!.uuid}`

const forms: [string, Form][] = [
    [
        'a network',
        {
            ...{ path: () => '/networks', open: click('create-network') },
            fill: page => fill(page, 'name', 'shop floor'),
            command: { verb: 'network create', args: { name: 'shop floor' }, options: { mode: 'nat', dhcp: 'true' } },
            method: 'debvisor.network.v1.NetworkService/Create',
            request: { name: 'shop floor', mode: 'nat', address: '10.20.0.1/24', dhcp: true },
        },
    ],
    [
        'a disk of a machine',
        {
            ...{ path: () => `${web1()}/hardware`, open: click('add-disk') },
            fill: page => fill(page, 'size', '30G'),
            command: { verb: 'vm add-disk', args: { vm: 'web1', disk: 'size=30G,bus=virtio' } },
            method: 'debvisor.vm.v1.VmService/AttachDisk',
            request: { disk: { sizeBytes: String(30 * 2 ** 30), bus: 'virtio' } },
        },
    ],
    [
        'a network card of a machine',
        {
            ...{ path: () => `${web1()}/hardware`, open: click('add-nic') },
            fill: page => fill(page, 'vlan', '5'),
            command: { verb: 'vm add-nic', args: { vm: 'web1', network: 'network=default,model=virtio,vlan=5' } },
            method: 'debvisor.vm.v1.VmService/AttachNic',
            request: { nic: { network: 'default', vlan: 5 } },
        },
    ],
    [
        'a snapshot',
        {
            ...{ path: () => `${web1()}/snapshots`, open: click('snapshot') },
            async fill(page) {
                await fill(page, 'name', 'clean')
                await fill(page, 'description', "before Ann's work")
            },
            command: {
                ...{ verb: 'vm snapshot', args: { vm: 'web1', snapshot: 'clean' } },
                options: { description: "before Ann's work" },
            },
            method: 'debvisor.vm.v1.VmService/CreateSnapshot',
            request: { name: 'clean', description: "before Ann's work" },
        },
    ],
    [
        'a clone',
        {
            path: web1,
            async open(page) {
                await page.locator('.dv-head-actions').getByRole('button', { name: 'Actions' }).click()
                await page.locator('[data-action=clone]').click()
            },
            fill: page => page.locator('[data-field=start]').check(),
            command: { verb: 'vm clone', args: { vm: 'web1', name: 'web1-2' }, options: { start: 'true' } },
            method: 'debvisor.vm.v1.VmService/Clone',
            request: { name: 'web1-2', start: true },
        },
    ],
    [
        'an image by URL',
        {
            ...{ path: () => '/images', open: click('import') },
            fill: page => fill(page, 'source', 'https://images.example/debian.qcow2'),
            command: {
                verb: 'image import',
                args: { source: 'https://images.example/debian.qcow2', volume: 'default/debian.qcow2' },
            },
            method: 'debvisor.image.v1.ImageService/Import',
            request: { source: 'https://images.example/debian.qcow2', pool: 'default', name: 'debian.qcow2' },
        },
    ],
    [
        'a user',
        {
            ...{ path: () => '/users', open: click('add-user') },
            async fill(page) {
                await fill(page, 'name', 'kim')
                await fill(page, 'fullName', 'Kim Doe')
                await fill(page, 'password', 'long enough for anyone')
            },
            command: {
                ...{ verb: 'user create', args: { user: 'kim' } },
                options: { role: 'operator', 'full-name': 'Kim Doe' },
            },
            method: 'debvisor.identity.v1.IdentityService/CreateUser',
            request: { name: 'kim', role: 'operator', password: '[hidden]' },
            secret: 'long enough for anyone',
        },
    ],
    [
        'a grant',
        {
            ...{ path: () => `${web1()}/permissions`, open: click('add-grant') },
            fill: async page => void (await page.locator('[data-field=user]').selectOption('grit')),
            command: { verb: 'grant create', args: { user: 'grit', role: 'operator' } },
            method: 'debvisor.identity.v1.IdentityService/AddGrant',
            request: { user: 'grit', role: 'operator' },
        },
    ],
    [
        'a token',
        {
            ...{ path: () => '/account', open: click('new-token') },
            async fill(page) {
                await fill(page, 'name', 'nightly backup')
                await fill(page, 'scope', 'vm.view vm.snapshot')
            },
            command: {
                ...{ verb: 'token create', args: { name: 'nightly backup' } },
                ...{ lists: { scope: ['vm.view', 'vm.snapshot'] }, options: { days: '90' } },
            },
            method: 'debvisor.identity.v1.IdentityService/CreateToken',
            request: { name: 'nightly backup', scope: ['vm.view', 'vm.snapshot'], days: 90 },
        },
    ],
    [
        'a container',
        {
            ...{ path: () => '/containers', open: click('create-container') },
            async fill(page) {
                await fill(page, 'name', 'cache')
                await fill(page, 'image', 'valkey:8')
                await fill(page, 'ports', 'lan:6379:6379')
                await fill(page, 'environment', 'PASS=of this house')
                await fill(page, 'command', '--save\n60 1')
            },
            command: {
                ...{ verb: 'container create', args: { name: 'cache', image: 'valkey:8' } },
                lists: { publish: ['lan:6379:6379'], 'env-file': ['environment'], command: ['--save', '60 1'] },
                options: { restart: 'unless-stopped', start: 'true' },
            },
            method: 'debvisor.container.v1.ContainerService/Create',
            request: { name: 'cache', image: 'valkey:8', command: ['--save', '60 1'] },
            secret: 'of this house',
        },
    ],
    [
        'a stack',
        {
            path: () => '/create-stack',
            async open(page) {
                await page.locator('[data-entry="static-site"]').click()
                await page.locator('[data-field=name]').fill('site')
                await page.locator('[data-action=next]').click()
            },
            fill: page => page.locator('[data-plan]').waitFor(),
            command: { verb: 'stack create', args: { name: 'site' }, options: { from: 'static-site', up: 'true' } },
            method: 'debvisor.stack.v1.StackService/Create',
            request: { name: 'site', catalogue: 'static-site', up: true },
        },
    ],
]

test.each(forms)('%s', (_, form) =>
    insideOf({ browser, url: sim.url }, async page => {
        await page.goto(sim.url + form.path())
        await form.open(page)
        await form.fill(page)
        await page.getByRole('button', { name: 'The same without the panel' }).click()
        const [command = '', curl = ''] = await page.locator('[data-same] pre').allInnerTexts()
        expect(await parsed(command)).toMatchObject(form.command)
        expect(await asked(curl)).toMatchObject({ method: form.method, request: form.request })
        if (form.secret) expect(command + curl).not.toContain(form.secret)
        expect(curl).toMatch(/^curl --cacert panel\.crt -H @auth /)
    }),
)

test('a form that is not filled in yet says so instead', () =>
    insideOf({ browser, url: sim.url }, async page => {
        await page.goto(`${sim.url}${web1()}/hardware`)
        await page.locator('[data-action=add-disk]').click()
        await page.locator('[data-field=size]').fill('much')
        await page.getByRole('button', { name: 'The same without the panel' }).click()
        await page.getByText('The form is not filled in yet').waitFor()
        await page.locator('[data-field=size]').fill('20G')
        await page.locator('[data-same] pre').first().getByText('size=20G').waitFor()
    }))
