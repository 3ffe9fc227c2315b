// The page of the node's document against the real daemon and a real rootd, which works on a folder: applied, killed, taken
// up, and told in the audit log without a secret.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuditService } from '../../src/gen/proto/capabilities/audit/audit_pb.js'
import { ProvisionService } from '../../src/gen/proto/capabilities/node/provision_pb.js'
import { until } from '../real/world.ts'
import { type DaemonWorld, startDaemon } from '../real/world-daemon.ts'
import { launch, PASSWORD, type Visit, visit } from './browser.ts'
import { buildPanel } from './build.ts'

const MINUTE_MS = 60_000
const socket = `/tmp/dv-rootd-${process.pid}.sock`
let panel: Awaited<ReturnType<typeof buildPanel>>
let world: DaemonWorld
let rootd: ChildProcess | undefined
let browser: Browser
let at: Visit
let page: Page

const node = (...names: string[]) => join(world.folder, 'the-node', ...names)

async function startRootd(): Promise<void> {
    const argv = ['--import', 'tsx', 'tests/real/rootd-victim.ts', node()]
    const child = spawn(process.execPath, [...argv, '--socket', socket, '--group', '', '--state', world.folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
    })
    rootd = child
    let said = ''
    child.stdout.on('data', data => {
        said += data
    })
    await until('rootd to be ready', MINUTE_MS, () => said.includes('ready\n'))
}
async function killRootd(): Promise<void> {
    const child = rootd
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
}

beforeAll(async () => {
    panel = await buildPanel()
    const args = ['--panel', panel.folder, '--rootd', socket]
    ;[world, browser] = await Promise.all([startDaemon({ args }), launch()])
    for (const name of ['etc', 'run', 'var', 'dev']) await mkdir(node(name), { recursive: true })
    await writeFile(node('etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\n')
    await writeFile(node('etc/group'), 'root:x:0:\n')
    at = await visit(browser, new URL(world.firstLogin!, world.url).href)
    page = at.page
    page.setDefaultTimeout(MINUTE_MS)
    await page.locator('[data-field=password]').fill(PASSWORD)
    await page.locator('[data-field=repeat]').fill(PASSWORD)
    await page.locator('[data-action=first-login]').click()
    await page.locator('[data-me=admin]').waitFor()
}, 5 * MINUTE_MS)
afterAll(async () => {
    await killRootd()
    await rm(socket, { force: true })
    await browser?.close()
    await world?.stop()
    await panel?.remove()
})

const editor = () => page.getByRole('textbox', { name: 'Document of the node, YAML' })
async function write(text: string): Promise<void> {
    await editor().click()
    await page.keyboard.press('Control+a')
    await page.keyboard.press('Delete')
    await page.keyboard.insertText(text)
    await page.getByText('No mistakes found.').waitFor()
}
async function apply(password?: string): Promise<void> {
    await page.locator('[data-action=show-plan]').click()
    await page.locator('[data-action=apply]').click()
    if (password) await page.locator('[data-field=password]').fill(password)
    await page.locator('[data-action=submit]').click()
}

test('without the root service the page says why not, and what to do', async () => {
    await page.locator('[data-nav="/node"]').click()
    await page.locator('[data-action=configure]').click()
    await page.getByText('The root service of this node does not run').first().waitFor()
    await page.getByText('systemctl start debvisor-rootd.socket').first().waitFor()
    await startRootd()
    await page.getByRole('button', { name: 'Try again' }).first().click()
    await page.getByText('This node has no document yet').waitFor()
})

test('from a draft to a node that is what its document says', async () => {
    await page.locator('[data-action=draft-zfs]').click()
    await write('note: hello\n')
    await apply(PASSWORD)
    await page.locator('[data-ended=done]').waitFor()
    expect(await readFile(node('etc/note'), 'utf8')).toBe('hello\n')
    expect(await readFile(node('etc/debvisor/node.yaml'), 'utf8')).toBe('note: hello\n')
    await page.locator('[data-drift=no]').waitFor()
    await writeFile(node('etc/note'), 'by hand\n')
    await page.locator('[data-action=verify]').click()
    await page.locator('[data-drift=yes]').waitFor()
    await page.locator('[data-differs]').getByText('/etc/note').waitFor()
})

test('killed in the middle, it shows as cut off, and the next apply goes on', async () => {
    await write('note: hello\nslow: 30\n')
    // The password of before is still good.
    await apply()
    await until(
        'some steps to be done',
        MINUTE_MS,
        async () => (await readdir(node('var/slow')).catch(() => [])).length > 2,
    )
    await killRootd()
    await startRootd()
    await page.locator('[data-ended=interrupted]').waitFor()
    await page.locator('[data-apply] [data-state=interrupted]').waitFor()
    await write('note: hello\nslow: 5\n')
    // Rootd has forgotten who confirmed: it is asked again.
    await apply()
    await page.locator('[data-field=password]').fill(PASSWORD)
    await page.locator('[data-action=submit]').click()
    await page.locator('[data-ended=done]').waitFor()
    expect((await readdir(node('var/slow'))).length).toBeGreaterThanOrEqual(5)
})

test('all of it is in the audit log, and no secret is', async () => {
    const { records } = await world.client(AuditService).list({ limit: 100 })
    const whats = records.filter(one => one.what.startsWith('node.')).map(one => `${one.who} ${one.what} ${one.result}`)
    expect(whats).toContain('admin node.Confirm done')
    expect(whats).toContain('admin node.Apply begun')
    const applies = records.filter(one => one.what === 'node.Apply' && one.result === 'intent')
    expect(applies[0]!.detail).toContain('note: hello')
    expect(JSON.stringify(records.map(one => one.detail))).not.toContain(PASSWORD)
    expect(applies[0]!.detail).toMatch(/"confirmationToken":"\[hidden\]"/)
})

test('root of the node gets no confirmation over the API, and is told what to type', async () => {
    const refused = world.client(ProvisionService).confirm({ password: PASSWORD })
    await expect(refused).rejects.toThrow('Root has no password here that could be checked')
    expect(at.complaints.filter(one => !/ERR_|Failed to load/.test(one))).toEqual([])
})
