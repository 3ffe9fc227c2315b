// The shell of root in the panel, against the real daemon and a real rootd: asked for, typed into, resized, cut off, recorded.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuditService } from '../../src/gen/proto/capabilities/audit/audit_pb.js'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { ShellService } from '../../src/gen/proto/capabilities/shell/shell_pb.js'
import { until } from '../real/world.ts'
import { type DaemonWorld, startDaemon } from '../real/world-daemon.ts'
import { launch, PASSWORD, type Visit, visit } from './browser.ts'
import { buildPanel } from './build.ts'

const MINUTE_MS = 60_000
const socket = `/tmp/dv-rootd-shell-${process.pid}.sock`
let panel: Awaited<ReturnType<typeof buildPanel>>
let world: DaemonWorld
let rootd: ChildProcess | undefined
let browser: Browser
let at: Visit
let page: Page

async function startRootd(): Promise<void> {
    const node = join(world.folder, 'the-node')
    await mkdir(join(node, 'run'), { recursive: true })
    const argv = ['--import', 'tsx', 'tests/real/rootd-victim.ts', node]
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

beforeAll(async () => {
    panel = await buildPanel()
    ;[world, browser] = await Promise.all([
        startDaemon({ args: ['--panel', panel.folder, '--rootd', socket] }),
        launch(),
    ])
    await startRootd()
    at = await visit(browser, new URL(world.firstLogin!, world.url).href)
    page = at.page
    page.setDefaultTimeout(MINUTE_MS)
    await page.locator('[data-field=password]').fill(PASSWORD)
    await page.locator('[data-field=repeat]').fill(PASSWORD)
    await page.locator('[data-action=first-login]').click()
    await page.locator('[data-me=admin]').waitFor()
}, 5 * MINUTE_MS)
afterAll(async () => {
    rootd?.kill('SIGKILL')
    await rm(socket, { force: true })
    await browser?.close()
    await world?.stop()
    await panel?.remove()
})

const screen = async () => (await page.locator('.xterm-accessibility-tree > *').allTextContents()).join('\n')
const says = (what: RegExp) => expect.poll(screen, { timeout: 15_000 }).toMatch(what)
const type = (text: string) => page.keyboard.type(`${text}\n`)
const recorded = async () => {
    const { records } = await world.client(AuditService).list({ limit: 100 })
    return records.filter(one => one.what.startsWith('shell.')).map(one => `${one.who} ${one.what} ${one.result}`)
}

test('nothing opens by coming to the page, or without the right password', async () => {
    await page.locator('[data-nav="/node"]').click()
    await page.locator('[data-tab="/node/shell"]').click()
    await page.locator('[data-action=open-shell]').waitFor()
    expect(await page.locator('[data-action=open-shell]').isDisabled()).toBe(true)
    await page.locator('[data-field=password]').fill('not the password')
    await page.locator('[data-action=open-shell]').click()
    await page.locator('[data-trouble]').getByText('The password is wrong').waitFor()
    const answer = await page.evaluate(async () => {
        const path = '/debvisor.shell.v1.ShellService/Open'
        const asked = await fetch(path, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
        return { status: asked.status, text: await asked.text() }
    })
    expect(answer.status).toBe(403)
    expect(answer.text).toContain('This is to be confirmed with your password')
})

test('a login shell of root at a real terminal, which follows the size of the window', async () => {
    await page.locator('[data-field=password]').fill(PASSWORD)
    await page.locator('[data-action=open-shell]').click()
    await page.locator('[data-console=connected] .xterm').waitFor()
    await type('echo I am $(id -un), asked for by $DEBVISOR_USER, at $(tty)')
    await says(/I am root, asked for by admin, at \/dev\/pts\/\d+/)
    // Calculated, so that what was typed is not what is looked for.
    await type('echo size=$(stty size | tr " " x)')
    await says(/size=\d+x\d+/)
    const wide = /size=(\d+)x(\d+)/.exec(await screen())!
    await page.setViewportSize({ width: 1000, height: 700 })
    await type('clear; sleep 0.5; echo small=$(stty size | tr " " x)')
    await says(/small=\d+x\d+/)
    const small = /small=(\d+)x(\d+)/.exec(await screen())!
    expect(Number(small[2])).toBeLessThan(Number(wide[2]))
    expect(Number(small[2])).toBeGreaterThan(40)
    expect(await recorded()).toContain('admin shell.open done')
})

test('its end is told and recorded; another one needs no second password while that is fresh', async () => {
    await type('exit')
    await page.locator('[data-console=ended]').waitFor()
    await until('the end to be recorded', MINUTE_MS, async () => (await recorded()).includes('admin shell.close done'))
    await page.locator('[data-action=another-shell]').click()
    await page.getByText('You have confirmed who you are').waitFor()
    await page.locator('[data-action=open-shell]').click()
    await page.locator('[data-console=connected] .xterm').waitFor()
})

test('it ends with the session, and with it all that runs in it; what was typed is in no log', async () => {
    const pidFile = join(world.folder, 'shell.pid')
    await type(`echo $$ > ${pidFile}; sleep 1000`)
    const read = () => readFile(pidFile, 'utf8').catch(() => '')
    await until('the shell to run', MINUTE_MS, async () => (await read()).includes('\n'))
    const pid = (await read()).trim()
    const alive = () =>
        readFile(`/proc/${pid}/stat`, 'utf8').then(
            () => true,
            () => false,
        )
    expect(await alive()).toBe(true)
    await world.client(IdentityService).revokeSessions({ user: 'admin' })
    await page.locator('[data-console=ended]').waitFor()
    await until('the shell to be gone', MINUTE_MS, async () => !(await alive()))
    const { records } = await world.client(AuditService).list({ limit: 100 })
    const text = JSON.stringify(records.map(one => one.detail)) + world.log()
    for (const secret of [PASSWORD, 'sleep 1000']) expect(text).not.toContain(secret)
    expect(at.complaints.filter(one => !/ERR_|Failed to load/.test(one))).toEqual([])
})

test('the same in a terminal: the password first, then the shell, which reads what comes after it', async () => {
    const certificate = join(world.folder, 'pki/panel.crt')
    const env = { ...process.env, XDG_CONFIG_HOME: join(world.folder, 'elsewhere'), NODE_EXTRA_CA_CERTS: certificate }
    const debvisor = async (line: string, stdin: string) => {
        const argv = ['--import', 'tsx', 'src/apps/cli/main.ts', ...line.split(' ')]
        const running = promisify(execFile)(process.execPath, argv, { env, timeout: MINUTE_MS })
        running.child.stdin?.end(stdin)
        return running
    }
    await debvisor(`login ${world.url} --user admin --yes`, `${PASSWORD}\n`)
    await expect(debvisor('node shell', 'not the password\n')).rejects.toThrow('The password is wrong')
    const { stdout, stderr } = await debvisor(
        'node shell',
        `${PASSWORD}\necho I am $(id -un) of $DEBVISOR_USER\nexit\n`,
    )
    expect(stdout).toContain('I am root of admin')
    expect(stderr).toContain('the shell has ended')
    expect(stdout + stderr).not.toContain(PASSWORD)
    await until('both to be recorded', MINUTE_MS, async () => (await recorded()).length >= 6)
})

test('root of the node is told that it has one', async () => {
    await expect(world.client(ShellService).open({})).rejects.toThrow('You are root of this node already')
})
