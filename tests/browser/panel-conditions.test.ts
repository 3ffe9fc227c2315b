// The panel where the world is not kind, in a real Chromium over the simulated node: a slow network, two tabs, a wrong clock.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { State } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { launch, login, PASSWORD, visit } from './browser.ts'
import { buildPanel } from './build.ts'
import { eventually, insideOf } from './sim-page.ts'

let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let sim: SimServer

beforeAll(async () => {
    ;[panel, browser] = await Promise.all([buildPanel(), launch()])
    sim = await startSim({ vms: 40, churn: 20, panel: panel.folder })
})
afterAll(async () => {
    await browser?.close()
    await sim?.close()
    await panel?.remove()
})

const stateOf = (page: Page, name: string) =>
    page.locator(`[data-vm="${name}"] [data-state]`).getAttribute('data-state')
const pressMenu = async (page: Page, name: string, action: string): Promise<void> => {
    await page.getByRole('button', { name: `Actions for ${name}`, exact: true }).click()
    await page.locator(`[data-action="${action}"]`).click()
}

// Chromium's own 'Slow 3G', as its developer tools have it.
const SLOW_3G = { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 }

test('over slow 3G it comes, says meanwhile that it loads, and a machine can be started', async () => {
    const context: BrowserContext = await browser.newContext({ locale: 'en-GB', ignoreHTTPSErrors: true })
    const page = await context.newPage()
    page.setDefaultTimeout(90_000)
    const complaints: string[] = []
    page.on('pageerror', error => complaints.push(error.message))
    const devtools = await context.newCDPSession(page)
    await devtools.send('Network.enable')
    await devtools.send('Network.emulateNetworkConditions', SLOW_3G)
    const began = performance.now()
    await page.goto(`${sim.url}/vms`)
    await login(page)
    await page.locator('[data-vm="app1"]').waitFor()
    console.log(`slow 3G: logged in and the list there after ${((performance.now() - began) / 1000).toFixed(1)} s`)
    // A page whose parts are still on their way is not empty.
    await page.locator('[data-nav="/audit"]').click()
    await page.getByRole('progressbar', { name: 'Loading' }).first().waitFor()
    await page.locator('[data-record]').first().waitFor()
    await page.locator('[data-nav="/vms"]').click()
    const off = [...sim.world.vms.values()].find(
        one => one.detail.vm?.state === State.STOPPED && !one.detail.vm.template,
    )!.detail.vm!.name
    await page.getByPlaceholder(/Search by name/).fill(off)
    await pressMenu(page, off, 'start')
    await eventually(() => sim.world.find(off)!.detail.vm!.state).not.toBe(State.STOPPED)
    expect(complaints).toEqual([])
    await context.close()
})

test('two tabs: what one does the other shows; logged out in one, the other asks in place and goes on', () =>
    insideOf({ browser, url: sim.url }, async (first, { context, complaints }) => {
        const second = await context.newPage()
        second.setDefaultTimeout(15_000)
        await second.goto(`${sim.url}/vms`)
        await second.locator('[data-vm="app1"]').waitFor()
        const before = await stateOf(second, 'app1')
        await pressMenu(first, 'app1', before === 'RUNNING' ? 'stop' : 'start')
        const submit = first.locator('[data-action=submit]')
        if (before === 'RUNNING') await submit.click()
        await eventually(() => stateOf(second, 'app1')).not.toBe(before)

        await second.goto(`${sim.url}/vms/${sim.world.find('db1')!.detail.vm!.uuid}/settings`)
        await second.locator('[data-field=description]').fill('typed in the second tab')
        await first.getByRole('button', { name: 'admin' }).click()
        await first.getByRole('menuitem', { name: 'Log out' }).click()
        await first.getByLabel('Password').waitFor()
        await second.locator('[data-action=save]').click()
        const again = second.locator('[data-dialog=login]')
        await again.locator('[data-field=password]').fill(PASSWORD)
        await again.locator('[data-action=login]').click()
        await second.getByText('Saved').waitFor()
        expect(sim.world.find('db1')!.detail.vm!.description).toBe('typed in the second tab')
        complaints.length = 0
    }))

test.each([
    ['a day behind', -86_400_000],
    ['a day ahead', 86_400_000],
])(
    'a browser whose clock is %s: charts are drawn, nothing runs in the future, and who confirms goes on',
    async (_, skewMs) => {
        const { page, context, complaints } = await visit(browser, 'about:blank')
        await page.addInitScript(skew => {
            const Real = Date
            const shifted = function (this: unknown, ...given: unknown[]) {
                if (!new.target) return new Real(Real.now() + skew).toString()
                return given.length === 0
                    ? new Real(Real.now() + skew)
                    : new (Real as unknown as new (...all: unknown[]) => Date)(...given)
            }
            Object.setPrototypeOf(shifted, Real)
            shifted.prototype = Real.prototype
            shifted.now = () => Real.now() + skew
            window.Date = shifted as unknown as DateConstructor
        }, skewMs)
        await page.goto(`${sim.url}/vms`)
        await login(page)
        await page.goto(`${sim.url}/vms/${sim.world.find('web1')!.detail.vm!.uuid}`)
        await page.locator('[data-chart] canvas').first().waitFor()
        sim.world.begin({
            kind: 'image.import',
            title: 'Import',
            owner: 'admin',
            durationMs: 600_000,
            log: ['Copying'],
        })
        await page.goto(`${sim.url}/tasks`)
        await page.locator('[data-task]').first().waitFor()
        const words = await page.locator('main').textContent()
        expect(words).not.toMatch(/\bin \d+ (hours?|days?)|tomorrow/)
        // A confirmation is good for five minutes by the clock of the node; the browser's may say otherwise, twice over.
        await page.goto(`${sim.url}/node/certificate`)
        for (let i = 0; i < 2; i++) {
            await page.locator('[data-action=use-acme]').click()
            const password = page.locator('[data-field=password]')
            if (await password.count()) await password.fill(PASSWORD)
            await page.locator('[data-field=agree]').check()
            await page.locator('[data-action=submit]').click()
            await page.locator('[data-action=submit]').waitFor({ state: 'detached' })
        }
        expect(complaints).toEqual([])
        await context.close()
    },
)
