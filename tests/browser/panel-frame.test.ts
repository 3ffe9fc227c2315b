// The frame around the pages in a real Chromium over the simulated node: tree, search over everything, first page, views.
import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { launch, type VisitOptions } from './browser.ts'
import { buildPanel } from './build.ts'
import { confirmIt, eventually, insideOf, menu } from './sim-page.ts'

let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let sim: SimServer

beforeAll(async () => {
    ;[panel, browser] = await Promise.all([buildPanel(), launch()])
    sim = await startSim({ vms: 40, panel: panel.folder })
})
afterAll(async () => {
    await browser?.close()
    await sim?.close()
    await panel?.remove()
})

const uuidOf = (name: string): string => sim.world.find(name)!.detail.vm!.uuid
const inside = <T>(run: (page: Page) => Promise<T>, options: VisitOptions & { user?: string } = {}): Promise<T> =>
    insideOf({ browser, url: sim.url }, run, options)
const row = (page: Page, label: string) => page.locator(`[data-tree="${label}"]`)

describe('the tree', () => {
    test('machines by state and by tag, each with its address; groups lead to the filtered list', () =>
        inside(async page => {
            await row(page, 'Virtual machines').locator('.dv-tree-toggle').click()
            await row(page, 'Crashed').locator('.dv-tree-toggle').click()
            await row(page, 'build1').getByRole('link').click()
            await page.getByRole('heading', { name: 'build1', level: 1 }).waitFor()
            expect(new URL(page.url()).pathname).toBe(`/vms/${uuidOf('build1')}`)
            expect(await row(page, 'build1').getAttribute('aria-selected')).toBe('true')
            await row(page, 'Crashed').getByRole('link').click()
            await eventually(() => page.locator('[data-vm]').count()).toBe(1)
            expect(new URL(page.url()).search).toBe('?state=crashed')
            await page.getByLabel('Group Virtual machines').selectOption('tag')
            await row(page, 'web').getByRole('link').click()
            await page.locator('[data-vm="web1"]').waitFor()
            expect(new URL(page.url()).search).toBe('?tag=web')
            // What was opened stays open for the next visit of this browser.
            await page.reload()
            await row(page, 'web').waitFor()
        }))

    test('a machine that is started moves to the other group', () =>
        inside(async page => {
            const one = sim.world.addVm('tree-1', { state: 4 })
            sim.world.touch(one)
            await row(page, 'Virtual machines').locator('.dv-tree-toggle').click()
            await row(page, 'Stopped').locator('.dv-tree-toggle').click()
            await row(page, 'tree-1').waitFor()
            await page.goto(`${sim.url}/vms/${one.detail.vm!.uuid}`)
            await page.locator('[data-action=start]').click()
            await row(page, 'tree-1').waitFor({ state: 'detached' })
        }))

    test('by keyboard: open, go down, go up, choose', () =>
        inside(async page => {
            await row(page, 'Virtual machines').focus()
            await page.keyboard.press('ArrowDown')
            await page.locator('[data-tree="Images and storage"]:focus').waitFor()
            await page.keyboard.press('ArrowRight')
            await row(page, 'fast').waitFor()
            await page.keyboard.press('ArrowRight')
            await page.locator('[data-tree=archive]:focus').waitFor()
            await page.keyboard.press('ArrowLeft')
            await page.locator('[data-tree="Images and storage"]:focus').waitFor()
            await page.keyboard.press('ArrowLeft')
            await row(page, 'fast').waitFor({ state: 'detached' })
            await page.keyboard.press('Enter')
            await page.getByRole('heading', { name: 'Images and storage', level: 1 }).waitFor()
        }))
})

