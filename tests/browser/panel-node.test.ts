// The pages of the node in a real Chromium over the simulated node: disks, services, journal, about.
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { launch, PASSWORD, type VisitOptions } from './browser.ts'
import { buildPanel } from './build.ts'
import { eventually, insideOf, settled } from './sim-page.ts'

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

test('each disk with what it says of its health', () =>
    inside(async page => {
        await page.goto(`${sim.url}/node`)
        await page.locator('[data-tab="/node/disks"]').click()
        await page.locator('[data-node-disk="/dev/nvme0n1"] [data-health=ok]').waitFor()
        await page.locator('[data-node-disk="/dev/nvme0n1"]').getByText('38 °C').waitFor()
        const bad = page.locator('[data-node-disk="/dev/sdb"]')
        await bad.locator('[data-health=signs]').waitFor()
        await bad.getByText('8 sectors that cannot be read').waitFor()
        // Markup in what a disk calls itself is text.
        await bad.getByText('<img src=x').waitFor()
        expect(await page.evaluate(() => (window as unknown as { hacked?: number }).hacked)).toBeUndefined()
    }))

test('a service that failed stands first, and leads to its journal, which is followed and filtered', () =>
    inside(async page => {
        await page.goto(`${sim.url}/node/services`)
        await page.locator('[data-unit]').first().waitFor()
        expect(await page.locator('[data-unit]').first().getAttribute('data-unit')).toBe('nfs-mountd.service')
        await page.getByLabel('Only those that failed').check()
        await eventually(() => page.locator('[data-unit]').count()).toBe(1)
        await page.getByLabel('Only those that failed').uncheck()
        await page.getByRole('link', { name: 'Journal of ssh.service' }).click()
        await eventually(() => new URL(page.url()).search).toBe('?unit=ssh.service')
        const entries = page.locator('[data-entry]')
        await entries.first().waitFor()
        const before = await entries.count()
        await eventually(() => entries.count()).toBeGreaterThan(before)
        expect(await page.locator('[data-entry]:not([data-entry=sshd])').count()).toBe(0)
        await page.getByPlaceholder('Text in it').fill('no such words')
        await page.getByText('Nothing fits').waitFor()
        await page.goto(`${sim.url}/node/journal?priority=3`)
        await entries.first().waitFor()
        await eventually(() => page.locator('[data-priority="6"]').count()).toBe(0)
        await page.getByLabel('Follow').uncheck()
        await entries.first().waitFor()
    }))

test('the journal is for administrators', () =>
    inside(
        async page => {
            await page.goto(`${sim.url}/node/services`)
            await page.locator('[data-unit="ssh.service"]').waitFor()
            expect(await page.locator('[data-tab="/node/journal"]').count()).toBe(0)
            expect(await page.getByRole('link', { name: /^Journal of/ }).count()).toBe(0)
        },
        { user: 'vera' },
    ))

test('versions and licences', () =>
    inside(async page => {
        await page.goto(`${sim.url}/node/about`)
        await page.locator('[data-part=react]').getByText('MIT').waitFor()
        await page.getByText('GNU Affero General Public License').waitFor()
    }))

test.each(['light', 'dark'] as const)(
    'axe finds nothing serious on any of them, and nothing sticks out on a phone (%s)',
    theme =>
        inside(
            async page => {
                for (const path of ['disks', 'services', 'journal', 'shell', 'about']) {
                    await page.goto(`${sim.url}/node/${path}`)
                    await page.locator('h1').waitFor()
                    await settled(page)
                    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
                    expect(over, path).toBeLessThanOrEqual(0)
                    await page.evaluate(axe.source)
                    const { violations } = await page.evaluate(() =>
                        (window as unknown as { axe: typeof axe }).axe.run({ resultTypes: ['violations'] }),
                    )
                    const grave = violations.filter(v => v.impact === 'serious' || v.impact === 'critical')
                    expect(grave.map(v => `${path}: ${v.id}: ${v.nodes[0]?.html.slice(0, 160)}`)).toEqual([])
                }
            },
            { theme, width: 390, height: 844 },
        ),
)

test('a shell of root is opened by a decision and a password, and not offered to others', async () => {
    await inside(async page => {
        await page.goto(`${sim.url}/node/shell`)
        await page.locator('[data-action=open-shell]').waitFor()
        expect(await page.locator('.xterm').count()).toBe(0)
        await page.locator('[data-field=password]').fill(PASSWORD)
        await page.locator('[data-action=open-shell]').click()
        await page.locator('[data-console=connected] .xterm').waitFor()
        await page.keyboard.type('hello\r')
        const said = async () => (await page.locator('.xterm-accessibility-tree > *').allTextContents()).join('\n')
        await eventually(said).toContain('hello')
    })
    await inside(
        async page => {
            await page.goto(`${sim.url}/node`)
            await page.locator('[data-tab="/node/certificate"]').waitFor()
            expect(await page.locator('[data-tab="/node/shell"]').count()).toBe(0)
            // By its address, too.
            await page.goto(`${sim.url}/node/shell`)
            await page.locator('h1').waitFor()
            await settled(page)
            expect(await page.locator('[data-action=open-shell]').count()).toBe(0)
        },
        { user: 'olga' },
    )
})
