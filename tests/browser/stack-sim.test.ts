// The pages of stacks over the simulated node: from the catalogue to what runs, changed, brought back, whatever it holds.
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { launch, type Visit, type VisitOptions } from './browser.ts'
import { buildPanel } from './build.ts'
import { eventually, insideOf, settled } from './sim-page.ts'

let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let sim: SimServer
let crowd: SimServer

beforeAll(async () => {
    ;[panel, browser] = await Promise.all([buildPanel(), launch()])
    sim = await startSim({ vms: 4, panel: panel.folder })
    crowd = await startSim({ vms: 1, containers: 10, hostile: true, panel: panel.folder })
})
afterAll(async () => {
    await browser?.close()
    await sim?.close()
    await crowd?.close()
    await panel?.remove()
})

const inside = <T>(
    run: (page: Page, at: Visit) => Promise<T>,
    options: VisitOptions & { user?: string; url?: string } = {},
): Promise<T> => insideOf({ browser, url: options.url ?? sim.url }, run, options)
const open = async (page: Page, name: string, tab = '', url = sim.url): Promise<void> => {
    await page.goto(`${url}/stacks/${name}${tab && `/${tab}`}`)
    await page.getByRole('heading', { name, exact: true }).waitFor()
}
const submit = (page: Page) => page.locator('[data-action=submit]').click()

test('three screens from the catalogue to a running site, with the plan read first', async () => {
    await inside(async page => {
        await page.locator('[data-nav="/stacks"]').click()
        await page.locator('[data-stack="shop"]').waitFor()
        await page.locator('[data-action=create-stack]').click()
        await page.locator('[data-step="1"] [data-entry="static-site"]').click()
        await page.locator('[data-step="2"]').waitFor()
        await page.locator('[data-field=name]').fill('site')
        await page.locator('[data-field=PORT]').fill('18080')
        await page.locator('[data-action=next]').click()
        await page.locator('[data-step="3"]').getByText('Make and start the container site-web-1').waitFor()
        expect(sim.world.stacks.has('site')).toBe(false)
        await page.locator('[data-action=create]').click()
        await page.getByRole('heading', { name: 'site', exact: true }).waitFor()
        await page.locator('[data-state=RUNNING]').first().waitFor()
        // The catalogue's site is for others, and the page says so.
        await page.locator('[data-port="18080"] [data-open=true]').waitFor()
        await page.locator('[data-service="web"] [data-shell="web"]').click()
        await page.locator('[data-console=connected]').waitFor()
    })
})

test('a change of the file is checked line by line, read as a plan, kept as a version, and taken back', async () => {
    await inside(async page => {
        await open(page, 'shop', 'file')
        const editor = page.locator('[data-editor=document] .cm-content')
        await editor.click()
        await page.keyboard.press('Control+End')
        await page.keyboard.type('  mine:\n  driver_optz: x')
        await page.getByText('Did you mean driver_opts?').waitFor()
        await page.locator('[data-action=discard]').click()
        await page.locator('[data-changed=false]').waitFor()
        // What may stand at the cursor.
        await editor.click()
        await page.keyboard.press('Control+Home')
        await page.keyboard.press('Control+Space')
        await page.locator('.cm-tooltip-autocomplete').getByText('networks').waitFor()
        await page.keyboard.press('Escape')
        await page.keyboard.type('# Mine.\n')
        await page.locator('[data-variable="TITLE"] input').nth(1).fill('The new shop')
        await page.locator('[data-field=note]').fill('a new title')
        await page.locator('[data-action=show-plan]').click()
        await page.getByText('Keep this as version 3 of the stack shop').waitFor()
        await submit(page)
        await eventually(() => sim.world.stacks.get('shop')!.applied).toBe(3)
        const [newest] = sim.world.stacks.get('shop')!.versions
        expect(newest!.file.startsWith('# Mine.\n')).toBe(true)
        // The secret that was not typed again is still what it was.
        expect(newest!.values).toEqual([
            { name: 'PASSWORD', value: 'a secret of this house', secret: true },
            { name: 'TITLE', value: 'The new shop', secret: false },
        ])
        await page.locator('[data-tab=history]').click()
        await page.locator('[data-version="3"] [data-runs="3"]').waitFor()
        await page.locator('[data-version="1"] [data-action=show]').click()
        await page.getByText('nginx:1.26').waitFor()
        await page.locator('[data-version="2"] [data-action=rollback]').click()
        await page.getByText('Keep this as version 4 of the stack shop').waitFor()
        await submit(page)
        await page.locator('[data-version="4"]').getByText('Rollback to version 2').waitFor()
    })
})