describe('the search over everything', () => {
    const ask = async (page: Page, text: string): Promise<void> => {
        await page.keyboard.press('Control+k')
        await page.locator('[data-palette]').fill(text)
    }

    test('goes to pages, machines, pools and networks', () =>
        inside(async page => {
            await ask(page, 'go to images')
            await page.locator('[data-find="page /images"][aria-selected=true]').waitFor()
            await page.keyboard.press('Enter')
            await page.getByRole('heading', { name: 'Images and storage', level: 1 }).waitFor()
            await ask(page, 'lab')
            await page.locator('[data-find^="network "]').click()
            await page.locator('[data-network=lab]').waitFor()
            expect(new URL(page.url()).search).toBe('?network=lab')
            await ask(page, 'web1')
            await page.keyboard.press('Enter')
            await page.getByRole('heading', { name: 'web1', level: 1 }).waitFor()
            await ask(page, 'no such thing at all')
            await page.getByText('Nothing is called no such thing at all.').waitFor()
            await page.keyboard.press('Escape')
            await page.locator('[data-dialog=palette]').waitFor({ state: 'detached' })
        }))

    test('does what is asked for, and asks before something is lost', () =>
        inside(async page => {
            const one = sim.world.addVm('finder-1', { state: 4 })
            sim.world.touch(one)
            await ask(page, 'start finder-1')
            await page.locator(`[data-find="vm start ${uuidOf('finder-1')}"]`).waitFor()
            await page.keyboard.press('Enter')
            await eventually(() => one.detail.vm!.state).toBe(1)
            await ask(page, 'force off finder-1')
            await page.locator(`[data-find="vm stop ${uuidOf('finder-1')}"]`).waitFor()
            await page.keyboard.press('Enter')
            await page.locator('[data-plan]').waitFor()
            await page.locator('[data-action=submit]').click()
            await eventually(() => one.detail.vm!.state).toBe(4)
            await ask(page, 'create virtual')
            await page.keyboard.press('Enter')
            await page.locator('[data-source]').first().waitFor()
        }))

    test('offers nothing that a person may not do', () =>
        inside(
            async page => {
                await ask(page, 'web1')
                await page.locator(`[data-find="vm ${uuidOf('web1')}"]`).waitFor()
                expect(await page.locator('[data-find^="vm shutdown"], [data-find^="vm stop"]').count()).toBe(0)
                await page.locator('[data-palette]').fill('create')
                await eventually(() => page.locator('[data-find="vm create"]').count()).toBe(0)
            },
            { user: 'vera' },
        ))
})

describe('the first page', () => {
    test('counts by state, names what is wrong with its fix, and mends it from there', () =>
        inside(async page => {
            await page.goto(`${sim.url}/overview`)
            const running = [...sim.world.vms.values()].filter(one => one.detail.vm!.state === 1).length
            await page.locator(`[data-count-of=RUNNING]`).getByText(String(running), { exact: true }).waitFor()
            await page.locator('[data-action=all-warnings]').click()
            await page.locator('[data-warning="pool fast"]').getByText('14 GiB free of 200 GiB').waitFor()
            await page.locator('[data-warning^="node no-swtpm"]').getByText('apt install swtpm').waitFor()
            const archive = page.locator('[data-warning="pool archive"]')
            await archive.getByRole('button', { name: /^Start/ }).click()
            await archive.waitFor({ state: 'detached' })
            expect(sim.world.pools.get('archive')!.active).toBe(true)
            await eventually(() => page.locator('[data-card=load] canvas').count()).toBe(2)
            await page.locator('[data-count-of=CRASHED]').click()
            await page.locator('[data-vm=build1]').waitFor()
        }))

    test('someone without rights sees that, and nothing else', () =>
        inside(
            async page => {
                await page.goto(`${sim.url}/overview`)
                await page.locator('[data-card=tasks]').waitFor()
                expect(await page.locator('[data-card]').count()).toBe(1)
                expect(await page.locator('[data-first-steps]').count()).toBe(0)
            },
            { user: 'grit' },
        ))
})

describe('the list of machines', () => {
    test('columns are chosen, a view is kept under a name, and both are there the next time', () =>
        inside(async page => {
            await page.locator('[data-action=columns]').click()
            await page.getByRole('menuitem', { name: 'Owner' }).getByRole('checkbox').check()
            await page.getByRole('menuitem', { name: 'Memory' }).getByRole('checkbox').uncheck()
            await page.keyboard.press('Escape')
            await page.getByRole('columnheader', { name: 'Owner' }).waitFor()
            expect(await page.getByRole('columnheader', { name: 'Memory' }).count()).toBe(0)
            await page.getByLabel('Filter by state').selectOption('stopped')
            await page.getByRole('columnheader', { name: 'CPU' }).getByRole('button').click()
            await menu(page, 'Views', 'save-view')
            await page.locator('[data-field=name]').fill('Idle ones')
            await page.locator('[data-action=submit]').click()
            const link = new URL(page.url()).search
            expect(link).toContain('state=stopped')
            await page.goto(`${sim.url}/vms`)
            await page.getByRole('columnheader', { name: 'Owner' }).waitFor()
            await menu(page, 'Views', 'view-Idle ones')
            await eventually(() => new URL(page.url()).search).toBe(link)
        }))

    test('snapshots of several at once, after reading what happens', () =>
        inside(async page => {
            await page.getByPlaceholder(/Search by name/).fill('queue')
            await eventually(() => page.locator('[data-vm]').count()).toBe(5)
            await page.getByRole('checkbox', { name: 'Select all rows' }).check()
            await page.locator('[data-bulk="5"]').getByRole('button', { name: 'Actions' }).click()
            await page.locator('[data-action=bulk-snapshot]').click()
            await page.locator('[data-field=name]').fill('before-patch')
            await page.locator('[data-plan-of=queue5]').waitFor()
            await page.locator('[data-action=submit]').click()
            await eventually(
                () =>
                    [...sim.world.vms.values()].filter(one =>
                        one.snapshots.some(snapshot => snapshot.name === 'before-patch'),
                    ).length,
            ).toBe(5)
        }))
})

