// The cloud-init tab of a VM in a real Chromium over the simulated node: looked at, given anew, taken away.
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { launch, type VisitOptions } from './browser.ts'
import { buildPanel } from './build.ts'
import { insideOf, settled } from './sim-page.ts'

let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let sim: SimServer

beforeAll(async () => {
    ;[panel, browser] = await Promise.all([buildPanel(), launch()])
    sim = await startSim({ vms: 5, hostile: true, panel: panel.folder })
})
afterAll(async () => {
    await browser?.close()
    await sim?.close()
    await panel?.remove()
})

const inside = <T>(run: (page: Page) => Promise<T>, options: VisitOptions & { user?: string } = {}): Promise<T> =>
    insideOf({ browser, url: sim.url }, run, options)
const machine = () => [...sim.world.vms.values()][0]!.detail
const address = () => `${sim.url}/vms/${machine().vm!.uuid}/cloud-init`

test('none, then a login, then whole user-data, then none again; markup in it is text', () =>
    inside(async page => {
        machine().hasSeed = false
        await page.goto(address())
        await page.getByText('No cloud-init seed').waitFor()
        await page.locator('[data-action=set-seed]').click()
        await page.getByText('Nobody will be able to log in').or(page.locator('[data-plan]')).first().waitFor()
        await page.locator('[data-field=user]').fill('bob')
        await page.locator('[data-field=password]').fill('a new password')
        await page.locator('[data-plan]').getByText('new instance-id').waitFor()
        await page.locator('[data-action=submit]').click()
        await page.locator('[data-seed-file=user-data]').getByText('name: bob').waitFor()
        await page.locator('[data-action=set-seed]').click()
        await page.locator('[data-field=whole]').check()
        await page.locator('[data-field=userData]').fill('#cloud-config\npackages: [jq]\n')
        await page.locator('[data-plan]').waitFor()
        await page.locator('[data-action=submit]').click()
        await page.locator('[data-seed-file=user-data]').getByText('packages: [jq]').waitFor()
        await page.locator('[data-seed-file=user-data]').getByText('<img src=x').waitFor()
        expect(await page.evaluate(() => (window as unknown as { hacked?: number }).hacked)).toBeUndefined()
        await page.locator('[data-action=remove-seed]').click()
        await page.locator('[data-action=submit]').click()
        await page.getByText('No cloud-init seed').waitFor()
    }))

test('who may only look is told that there is one, and not what it says', () =>
    inside(
        async page => {
            machine().hasSeed = true
            await page.goto(address())
            await page.getByText('shown to those who may change the hardware').waitFor()
            expect(await page.locator('[data-seed], [data-action=set-seed], [data-action=remove-seed]').count()).toBe(0)
        },
        { user: 'vera' },
    ))

test.each(['light', 'dark'] as const)('axe finds nothing serious, and nothing sticks out on a phone (%s)', theme =>
    inside(
        async page => {
            machine().hasSeed = true
            await page.goto(address())
            await page.locator('[data-seed]').waitFor()
            await settled(page)
            const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
            expect(over).toBeLessThanOrEqual(0)
            await page.evaluate(axe.source)
            const { violations } = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run())
            const grave = violations.filter(one => one.impact === 'serious' || one.impact === 'critical')
            expect(grave.map(one => one.id)).toEqual([])
        },
        { theme, width: 390, height: 844 },
    ),
)
