// The story of a container in the browser alone, against the real daemon and dockerd, with docker by hand beside it.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { type ContainerWorld, startContainers } from '../real/container-world.ts'
import { launch, login, PASSWORD, type Visit, visit } from './browser.ts'
import { buildPanel } from './build.ts'
import { eventually, menu } from './sim-page.ts'

let panel: Awaited<ReturnType<typeof buildPanel>>
let world: ContainerWorld
let browser: Browser
let at: Visit
let page: Page

beforeAll(async () => {
    panel = await buildPanel()
    ;[world, browser] = await Promise.all([startContainers(['--panel', panel.folder]), launch()])
    const files = { 'www/index.html': 'a page of this house\n' }
    await world.docker.image('site:1', { files, changes: ['CMD ["httpd","-f","-v","-p","80","-h","/www"]'] })
    await world.daemon.client(IdentityService).createUser({ name: 'ann', role: 'admin', password: PASSWORD })
    at = await visit(browser, world.daemon.url)
    page = at.page
    await login(page, 'ann')
}, 600_000)
afterAll(async () => {
    await browser?.close()
    await world?.stop()
    await panel?.remove()
})

const submit = () => page.locator('[data-action=submit]').click()

test('a site is created and runs', async () => {
    await page.locator('[data-nav="/containers"]').click()
    await page.getByText('No containers yet').waitFor()
    await page.locator('[data-action=create-container]').click()
    await page.locator('[data-field=name]').fill('site')
    await page.locator('[data-field=image]').fill('site:1')
    await page.locator('[data-field=ports]').fill('8080:80')
    await submit()
    await page.locator('[data-container="site"] [data-state=RUNNING]').waitFor()
    expect(await world.docker.enter(['busybox', 'wget', '-qO-', 'http://127.0.0.1:8080/'])).toBe(
        'a page of this house\n',
    )
})

test('its log tells of the visit, and a shell in it answers', async () => {
    await page.getByRole('link', { name: 'site', exact: true }).click()
    await page.locator('[data-port="8080"]').getByText('this node only').waitFor()
    await page.locator('[data-tab=logs]').click()
    await page.getByText('response:200').first().waitFor()
    await page.locator('[data-tab=terminal]').click()
    await page.locator('[data-console=connected] .xterm').waitFor()
    await page.keyboard.type('cat /www/index.html; stty size\r')
    const said = async () => (await page.locator('.xterm-accessibility-tree > *').allTextContents()).join('\n')
    await eventually(said).toContain('a page of this house')
    // The terminal was told its size.
    await eventually(said).toMatch(/^\d{2} \d{2,3}$/m)
    await page.keyboard.type('exit\r')
    await page.locator('[data-console=ended]').waitFor()
})

test('what docker does by hand is seen, and dockerd that was killed is told of until it is back', async () => {
    await page.locator('[data-nav="/containers"]').click()
    await world.docker.docker(['run', '-d', '--name', 'beside', 'site:1'])
    await page.locator('[data-container="beside"] [data-state=RUNNING]').waitFor()
    await world.docker.kill()
    await page.locator('[data-freshness=stale]').waitFor()
    await page.locator('[data-container="beside"]').waitFor()
    await world.docker.start()
    await eventually(() => page.locator('[data-freshness]').count()).toBe(0)
    await world.docker.docker(['rm', '-f', 'beside'])
    await eventually(() => page.locator('[data-container="beside"]').count()).toBe(0)
})

test('it is stopped and removed, its image too', async () => {
    const row = page.locator('[data-container="site"]')
    await row.locator('[data-action=stop]').click()
    await row.locator('[data-state=EXITED]').waitFor()
    await menu(page, 'Actions for site', 'remove')
    await page.locator('[data-field=confirm]').fill('site')
    await submit()
    await page.getByText('No containers yet').waitFor()
    await page.locator('[data-nav="/container-images"]').click()
    await menu(page, 'Actions for site:1', 'remove')
    await page.locator('[data-field=confirm]').fill('site:1')
    await submit()
    await page.getByText('There is no image.').waitFor()
    expect(at.complaints).toEqual([])
})
