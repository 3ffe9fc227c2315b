// The certificate's tab in a real Chromium over the simulated node: whom it is shown to, the ways to another one, markup as text.
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { launch, PASSWORD, type VisitOptions } from './browser.ts'
import { buildPanel } from './build.ts'
import { insideOf, settled } from './sim-page.ts'

let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let sim: SimServer

beforeAll(async () => {
    ;[panel, browser] = await Promise.all([buildPanel(), launch()])
})
afterAll(async () => {
    await browser?.close()
    await panel?.remove()
})
beforeEach(async () => {
    sim = await startSim({ vms: 3, hostile: true, panel: panel.folder })
    return () => sim.close()
})

const inside = <T>(run: (page: Page) => Promise<T>, options: VisitOptions & { user?: string } = {}): Promise<T> =>
    insideOf({ browser, url: sim.url }, run, options)
const grave = async (page: Page) => {
    await page.evaluate(axe.source)
    const { violations } = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run())
    return violations.filter(one => one.impact === 'serious' || one.impact === 'critical').map(one => one.id)
}

test('got by ACME, renewed, replaced by one’s own, and back', () =>
    inside(async page => {
        await page.goto(`${sim.url}/node/certificate`)
        await page.locator('[data-source=self-signed]').waitFor()
        expect(await page.locator('[data-action=self-signed]').count()).toBe(0)
        await page.locator('[data-action=use-acme]').click()
        // What no authority gives a certificate for is not proposed.
        expect(await page.locator('[data-field=names]').inputValue()).toBe('node1.example.org')
        await page.locator('[data-field=password]').fill(PASSWORD)
        expect(await page.locator('[data-action=submit]').isDisabled()).toBe(true)
        await page.locator('[data-field=agree]').check()
        // By DNS, server and key are needed, too.
        await page.locator('[data-field=challenge]').selectOption('dns')
        await page.getByText('need not be reached from outside').waitFor()
        expect(await page.locator('[data-action=submit]').isDisabled()).toBe(true)
        await page.locator('[data-field=server]').fill('192.0.2.53#5353')
        await page.locator('[data-field=keyName]').fill('debvisor')
        await page.locator('[data-field=keySecret]').fill('c2VjcmV0IHNlY3JldA==')
        expect(await page.locator('[data-action=submit]').isDisabled()).toBe(false)
        await page.locator('[data-field=challenge]').selectOption('http')
        await page.locator('[data-action=submit]').click()
        await page.locator('[data-source=acme]').waitFor()
        await page.getByText('<img src=x').first().waitFor()
        await page.locator('[data-action=renew]').click()
        await page.locator('[data-action=use-own]').click()
        await page.locator('[data-field=certificate]').fill('hello')
        await page.locator('[data-field=private_key]').fill('hello')
        await page.locator('[data-action=submit]').click()
        await page.locator('[data-trouble]').getByText('That certificate cannot be used').waitFor()
        await page.locator('[data-field=certificate]').fill('-----BEGIN CERTIFICATE-----')
        await page.locator('[data-action=submit]').click()
        await page.getByText('This would be shown').waitFor()
        await page.getByText('You have confirmed who you are').waitFor()
        await page.locator('[data-action=submit]').click()
        await page.locator('[data-source=own]').waitFor()
        // What needs care is said on the first page, too.
        await page.locator('[data-nav="/overview"]').click()
        await page.getByText('The certificate runs out soon').waitFor()
        await page.goto(`${sim.url}/node/certificate`)
        await page.locator('[data-action=self-signed]').click()
        await page.locator('[data-field=password]').fill(PASSWORD)
        await page.locator('[data-action=submit]').click()
        await page.locator('[data-source=self-signed]').waitFor()
        expect(await page.evaluate(() => (window as unknown as { hacked?: number }).hacked)).toBeUndefined()
    }))

test('who may not change it sees it alone', () =>
    inside(
        async page => {
            await page.goto(`${sim.url}/node/certificate`)
            await page.locator('[data-certificate]').waitFor()
            expect(await page.locator('[data-action=use-acme], [data-action=use-own]').count()).toBe(0)
        },
        { user: 'vera' },
    ))

test.each(['light', 'dark'] as const)('axe finds nothing serious, and nothing sticks out on a phone (%s)', theme =>
    inside(
        async page => {
            await page.goto(`${sim.url}/node/certificate`)
            await page.locator('[data-certificate]').waitFor()
            await settled(page)
            expect(await grave(page)).toEqual([])
            for (const dialog of ['use-acme', 'use-own']) {
                await page.locator(`[data-action=${dialog}]`).click()
                await page.locator('[data-action=submit]').waitFor()
                const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
                expect(over, dialog).toBeLessThanOrEqual(0)
                expect(await grave(page), dialog).toEqual([])
                await page.getByRole('button', { name: 'Cancel' }).click()
            }
        },
        { theme, width: 390, height: 844 },
    ),
)
