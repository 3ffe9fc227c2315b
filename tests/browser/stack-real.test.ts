// The story of a stack in the browser alone, against the real daemon, dockerd and docker-compose: from nothing to a site.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { IdentityService } from '../../src/gen/proto/capabilities/identity/identity_pb.js'
import { type StackWorld, startStacks } from '../real/stack-world.ts'
import { launch, login, PASSWORD, type Visit, visit } from './browser.ts'
import { buildPanel } from './build.ts'
import { eventually, menu } from './sim-page.ts'

let panel: Awaited<ReturnType<typeof buildPanel>>
let world: StackWorld
let browser: Browser
let at: Visit
let page: Page

beforeAll(async () => {
    panel = await buildPanel()
    ;[world, browser] = await Promise.all([startStacks(['--panel', panel.folder]), launch()])
    const changes = ['CMD ["httpd","-f","-v","-p","80","-h","/usr/share/nginx/html"]']
    await world.docker.image('server:1', { files: { 'usr/share/nginx/html/50x.html': '' }, changes })
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

test('from an empty node, three screens to a running site of the catalogue', async () => {
    await page.locator('[data-nav="/stacks"]').click()
    await page.getByText('No stacks yet').waitFor()
    await page.locator('[data-action=create-stack]').click()
    await page.locator('[data-step="1"] [data-entry="static-site"]').click()
    await page.locator('[data-field=name]').fill('site')
    await page.locator('[data-field=IMAGE]').fill('server:1')
    await page.locator('[data-field=PORT]').fill('18084')
    await page.locator('[data-field=TITLE]').fill('A page of this house')
    await page.locator('[data-action=next]').click()
    await page.getByText('Make and start the container site-web-1 of server:1').waitFor()
    await page.locator('[data-action=create]').click()
    await page.getByRole('heading', { name: 'site', exact: true }).waitFor()
    await page.locator('[data-state=RUNNING]').first().waitFor()
    await page.locator('[data-port="18084"] [data-open=true]').waitFor()
    expect(await world.page(18084)).toContain('<h1>A page of this house</h1>')
})

test('its log tells of the visit, and a shell in it answers', async () => {
    await page.locator('[data-tab=logs]').click()
    await page.getByText('response:200').first().waitFor()
    await page.locator('[data-tab=services]').click()
    await page.locator('[data-shell="web"]').click()
    await page.locator('[data-console=connected] .xterm').waitFor()
    await page.keyboard.type('ls /usr/share/nginx/html\r')
    const said = async () => (await page.locator('.xterm-accessibility-tree > *').allTextContents()).join('\n')
    await eventually(said).toContain('index.html')
    await page.keyboard.type('exit\r')
    await page.locator('[data-console=ended]').waitFor()
})

test('an update with the plan read first, and the way back', async () => {
    await page.locator('[data-nav="/stacks"]').click()
    await page.getByRole('link', { name: 'site', exact: true }).click()
    await page.locator('[data-tab=file]').click()
    await page.getByText('No mistakes found.').waitFor()
    await page.locator('[data-variable="TITLE"] input').nth(1).fill('Another page')
    await page.locator('[data-action=show-plan]').click()
    await page.getByText('Make the container site-web-1 anew: content of configs: page').waitFor()
    await page.getByText('Keep what is in the volume site_pages').waitFor()
    await submit()
    await eventually(() => world.page(18084)).toContain('<h1>Another page</h1>')
    await page.locator('[data-tab=history]').click()
    await page.locator('[data-version="2"] [data-runs="2"]').waitFor()
    await page.locator('[data-version="1"] [data-action=rollback]').click()
    await page.getByText('Keep this as version 3 of the stack site').waitFor()
    await submit()
    await page.locator('[data-version="3"] [data-runs="3"]').waitFor()
    expect(await world.page(18084)).toContain('<h1>A page of this house</h1>')
})

test('a change by hand is seen at once and mended; the ports are closed by the switch; the stack is removed', async () => {
    await world.docker.docker(['rm', '-f', 'site-web-1'])
    await page.locator('[data-waiting=drift]').getByText('web has no container instead of 1').waitFor()
    await page.locator('[data-action=up]').click()
    await page.getByText('Make and start the container site-web-1').waitFor()
    await submit()
    await eventually(() => page.locator('[data-waiting]').count()).toBe(0)
    await page.locator('[data-tab=services]').click()
    await page.locator('[data-port="18084"] [data-action=unexpose]').click()
    await page.locator('[data-plan]').waitFor()
    await submit()
    await page.locator('[data-port="18084"] [data-open=false]').getByText('this node only').waitFor()
    // The container that was there has its ten seconds to end, and so long the stack is being changed.
    await page.getByText('None running').waitFor({ timeout: 30_000 })
    await menu(page, 'Actions', 'remove')
    await page.locator('[data-field=confirm]').fill('site')
    await submit()
    await page.getByText('No stacks yet').waitFor({ timeout: 60_000 })
    expect(await world.docker.docker(['volume', 'ls', '-q'])).toContain('site_pages')
    expect(at.complaints).toEqual([])
})