describe('one machine', () => {
    test('who may do what with it; a colleague is given rights to it alone, and they are taken away', () =>
        inside(async page => {
            await page.goto(`${sim.url}/vms/${uuidOf('db1')}/permissions`)
            await page.locator('[data-right=vera]').getByText('Their role on this node').waitFor()
            await page.locator('[data-action=add-grant]').click()
            await page.locator('[data-field=user]').selectOption('grit')
            await page.locator('[data-action=submit]').click()
            await confirmIt(page)
            await page.locator('[data-right=grit]').getByText('A right on this machine').waitFor()
            expect(sim.world.grants).toMatchObject([{ user: 'grit', vm: uuidOf('db1'), role: 'operator' }])
            // Once in five minutes is enough.
            await page.getByRole('button', { name: 'Take away: grit' }).click()
            await page.locator('[data-right=grit]').waitFor({ state: 'detached' })
            expect(sim.world.grants).toEqual([])
        }))

    test('its tasks, and what the audit log has of it', () =>
        inside(async page => {
            await page.goto(`${sim.url}/vms/${uuidOf('db2')}`)
            await page.locator('.dv-head-actions [data-action=start], .dv-head-actions [data-action=shutdown]').click()
            await page.locator('[data-tab=tasks]').click()
            await page.locator('[data-task] [data-task-state=DONE]').first().waitFor()
            sim.world.record({ who: 'olga', what: 'vm.Stop', onId: uuidOf('db2'), onName: 'db2' })
            await page.locator('[data-tab=audit]').click()
            await page.locator('[data-record]').getByText('vm.Stop').waitFor()
            await page.getByRole('link', { name: 'The same in the audit log' }).click()
            await page.locator('[data-record]').getByText('vm.Stop').waitFor()
            const [download] = await Promise.all([
                page.waitForEvent('download'),
                page.locator('[data-action=export]').click(),
            ])
            const lines = (await readFile(await download.path(), 'utf8')).trim().split('\n')
            expect(lines.map(line => JSON.parse(line) as { what: string })).toContainEqual(
                expect.objectContaining({ who: 'olga', what: 'vm.Stop', onName: 'db2' }),
            )
        }))

    test('notes are written on its page', () =>
        inside(async page => {
            await page.goto(`${sim.url}/vms/${uuidOf('mail1')}`)
            await page.locator('[data-action=edit-notes]').click()
            await page.locator('[data-field=notes]').fill('Call the mail team\nbefore a restart')
            await page.locator('[data-action=submit]').click()
            await page.locator('[data-notes]').getByText('Call the mail team').waitFor()
            expect(sim.world.find('mail1')!.detail.notes).toBe('Call the mail team\nbefore a restart')
        }))

    test('the console in a window of its own, without the frame', () =>
        inside(async page => {
            await page.goto(`${sim.url}/vms/${uuidOf('web1')}/console`)
            await page.locator('[data-console=connected] canvas').waitFor()
            await page.locator('[data-action=scale]').click()
            expect(await page.locator('[data-action=scale]').getAttribute('aria-pressed')).toBe('false')
            const [alone] = await Promise.all([
                page.context().waitForEvent('page'),
                page.locator('[data-action=pop-out]').click(),
            ])
            await alone.locator('[data-console=connected] canvas').waitFor()
            expect(await alone.locator('[role=tree], [data-pane]').count()).toBe(0)
            expect(await alone.title()).toContain('web1')
        }))
})

test('no text becomes markup or a script, and nobody makes a policy that would let it (Trusted Types)', () =>
    insideOf({ browser, url: sim.url }, async (page, { complaints }) => {
        expect(complaints).toEqual([])
        const refused = await page.evaluate(() => {
            const why = (attempt: () => unknown): string => {
                try {
                    attempt()
                    return 'it was let through'
                } catch (thrown) {
                    return (thrown as Error).name
                }
            }
            const element = document.createElement('div')
            const script = document.createElement('script')
            const { trustedTypes } = window as unknown as {
                trustedTypes: { createPolicy(name: string, of: object): unknown }
            }
            return [
                why(() => (element.innerHTML = '<b>x</b>')),
                why(() => element.insertAdjacentHTML('beforeend', '<b>x</b>')),
                why(() => (script.src = '/x.js')),
                why(() => new DOMParser().parseFromString('<b>x</b>', 'text/html')),
                why(() => trustedTypes.createPolicy('own', { createHTML: (text: string) => text })),
            ]
        })
        expect(refused).toEqual(Array(5).fill('TypeError'))
        // What was tried here is what the browser complains of; the page itself does none of it.
        await eventually(() => complaints.length).toBe(5)
        complaints.length = 0
    }))
