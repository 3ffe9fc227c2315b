// The page of the node's document, over the simulated node and under the real policy: typed, checked, planned, applied.
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { HELD_DISK } from '../../src/apps/panel/sim/provision-service.ts'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { launch, PASSWORD, type VisitOptions } from './browser.ts'
import { buildPanel } from './build.ts'
import { eventually, insideOf, settled } from './sim-page.ts'

let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let sim: SimServer

beforeAll(async () => {
    ;[panel, browser] = await Promise.all([buildPanel(), launch()])
})
beforeEach(async () => {
    await sim?.close()
    sim = await startSim({ vms: 2, panel: panel.folder })
})
afterAll(async () => {
    await browser?.close()
    await sim?.close()
    await panel?.remove()
})

/** The page; without a single complaint of scripts or policy. */
const onPage = (run: (page: Page) => Promise<void>, options: VisitOptions & { user?: string } = {}) =>
    insideOf(
        { browser, url: sim.url },
        async page => {
            await page.goto(`${sim.url}/node/configuration`)
            await settled(page)
            await run(page)
        },
        options,
    )
const editor = (page: Page) => page.getByRole('textbox', { name: 'Document of the node, YAML' })
async function add(page: Page, text: string): Promise<void> {
    await editor(page).click()
    await page.keyboard.press('Control+End')
    await page.keyboard.insertText(text)
}
const DISK = `storage:\n  zfs:\n    disks:\n      - ${HELD_DISK}\n`
const plan = async (page: Page) => {
    await page.locator('[data-action=show-plan]').click()
    await page.locator('[data-plan=document]').waitFor()
}
const submit = (page: Page) => page.locator('[data-action=submit]')
const isDone = (page: Page, state = 'done') => page.locator(`[data-ended=${state}]`).first().waitFor()

/** Everything is new on this node: the first apply, without a disk. */
async function applyFirst(page: Page): Promise<void> {
    await plan(page)
    await page.locator('[data-action=apply]').click()
    await page.locator('[data-field=password]').fill(PASSWORD)
    await submit(page).click()
    await isDone(page)
}

describe('the editor', () => {
    test('completes by the schema, with the words of each key', () =>
        onPage(async page => {
            await add(page, '  upd')
            await page.keyboard.press('Control+Space')
            await page.locator('.cm-tooltip-autocomplete li[aria-selected]').getByText('updates').waitFor()
            await page.locator('.cm-completionInfo').getByText('What is installed by itself.').waitFor()
            await page.locator('.cm-tooltip-autocomplete').getByText('updates').click()
            await eventually(() => editor(page).textContent()).toContain('  updates: ')
            await page.keyboard.press('Control+Space')
            await page.locator('.cm-tooltip-autocomplete').getByText('security').click()
            await eventually(() => editor(page).textContent()).toContain('  updates: security')
        }))

    test('says what is wrong as one types, in the margin and below, and goes to its line', () =>
        onPage(async page => {
            await page.getByText('No mistakes found.').waitFor()
            await add(page, 'stroage:\n')
            const finding = page.locator('[data-finding=unknown-key]')
            await finding.getByText('Did you mean storage?').waitFor()
            await page.locator('.cm-lint-marker-error').waitFor()
            await page.locator('[data-action=show-plan]').click()
            await page.locator('[data-trouble]').getByText('The document has a mistake').waitFor()
            await finding.getByRole('button', { name: /^Line/ }).click()
            await page.keyboard.press('Shift+End')
            await page.keyboard.insertText('storage:')
            await page.getByText('No mistakes found.').waitFor()
            await page.locator('[data-changed=true]').waitFor()
            await page.locator('[data-action=discard]').click()
            await page.locator('[data-changed=false]').waitFor()
            await eventually(() => editor(page).textContent()).not.toContain('storage')
        }))

    test('is neither a trap for Tab nor closed to those who do not see it', () =>
        onPage(async page => {
            await editor(page).click()
            await page.keyboard.press('Tab')
            expect(await page.evaluate(() => document.activeElement?.tagName)).not.toBe('BODY')
            await eventually(() => editor(page).evaluate(box => box.matches(':focus'))).toBe(false)
        }))
})

