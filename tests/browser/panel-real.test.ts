// The panel against the real daemon, libvirt and QEMU: from the link of the first login to a deleted machine.
import { existsSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { VmService } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { type DaemonWorld, startDaemon } from '../real/world-daemon.ts'
import { launch, type Visit, visit } from './browser.ts'
import { buildPanel } from './build.ts'

const ISO = '/usr/lib/ipxe/ipxe.iso'
const LONG_MS = 60_000

let panel: Awaited<ReturnType<typeof buildPanel>>
let world: DaemonWorld
let browser: Browser
let at: Visit
let page: Page

beforeAll(async () => {
    if (!existsSync(ISO)) throw new Error('install the package ipxe: its boot medium is what the machine starts from')
    panel = await buildPanel()
    ;[world, browser] = await Promise.all([startDaemon({ args: ['--panel', panel.folder] }), launch()])
})
afterAll(async () => {
    await browser?.close()
    await world?.stop()
    await panel?.remove()
})

const menu = async (label: string, action: string): Promise<void> => {
    await page.getByRole('button', { name: label, exact: true }).first().click()
    await page.locator(`[data-action="${action}"]`).click()
}
const submit = () => page.locator('[data-action=submit]').click()

test('the link of the first login makes the administrator', async () => {
    expect(world.firstLogin).toBeTruthy()
    at = await visit(browser, new URL(world.firstLogin!, world.url).href)
    page = at.page
    page.setDefaultTimeout(LONG_MS)
    await page.locator('[data-field=password]').fill('correct horse battery')
    await page.locator('[data-field=repeat]').fill('correct horse battery')
    expect(page.url()).not.toContain('first')
    await page.locator('[data-action=first-login]').click()
    await page.locator('[data-me=admin]').waitFor()
    await page.getByText('No virtual machine yet').waitFor()
})

test('an ISO file is uploaded', async () => {
    await page.getByRole('link', { name: 'Get an image' }).click()
    await page.locator('[data-action=upload]').first().click()
    await page.locator('input[type=file]').setInputFiles(ISO)
    await submit()
    await page.locator('[data-volume$="/ipxe.iso"]').waitFor()
})

test('a machine is created from it, and runs', async () => {
    await page.locator('[data-nav="/vms"]').click()
    await page.getByRole('link', { name: 'Create virtual machine' }).click()
    await page.locator('[data-from=iso]').check()
    await page.locator('[data-source$="/ipxe.iso"]').check()
    await page.locator('[data-field=name]').fill('boots1')
    await page.locator('[data-action=next]').click()
    await page.locator('[data-field=memory]').fill('256M')
    await page.locator('[data-field=disk]').fill('1G')
    await page.locator('[data-action=next]').click()
    await page.locator('[data-plan] li').first().waitFor()
    await page.locator('[data-action=create]').click()
    await page.getByRole('heading', { name: 'boots1' }).waitFor()
    await page.locator('.dv-head [data-state=RUNNING]').waitFor()
})

test('its display is seen', async () => {
    await page.locator('[data-tab=console]').click()
    await page.locator('[data-console=connected] canvas').waitFor()
    // Something is painted: not every pixel is the same.
    await expect
        .poll(
            () =>
                page
                    .locator('[data-console] canvas')
                    .first()
                    .evaluate(element => {
                        const canvas = element as HTMLCanvasElement
                        const pixels = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height).data
                        return new Set(new Uint32Array(pixels.buffer)).size
                    }),
            { timeout: LONG_MS },
        )
        .toBeGreaterThan(1)
})

test('a snapshot is taken, gone back to, and deleted', async () => {
    await page.locator('[data-tab=snapshots]').click()
    await page.locator('[data-action=snapshot]').click()
    await page.locator('[data-field=name]').fill('first')
    await page.locator('[data-field=memory]').check()
    await submit()
    await page.locator('[data-snapshot=first]').waitFor()
    await menu('Actions for first', 'revert')
    await page.locator('[data-plan] li').first().waitFor()
    await submit()
    await page.locator('[data-snapshot=first]').getByText('You are here').waitFor()
    await page.locator('.dv-head [data-state=RUNNING]').waitFor()
    await menu('Actions for first', 'delete-snapshot')
    await page.locator('[data-plan] li').first().waitFor()
    await submit()
    await expect.poll(() => page.locator('[data-snapshot=first]').count(), { timeout: LONG_MS }).toBe(0)
})

test('a disk is added while it runs', async () => {
    await page.locator('[data-tab=hardware]').click()
    await page.locator('[data-action=add-disk]').click()
    await page.locator('[data-field=size]').fill('64M')
    await submit()
    await page.locator('[data-disk]').getByText('64 MiB').waitFor()
})

test('it is forced off and deleted with its disks', async () => {
    await page.locator('.dv-head-actions').getByRole('button', { name: 'Actions' }).click()
    await page.locator('[data-action=stop]').click()
    await page.locator('[data-plan] li').first().waitFor()
    await submit()
    await page.locator('.dv-head [data-state=STOPPED]').waitFor()
    await page.locator('.dv-head-actions').getByRole('button', { name: 'Actions' }).click()
    await page.locator('[data-action=delete]').click()
    await page.locator('[data-plan] li').first().waitFor()
    await page.locator('[data-field=confirm]').fill('boots1')
    await submit()
    await page.getByText('No virtual machine yet').waitFor()
    expect((await world.client(VmService).list({})).vms).toEqual([])
})

test('the audit log tells of it and is intact; the pages had nothing to complain about', async () => {
    await page.locator('[data-nav="/audit"]').click()
    await page.locator('[data-record]').getByText('vm.delete').first().waitFor()
    await page.locator('[data-action=verify]').click()
    await page.locator('[data-verified=intact]').waitFor()
    expect(at.complaints).toEqual([])
})
