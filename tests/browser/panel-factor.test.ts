// The second factor in a real Chromium over the simulated node: set up, asked for at login, recovered, needed by a role.
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { FACTOR_CODE, FACTOR_SECRET } from '../../src/apps/panel/sim/factor-service.ts'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { launch, PASSWORD, visit } from './browser.ts'
import { buildPanel } from './build.ts'
import { confirmIt, insideOf, menu } from './sim-page.ts'

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
    sim = await startSim({ vms: 3, panel: panel.folder })
    return () => sim.close()
})

const typePassword = async (page: Page, user: string): Promise<void> => {
    await page.getByLabel('Name').fill(user)
    await page.getByLabel('Password').fill(PASSWORD)
    await page.locator('[data-action=login]').click()
}

/** From the password to the kept recovery codes; answers them. */
async function enrol(page: Page): Promise<string[]> {
    await page.locator('[data-field=password]').fill(PASSWORD)
    await page.locator('[data-action=submit]').click()
    await page.getByRole('img', { name: /^QR code/ }).waitFor()
    await page.getByText(FACTOR_SECRET.match(/.{4}/g)!.join(' ')).waitFor()
    await page.locator('[data-field=code]').fill('000000')
    await page.locator('[data-action=submit]').click()
    await page.locator('[data-trouble]').getByText('The one-time password is wrong').waitFor()
    await page.locator('[data-field=code]').fill(FACTOR_CODE)
    await page.locator('[data-action=submit]').click()
    const codes = (await page.locator('[data-recovery-codes] pre').textContent())!.trim().split('\n')
    await page.locator('[data-action=kept]').click()
    return codes
}

test('set up on the own account, asked for at the next login, and taken away again', async () => {
    const codes = await insideOf({ browser, url: sim.url }, async page => {
        await page.goto(`${sim.url}/account`)
        await page.locator('[data-factor=false]').waitFor()
        await page.locator('[data-action=enrol]').click()
        const made = await enrol(page)
        await page.locator('[data-factor=true]').waitFor()
        await page.getByText('10 recovery codes left').waitFor()
        return made
    })
    expect(codes).toHaveLength(10)
    const { page, context, complaints } = await visit(browser, `${sim.url}/account`)
    await typePassword(page, 'admin')
    await page.locator('[data-field=code]').waitFor()
    // Being asked is no error.
    expect(await page.locator('[data-trouble]').count()).toBe(0)
    await page.locator('[data-field=code]').fill('111111')
    await page.locator('[data-action=login]').click()
    await page.locator('[data-trouble]').getByText('The one-time password is wrong').waitFor()
    await page.locator('[data-field=code]').fill(codes[0]!)
    await page.locator('[data-action=login]').click()
    await page.getByText('9 recovery codes left').waitFor()
    await page.locator('[data-action=remove-factor]').click()
    await page.locator('[data-field=password]').fill(PASSWORD)
    await page.locator('[data-field=code]').fill(FACTOR_CODE)
    await page.locator('[data-action=submit]').click()
    await page.locator('[data-factor=false]').waitFor()
    expect(complaints).toEqual([])
    await context.close()
})

test('asked for again, with the password, before the node is changed', () =>
    insideOf({ browser, url: sim.url }, async page => {
        await page.goto(`${sim.url}/account`)
        await page.locator('[data-action=enrol]').click()
        await enrol(page)
        await page.locator('[data-factor=true]').waitFor()
        await page.locator('[data-nav="/node"]').click()
        await page.locator('[data-action=configure]').click()
        await page.locator('[data-action=show-plan]').click()
        await page.locator('[data-action=apply]').click()
        await page.locator('[data-field=password]').fill(PASSWORD)
        expect(await page.locator('[data-action=submit]').isDisabled()).toBe(true)
        await page.locator('[data-field=code]').fill('111111')
        await page.locator('[data-action=submit]').click()
        await page.locator('[data-trouble]').getByText('The one-time password is wrong').waitFor()
        await page.locator('[data-field=code]').fill(FACTOR_CODE)
        await page.locator('[data-action=submit]').click()
        await page.locator('[data-ended=done]').waitFor()
    }))

test('needed by a role: first the second factor, then everything; an administrator takes a lost one away', async () => {
    await insideOf({ browser, url: sim.url }, async page => {
        await page.goto(`${sim.url}/users`)
        await page.locator('[data-factor-policy=""]').waitFor()
        await page.locator('[data-action=factor-policy]').click()
        await page.locator('[data-field=role-operator]').check()
        await page.locator('[data-action=submit]').click()
        await confirmIt(page)
        await page.locator('[data-factor-policy=operator]').waitFor()
    })
    const { page, context, complaints } = await visit(browser, `${sim.url}/vms`)
    await typePassword(page, 'olga')
    await page.getByText('Your role needs a second factor').waitFor()
    expect(await page.locator('[role=tree], [data-vm]').count()).toBe(0)
    await page.evaluate(axe.source)
    const found = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run())
    expect(found.violations.filter(v => v.impact === 'serious' || v.impact === 'critical').map(v => v.id)).toEqual([])
    await enrol(page)
    await page.locator('[data-vm="web1"]').waitFor()
    expect(complaints).toEqual([])
    await context.close()
    await insideOf({ browser, url: sim.url }, async admin => {
        await admin.goto(`${sim.url}/users`)
        await admin.locator('[data-user=olga]').getByText('Set up').waitFor()
        await menu(admin, 'Actions for olga', 'reset-factor')
        await admin.locator('[data-action=submit]').click()
        await confirmIt(admin)
        await admin.locator('[data-user=olga]').getByText('Set up').waitFor({ state: 'detached' })
        expect(sim.world.factors.has('olga')).toBe(false)
    })
})