test('a plan is read, a disk named, a password typed; then it is done step by step, and what was done is kept', () =>
    onPage(async page => {
        await add(page, DISK)
        await plan(page)
        await page.locator('[data-dies]').getByText(HELD_DISK).waitFor()
        await page.locator('[data-interrupts]').getByText('Containers stop for a moment').waitFor()
        await page.getByText(`Waits until you agree that data is lost on ${HELD_DISK}.`).waitFor()
        await page.getByRole('button', { name: 'Show the change of the file' }).first().click()
        await page.locator('.dv-added').getByText('+node1').waitFor()

        await page.locator('[data-action=apply]').click()
        expect(await submit(page).isDisabled()).toBe(true)
        await page.locator('[data-field=password]').fill('wrong')
        await submit(page).click()
        await page.getByText('Nobody has agreed to what is lost').waitFor()
        const consent = page.locator(`[data-field="consent-${HELD_DISK}"]`)
        await consent.fill('ata-other')
        await page.getByText('That is not the name').waitFor()
        expect(await submit(page).isDisabled()).toBe(true)
        await consent.fill(HELD_DISK)
        await submit(page).click()
        await page.getByText('The password is wrong').waitFor()
        await page.locator('[data-field=password]').fill(PASSWORD)
        await submit(page).click()
        await page.locator('[data-event=done]').first().waitFor()
        await isDone(page)
        await page.locator('[data-events]').getByText(`Make the pool tank of ${HELD_DISK}`).waitFor()
        await page.locator('[data-drift=no]').waitFor()
        await page.locator('[data-changed=false]').waitFor()
        await page.locator('[data-apply] [data-state=done]').waitFor()

        await page.getByRole('button', { name: /^What it did/ }).click()
        const dialog = page.locator('[data-dialog=apply]')
        await dialog.getByText(`- ${HELD_DISK}`).waitFor()
        await dialog.locator('[data-event=done]').first().waitFor()
    }))

test('what nobody agrees to is left where that is chosen', () =>
    onPage(async page => {
        await add(page, DISK)
        await plan(page)
        await page.locator('[data-action=apply]').click()
        await page.locator('[data-field=leave]').check()
        await page.locator('[data-field=password]').fill(PASSWORD)
        await submit(page).click()
        await isDone(page)
        await page.locator('[data-events]').getByText('Restart docker.service').waitFor()
        expect(await page.locator('[data-events]').getByText('Make the pool').count()).toBe(0)
    }))

test('a plan that is another one by now is not done', () =>
    onPage(async page => {
        await add(page, '  # a note\n')
        await plan(page)
        await page.locator('[data-action=apply]').click()
        await page.locator('[data-field=password]').fill(PASSWORD)
        // Meanwhile somebody else applies: what was to be done is done.
        await onPage(applyFirst)
        await submit(page).click()
        await page.getByText('The plan is another one by now').waitFor()
        await eventually(() => page.locator('[data-apply]').count()).toBe(1)
    }))

test('it is stopped, and taken back', () =>
    onPage(async page => {
        await plan(page)
        await page.locator('[data-action=apply]').click()
        await page.locator('[data-field=password]').fill(PASSWORD)
        await submit(page).click()
        await page.locator('[data-action=stop-apply]').click()
        await isDone(page, 'cancelled')
        const apply = page.locator('[data-apply]').first()
        await apply.locator('[data-state=cancelled]').waitFor()
        await apply.getByRole('button', { name: /^Actions for/ }).click()
        await page.locator('[data-action=rollback]').click()
        // The password is still good.
        await page.getByText(/You have confirmed who you are until/).waitFor()
        await page.getByText('Write /etc/hostname (as it was before)').waitFor()
        await submit(page).click()
        await isDone(page)
        await eventually(() => page.locator('[data-apply]').count()).toBe(2)
    }))

