// A network that swallows what is sent and closes nothing: the page notices, says so, keeps what it showed, and comes back.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { type DaemonWorld, startDaemon } from '../real/world-daemon.ts'
import { launch, login, PASSWORD, visit } from './browser.ts'
import { buildPanel } from './build.ts'
import { type Swallowing, swallowing } from './swallowing.ts'

/** 8 s of quiet, 8 s for an answer, and what a busy machine adds. */
const NOTICED_MS = 30_000
/** The longest pause between two tries, and what such a machine adds; a half-open connection is Chromium's to give up. */
const BACK_MS = 60_000

let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let sim: SimServer
let daemon: DaemonWorld

beforeAll(async () => {
    panel = await buildPanel()
    ;[browser, daemon] = await Promise.all([launch(), startDaemon({ args: ['--panel', panel.folder] })])
    sim = await startSim({ vms: 20, panel: panel.folder })
    await daemon.client(IdentityService).createUser({ name: 'ann', role: 'admin', password: PASSWORD })
}, 300_000)
afterAll(async () => {
    await browser?.close()
    await sim?.close()
    await daemon?.stop()
    await panel?.remove()
})

const lost = (page: Page) => page.locator('[data-server=lost]').waitFor({ timeout: NOTICED_MS })
const back = (page: Page) => page.locator('[data-server=lost]').waitFor({ state: 'detached', timeout: BACK_MS })

async function through<T>(url: string, path: string, run: (page: Page, proxy: Swallowing) => Promise<T>): Promise<T> {
    const { port, protocol } = new URL(url)
    const proxy = await swallowing(Number(port))
    const { page, context, complaints } = await visit(browser, `${protocol}//127.0.0.1:${proxy.port}${path}`)
    try {
        return await run(page, proxy)
    } finally {
        expect(complaints).toEqual([])
        await context.close()
        await proxy.close()
    }
}

test('swallowed for a while: said within half a minute, the list stays, and goes on when packets come through again', () =>
    through(sim.url, '/vms', async (page, proxy) => {
        await login(page)
        await page.locator('[data-vm="app1"]').waitFor()
        proxy.swallow()
        await lost(page)
        await page.locator('[data-freshness=lost]').waitFor()
        expect(await page.locator('[data-vm="app1"]').count()).toBe(1)
        // What is asked for meanwhile is answered too, and nothing hangs.
        await page.getByRole('button', { name: 'Actions for app1', exact: true }).click()
        await page.locator('[data-action=shutdown], [data-action=start]').first().click()
        await page.getByText('The server did not answer').waitFor({ timeout: NOTICED_MS })
        proxy.pass()
        await back(page)
        await page.locator('[data-freshness=lost]').waitFor({ state: 'detached' })
    }))

test.each([
    ['a page of lists', '/vms'],
    ['a page without a stream of its own', '/users'],
])('%s over connections that are half open for ever: it comes back over new ones', (_, path) =>
    through(daemon.url, path, async (page, proxy) => {
        await login(page, 'ann')
        await page.getByRole('heading', { level: 1 }).first().waitFor()
        expect(await page.evaluate(() => performance.getEntriesByType('navigation')[0])).toMatchObject({
            nextHopProtocol: 'h2',
        })
        await page.locator('[data-server=live]').waitFor()
        proxy.swallow()
        await lost(page)
        proxy.forget()
        await back(page)
    }),
)

test('a console says that it has ended, and is opened again', () =>
    through(sim.url, '/vms', async (page, proxy) => {
        await login(page)
        const { uuid } = sim.world.find('web1')!.detail.vm!
        await page.goto(`http://127.0.0.1:${proxy.port}/console/${uuid}`)
        await page.locator('[data-console=connected] canvas').waitFor()
        proxy.swallow()
        await page.locator('[data-console=ended]').waitFor({ timeout: NOTICED_MS })
        proxy.pass()
        await page.locator('[data-action=reconnect]').click()
        await page.locator('[data-console=connected] canvas').waitFor()
    }))
