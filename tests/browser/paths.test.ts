// Six things that somebody does who never saw the panel, each from its first page: how many clicks and fields they take.
import { mkdir } from 'node:fs/promises'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { State } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { launch } from './browser.ts'
import { buildPanel } from './build.ts'
import { eventually, insideOf } from './sim-page.ts'

const SHOTS = new URL('../../test-output/paths/', import.meta.url).pathname
let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let sim: SimServer

beforeAll(async () => {
    ;[panel, browser] = await Promise.all([buildPanel(), launch()])
    await mkdir(SHOTS, { recursive: true })
    sim = await startSim({ vms: 20, panel: panel.folder })
    sim.world.record({ who: 'olga', what: 'vm.Delete', onName: 'old1', result: 'done' })
})
afterAll(async () => {
    await browser?.close()
    await sim?.close()
    await panel?.remove()
})

/** Counts what hands do, and takes a picture of what they see before each click. */
function hands(page: Page, name: string) {
    const done = { clicks: 0, fields: 0 }
    return {
        done,
        async click(what: Locator): Promise<void> {
            await what.first().waitFor()
            await page.screenshot({ path: `${SHOTS}${name}-${done.clicks}.png` })
            await what.first().click()
            done.clicks++
        },
        async fill(what: Locator, text: string): Promise<void> {
            await what.fill(text)
            done.fields++
        },
        end: () => page.screenshot({ path: `${SHOTS}${name}-end.png` }),
    }
}
type Hands = ReturnType<typeof hands>

async function walk(name: string, path: (page: Page, hand: Hands) => Promise<void>): Promise<Hands['done']> {
    return insideOf({ browser, url: sim.url }, async page => {
        await page.locator('[data-nav="/overview"]').click()
        await page.locator('[data-card]').first().waitFor()
        const hand = hands(page, name)
        await path(page, hand)
        await hand.end()
        console.log(`${name}: ${hand.done.clicks} clicks, ${hand.done.fields} fields`)
        return hand.done
    })
}
const link = (page: Page, name: string) => page.getByRole('link', { name, exact: true })
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
const tab = (page: Page, name: string) => page.getByRole('tab', { name, exact: true })
const open = async (page: Page, hand: Hands, vm: string): Promise<void> => {
    await hand.click(page.locator('nav').getByRole('link', { name: 'Virtual machines' }))
    await hand.click(page.locator(`[data-vm="${vm}"]`).getByRole('link', { name: vm }))
}

test('a machine is created', async () => {
    const done = await walk('create', async (page, hand) => {
        await hand.click(page.locator('nav').getByRole('link', { name: 'Virtual machines' }))
        await hand.click(link(page, 'Create virtual machine'))
        await hand.click(page.getByRole('radio', { name: /^debian-13-genericcloud/ }))
        await hand.click(button(page, 'Next'))
        await hand.fill(page.locator('[data-field=user]'), 'ada')
        await hand.fill(page.locator('[data-field=password]'), 'a guest of this house')
        await hand.click(button(page, 'Next'))
        await page.locator('[data-plan]').waitFor()
        await hand.click(button(page, 'Create'))
        await page.getByRole('heading', { name: 'debian-13-1', exact: true }).waitFor()
        await eventually(() => sim.world.find('debian-13-1')?.detail.vm?.state).toBe(State.RUNNING)
    })
    expect(done).toEqual({ clicks: 6, fields: 2 })
})

test('its console is found', async () => {
    const done = await walk('console', async (page, hand) => {
        await open(page, hand, 'web1')
        await hand.click(tab(page, 'Console'))
        await page.locator('[data-console=connected] canvas').waitFor()
    })
    expect(done).toEqual({ clicks: 3, fields: 0 })
})

test('a disk is added while it runs', async () => {
    const done = await walk('disk', async (page, hand) => {
        await open(page, hand, 'web1')
        await hand.click(tab(page, 'Hardware'))
        await hand.click(button(page, 'Add disk'))
        await hand.click(page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }))
        await page.locator('[data-disk=vdc]').waitFor()
    })
    expect(done).toEqual({ clicks: 5, fields: 0 })
})

test('a snapshot is taken and gone back to', async () => {
    const done = await walk('snapshot', async (page, hand) => {
        await open(page, hand, 'web1')
        await hand.click(tab(page, 'Snapshots'))
        await hand.click(page.locator('[data-action=snapshot]'))
        const name = await page.locator('[data-field=name]').inputValue()
        await hand.click(page.getByRole('dialog').locator('[data-action=submit]'))
        await hand.click(button(page, `Actions for ${name}`))
        await hand.click(page.locator('[data-action=revert]'))
        await page.getByRole('dialog').getByText('Lost for good').waitFor()
        if (await page.locator('[data-field=confirm]').count())
            await hand.fill(page.locator('[data-field=confirm]'), name)
        await hand.click(page.getByRole('dialog').locator('[data-action=submit]'))
        await page.getByRole('dialog').waitFor({ state: 'detached' })
    })
    expect(done.clicks).toBe(8)
})

test('a colleague is given rights to that machine alone', async () => {
    const done = await walk('rights', async (page, hand) => {
        await open(page, hand, 'web1')
        await hand.click(tab(page, 'Permissions'))
        await hand.click(page.locator('[data-action=add-grant]'))
        await page.locator('[data-field=user]').selectOption('grit')
        hand.done.fields++
        await hand.click(page.getByRole('dialog').locator('[data-action=submit]'))
        // Who has logged in a moment ago is not asked again.
        await page.locator('[data-right=grit]').waitFor()
    })
    expect(sim.world.grants).toMatchObject([{ user: 'grit', role: 'operator' }])
    expect(done).toEqual({ clicks: 5, fields: 1 })
})

test('who deleted another one is found out', async () => {
    const done = await walk('deleted', async (page, hand) => {
        await hand.click(page.locator('nav').getByRole('link', { name: 'Audit' }))
        await hand.fill(page.getByPlaceholder('On what'), 'old1')
        await page.locator('[data-record]').filter({ hasText: 'old1' }).getByText('olga').waitFor()
    })
    expect(done).toEqual({ clicks: 1, fields: 1 })
})