test('drift is shown, and looked at again', () =>
    onPage(async page => {
        await page.locator('[data-drift=never]').waitFor()
        await page.locator('[data-action=verify]').click()
        await page.locator('[data-drift=yes]').waitFor()
        await page.locator('[data-differs]').getByText('docker: Restart docker.service').waitFor()
        await page.getByText(/Looked (now|\d+ seconds? ago)/).waitFor()
    }))

test('a node without a document begins with a draft', async () => {
    await sim.close()
    sim = await startSim({ vms: 0, panel: panel.folder, bare: true })
    sim.world.addUser('admin', 'admin', PASSWORD)
    await onPage(async page => {
        await page.getByText('This node has no document yet').waitFor()
        await page.locator('[data-action=draft-ceph]').click()
        await eventually(() => editor(page).textContent()).toContain('profile: ceph')
        await page.locator('[data-changed=true]').waitFor()
    })
})

test('who may not configure the node sees neither the page nor the way to it', () =>
    onPage(
        async page => {
            await page.getByText('You may not see this').waitFor()
            await page.goto(`${sim.url}/node`)
            await page.locator('[data-chart]').first().waitFor()
            expect(await page.locator('[data-action=configure]').count()).toBe(0)
        },
        { user: 'olga' },
    ))

test.each(['light', 'dark'] as const)('axe finds nothing serious in any state of it (%s)', theme =>
    onPage(
        async page => {
            const found: string[] = []
            const check = async (state: string) => {
                // What fades in has other colours until it is there.
                await page.evaluate(() => Promise.allSettled(document.getAnimations().map(one => one.finished)))
                await page.evaluate(axe.source)
                const { violations } = await page.evaluate(() =>
                    (window as unknown as { axe: typeof axe }).axe.run({ resultTypes: ['violations'] }),
                )
                for (const { id, impact, nodes } of violations)
                    if (impact === 'serious' || impact === 'critical')
                        found.push(`${state}: ${id}: ${nodes[0]?.html.slice(0, 200)}: ${nodes[0]?.any[0]?.message}`)
            }
            await page.getByText('No mistakes found.').waitFor()
            await check('as it stands')
            await add(page, '  upd')
            await page.keyboard.press('Control+Space')
            await page.locator('.cm-tooltip-autocomplete').waitFor()
            await check('completing')
            await page.keyboard.press('Escape')
            await page
                .locator('[data-finding]')
                .first()
                .waitFor({ timeout: 2_000 })
                .catch(() => undefined)
            await page.locator('[data-action=discard]').click()
            await add(page, `${DISK}`)
            await plan(page)
            await page.getByRole('button', { name: 'Show the change of the file' }).first().click()
            await check('plan')
            await page.locator('[data-action=apply]').click()
            await page.locator('[data-field=password]').fill(PASSWORD)
            await check('dialog')
            await page.locator(`[data-field="consent-${HELD_DISK}"]`).fill(HELD_DISK)
            await submit(page).click()
            await isDone(page)
            await page.locator('[data-apply]').waitFor()
            await check('done')
            expect(found).toEqual([])
        },
        { theme },
    ),
)

test('an answer that was asked for before the apply ended is not taken for how the node is after it', () =>
    onPage(async page => {
        let release = () => {}
        const held = new Promise<void>(resolve => {
            release = resolve
        })
        let first = true
        await page.route(/ProvisionService\/GetStatus/, async route => {
            if (!first) return route.continue()
            first = false
            const answer = await route.fetch()
            await held
            // The page may have given it up by then.
            await route.fulfill({ response: answer }).catch(() => undefined)
        })
        await page.reload()
        await applyFirst(page)
        expect(first).toBe(false)
        release()
        await page.locator('[data-drift=no]').waitFor()
    }))