test('services are scaled, ports opened, drift is told, and a stack goes with its name typed', async () => {
    await inside(async page => {
        await open(page, 'shop')
        await page.locator('[data-service="cache"] [data-action=scale]').click()
        await page.locator('[data-field=count]').fill('2')
        await page.getByText('shop-cache-2').waitFor()
        await submit(page)
        await page.locator('[data-service="cache"]').getByText('2 of 2').waitFor()
        // It is open to others by its file: closed first, and opened again.
        await page.locator('[data-port="8080"] [data-open=true]').waitFor()
        await page.locator('[data-port="8080"] [data-action=unexpose]').click()
        await page.locator('[data-plan]').waitFor()
        await submit(page)
        await page.locator('[data-port="8080"] [data-open=false]').waitFor()
        await page.locator('[data-port="8080"] [data-action=expose]').click()
        await page.locator('[data-plan]').waitFor()
        await submit(page)
        await page.locator('[data-port="8080"] [data-open=true]').waitFor()
        const db = [...sim.world.containers.values()].find(one => one.name === 'shop-db-1')!
        sim.world.containers.delete(db.id)
        sim.world.say({ kind: 'container', key: db.id })
        await page.locator('[data-waiting=drift]').getByText('db has no container instead of 1').waitFor()
        await page.locator('[data-action=up]').first().click()
        await page.locator('[data-plan]').waitFor()
        await submit(page)
        await eventually(() => page.locator('[data-waiting=drift]').count()).toBe(0)
        await page.locator('[data-tab=logs]').click()
        await page.locator('.dv-log-lines').getByText('shop-db-1 |').first().waitFor()
        await page.locator('.dv-head-actions').getByRole('button', { name: 'Actions' }).click()
        await page.locator('[data-action=remove]').click()
        await page.locator('[data-volume="shop_data"]').check()
        await page.getByText('the volume shop_data with all that is in it').first().waitFor()
        expect(await page.locator('[data-action=submit]').isDisabled()).toBe(true)
        await page.locator('[data-field=confirm]').fill('shop')
        await submit(page)
        await eventually(() => sim.world.stacks.has('shop')).toBe(false)
    })
})

test('stacks stand among the workloads, and who may only look is offered nothing', async () => {
    await inside(
        async page => {
            await page.goto(`${crowd.url}/workloads`)
            await page.getByLabel('Kind').selectOption({ label: 'Stack' })
            await eventually(() => page.locator('[data-workload]').count()).toBe(1)
            await page.getByRole('link', { name: 'shop', exact: true }).click()
            await page.locator('[data-service="web"]').waitFor()
            expect(await page.locator('[data-tab=file]').count()).toBe(0)
            expect(await page.locator('[data-action=scale]').count()).toBe(0)
            await page.locator('[data-tab=history]').click()
            await page.locator('[data-version="2"]').waitFor()
            expect(await page.evaluate(() => (window as unknown as { hacked?: number }).hacked)).toBeUndefined()
        },
        { url: crowd.url, user: 'vera' },
    )
})

test('a name with markup is refused in words, and runs nothing', async () => {
    await inside(
        async page => {
            await page.goto(`${crowd.url}/create-stack`)
            await page.locator('[data-entry="own"]').click()
            await page.locator('[data-field=name]').fill('<img src=x onerror="window.hacked=1">')
            await page.locator('[data-action=next]').click()
            await page.getByText('That cannot be the name of a stack').waitFor()
            await open(page, 'shop', 'logs', crowd.url)
            await page.getByText('<b>bold</b>').first().waitFor()
            expect(await page.evaluate(() => (window as unknown as { hacked?: number }).hacked)).toBeUndefined()
        },
        { url: crowd.url },
    )
})

test.each(['light', 'dark'] as const)('axe finds nothing serious on the pages of stacks (%s)', async theme => {
    await inside(
        async page => {
            for (const path of [
                '/workloads',
                '/stacks',
                '/create-stack',
                ...['', '/file', '/history', '/logs'].map(tab => `/stacks/shop${tab}`),
            ]) {
                await page.goto(crowd.url + path)
                await page.getByRole('heading', { level: 1 }).waitFor()
                await settled(page)
                await page.evaluate(axe.source)
                const { violations } = await page.evaluate(() =>
                    (window as unknown as { axe: typeof axe }).axe.run({ resultTypes: ['violations'] }),
                )
                const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
                expect([path, serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)]).toEqual([path, []])
            }
        },
        { theme, url: crowd.url },
    )
})
