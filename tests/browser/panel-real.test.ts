// The story of 'Run a node' in the browser alone, against the real daemon, libvirt and QEMU: a Debian guest and an ISO.
import { existsSync } from 'node:fs'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ImageService } from '../../src/gen/proto/capabilities/image/image_pb.js'
import { VmService } from '../../src/gen/proto/capabilities/vm/vm_pb.js'
import { debianImage } from '../real/world.ts'
import { type DaemonWorld, startDaemon } from '../real/world-daemon.ts'
import { launch, PASSWORD, type Visit, visit } from './browser.ts'
import { buildPanel } from './build.ts'

const ISO = '/usr/lib/ipxe/ipxe.iso'
const LONG_MS = 60_000
const MINUTE_MS = 60_000
// An emulated guest is up after 1 to 4 minutes; the deadlines are for a machine that does much else.
const GUEST_PASSWORD = 'a guest of this house'

let panel: Awaited<ReturnType<typeof buildPanel>>
let world: DaemonWorld
let browser: Browser
let at: Visit
let page: Page

beforeAll(async () => {
    if (!existsSync(ISO)) throw new Error('install the package ipxe: its boot medium is what the machine starts from')
    await debianImage()
    panel = await buildPanel()
    ;[world, browser] = await Promise.all([startDaemon({ args: ['--panel', panel.folder] }), launch()])
}, 12 * MINUTE_MS)
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
/** The password once more, unless the last time is less than five minutes ago. */
const submitDangerous = async (done: Locator): Promise<void> => {
    await submit()
    const ask = page.getByRole('dialog', { name: 'Is it you?' })
    await ask.or(done).first().waitFor()
    if (await ask.count()) {
        await ask.locator('[data-field=password]').fill(PASSWORD)
        await ask.locator('[data-action=submit]').click()
    }
    await done.waitFor({ timeout: 5 * MINUTE_MS })
}
const headMenu = async (action: string): Promise<void> => {
    await page.locator('.dv-head-actions').getByRole('button', { name: 'Actions' }).click()
    await page.locator(`[data-action="${action}"]`).click()
}
const openVm = async (name: string): Promise<void> => {
    await page.locator('[data-nav="/vms"]').click()
    await page.locator(`[data-vm="${name}"]`).getByRole('link', { name }).click()
    await page.getByRole('heading', { name, exact: true }).waitFor()
}

/** Something is painted on the display: not every pixel is the same. */
async function displayIsSeen(): Promise<void> {
    await page.locator('[data-tab=console]').click()
    await page.locator('[data-console=connected] canvas').waitFor()
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
}

/** Opens the serial port in the page: what is typed from now on goes to the guest. */
async function serialPort(): Promise<void> {
    await page.locator('[data-tab=console]').click()
    await page.getByRole('button', { name: 'Serial port' }).click()
    await page.locator('[data-console=connected] .xterm').waitFor()
}

/** What the terminal tells a screen reader: the lines that are seen. */
const terminal = async (): Promise<string> =>
    (await page.locator('.xterm-accessibility-tree > *').allTextContents())
        .join('\n')
        .replace(/\u00a0/g, ' ')
        .trimEnd()

/** Waits until the terminal says it; `nudge` presses Enter meanwhile, for what was said before somebody looked. */
async function says(words: RegExp, how: { deadlineMs?: number; nudge?: boolean } = {}): Promise<void> {
    const ask = async (): Promise<string> => {
        const text = await terminal()
        if (how.nudge && !words.test(text)) await page.keyboard.press('Enter')
        return text
    }
    await expect.poll(ask, { timeout: how.deadlineMs ?? MINUTE_MS, interval: how.nudge ? 5_000 : 300 }).toMatch(words)
}
const typeLine = async (text: string): Promise<void> => {
    await page.keyboard.type(text)
    await page.keyboard.press('Enter')
}

/** A guest that still boots writes over the prompts: whoever was not asked for a password is asked for a name again. */
async function logIn(): Promise<void> {
    const end = Date.now() + 15 * MINUTE_MS
    for (;;) {
        await says(/web1 login: *$/, { deadlineMs: 12 * MINUTE_MS, nudge: true })
        await typeLine('ann')
        try {
            await says(/login: ann\s+Password:/)
            await typeLine(GUEST_PASSWORD)
            return await says(/ann@web1/)
        } catch (thrown) {
            if (Date.now() > end) throw thrown
        }
    }
}

/** What a step was stopped by is mostly said on the page. */
async function withPage(thrown: unknown): Promise<unknown> {
    if (!(thrown instanceof Error) || !page) return thrown
    const said = await page.locator('[data-trouble], [data-notice], [role=dialog]').allInnerTexts()
    const tasks = await page.locator('[data-pane]').allInnerTexts()
    thrown.message += `; at ${page.url()}; the page says: ${[...said, ...tasks].join(' | ').replace(/\s+/g, ' ') || 'nothing'}`
    return thrown
}

/** One step of the story. */
const step = (name: string, work: () => Promise<void>, deadlineMs?: number) =>
    test(
        name,
        async () => {
            try {
                await work()
            } catch (thrown) {
                throw await withPage(thrown)
            }
        },
        deadlineMs,
    )

step('the link of the first login makes the administrator', async () => {
    expect(world.firstLogin).toBeTruthy()
    at = await visit(browser, new URL(world.firstLogin!, world.url).href)
    page = at.page
    page.setDefaultTimeout(LONG_MS)
    await page.locator('[data-field=password]').fill(PASSWORD)
    await page.locator('[data-field=repeat]').fill('correct horse battery')
    expect(page.url()).not.toContain('first')
    await page.locator('[data-action=first-login]').click()
    await page.locator('[data-me=admin]').waitFor()
    await page.locator('[data-first-steps]').waitFor()
    await page.locator('[data-nav="/vms"]').click()
    await page.getByText('No virtual machine yet').waitFor()
})

step(
    'a Debian image and an ISO file are uploaded',
    async () => {
        await page.getByRole('link', { name: 'Get an image' }).click()
        await page.locator('[data-action=upload]').first().click()
        await page.locator('input[type=file]').setInputFiles([await debianImage(), ISO])
        await submit()
        await page.locator('[data-volume$="/ipxe.iso"]').waitFor()
        await page.locator('[data-volume$="/debian.qcow2"]').waitFor({ timeout: 5 * MINUTE_MS })
        await page.locator('[data-upload="debian.qcow2"][data-upload-state=done]').waitFor()
    },
    6 * MINUTE_MS,
)

step('a machine is created from the Debian image with cloud-init, and starts', async () => {
    await page.locator('[data-nav="/vms"]').click()
    await page.getByRole('link', { name: 'Create virtual machine' }).click()
    await page.locator('[data-source$="/debian.qcow2"]').check()
    await page.locator('[data-field=name]').fill('web1')
    await page.locator('[data-action=next]').click()
    await page.locator('[data-field=memory]').fill('512M')
    await page.locator('[data-field=disk]').fill('3G')
    await page.locator('[data-field=user]').fill('ann')
    await page.locator('[data-field=password]').fill(GUEST_PASSWORD)
    await page.locator('[data-action=next]').click()
    await page.locator('[data-plan] li').first().waitFor()
    expect((await page.locator('pre').allInnerTexts()).join()).not.toContain(GUEST_PASSWORD)
    await page.locator('[data-action=create]').click()
    await page.getByRole('heading', { name: 'web1' }).waitFor()
    await page.locator('.dv-head [data-state=RUNNING]').waitFor()
})

step('while it boots, a machine is created from the ISO file, and runs', async () => {
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

step('its display is seen', displayIsSeen)

step('a snapshot is taken, gone back to, and deleted', async () => {
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

step('a disk is added while it runs', async () => {
    await page.locator('[data-tab=hardware]').click()
    await page.locator('[data-action=add-disk]').click()
    await page.locator('[data-field=size]').fill('64M')
    await submit()
    await page.locator('[data-disk]').getByText('64 MiB').waitFor()
})

step('it is forced off and deleted with its disks', async () => {
    await headMenu('stop')
    await page.locator('[data-plan] li').first().waitFor()
    await submit()
    await page.locator('.dv-head [data-state=STOPPED]').waitFor()
    await headMenu('delete')
    await page.locator('[data-field=disks]').check()
    await page.getByText('Lost for good: the volume').first().waitFor()
    await page.locator('[data-field=confirm]').fill('boots1')
    await submitDangerous(page.getByRole('heading', { name: 'Virtual machines' }))
    await page.locator('[data-vm=boots1]').waitFor({ state: 'detached' })
})

step(
    'the Debian guest: its display, a login on its serial port, a file',
    async () => {
        await openVm('web1')
        await displayIsSeen()
        await serialPort()
        await logIn()
        await typeLine('echo before > state; sync; clear; echo written-$((1 + 1))')
        await says(/written-2/)
    },
    25 * MINUTE_MS,
)

step(
    'a snapshot with memory brings the changed file back, and the session with it',
    async () => {
        await page.locator('[data-tab=snapshots]').click()
        await page.locator('[data-action=snapshot]').click()
        await page.locator('[data-field=name]').fill('clean')
        await page.locator('[data-field=memory]').check()
        await submit()
        await page
            .locator('[data-snapshot=clean]')
            .getByText('You are here')
            .waitFor({ timeout: 5 * MINUTE_MS })
        await serialPort()
        await typeLine('clear; echo after > state; sync; cat state; echo changed-$((1 + 1))')
        await says(/after\s+changed-2/)
        await page.locator('[data-tab=snapshots]').click()
        await menu('Actions for clean', 'revert')
        await page.locator('[data-plan] li').first().waitFor()
        await submit()
        await page.getByRole('button', { name: 'Show tasks' }).click()
        await page
            .locator('[data-pane=open] [data-kind="vm.snapshot-revert"]')
            .filter({ hasText: 'web1' })
            .locator('[data-task-state=DONE]')
            .waitFor({ timeout: 5 * MINUTE_MS })
        await page.getByRole('button', { name: 'Hide tasks' }).click()
        await page.locator('.dv-head [data-state=RUNNING]').waitFor()
        await serialPort()
        await says(/ann@web1/, { nudge: true })
        await typeLine('clear; cat state; echo read-$((1 + 1))')
        await says(/before\s+read-2/)
    },
    15 * MINUTE_MS,
)

step(
    'it is shut down and cloned, and both are deleted with their disks',
    async () => {
        await page.locator('[data-tab=summary]').click()
        await page.locator('.dv-head-actions [data-action=shutdown]').click()
        await page.locator('.dv-head [data-state=STOPPED]').waitFor({ timeout: 5 * MINUTE_MS })
        await headMenu('clone')
        await page.locator('[data-field=name]').fill('web2')
        await submit()
        await page.locator('[data-nav="/vms"]').click()
        await page.locator('[data-vm=web2] [data-state=STOPPED]').waitFor({ timeout: 5 * MINUTE_MS })
        await page.locator('.dv-pane [data-running="0"]').waitFor()
        await page.getByRole('checkbox', { name: 'Select all rows' }).check()
        await page.locator('.dv-toolbar').getByRole('button', { name: 'Actions', exact: true }).click()
        await page.locator('[data-action=bulk-delete]').click()
        await page.locator('[data-plan-of=web2]').getByText('Lost for good: the virtual machine web2').waitFor()
        expect(await page.getByText('Lost for good: the volume').count()).toBe(0)
        await page.locator('[data-field=disks]').check()
        for (const name of ['web1', 'web2'])
            await page.locator(`[data-plan-of=${name}]`).getByText('Lost for good: the volume').first().waitFor()
        await page.locator('[data-field=confirm]').fill('2')
        await submitDangerous(page.getByText('No virtual machine yet'))
        expect((await world.client(VmService).list({})).vms).toEqual([])
        await expect
            .poll(
                async () =>
                    (await world.client(ImageService).listVolumes({})).volumes.map(volume => volume.name).sort(),
                { timeout: LONG_MS },
            )
            .toEqual(['debian.qcow2', 'ipxe.iso'])
    },
    15 * MINUTE_MS,
)

step('the audit log tells of it and is intact; the pages had nothing to complain about', async () => {
    await page.locator('[data-nav="/audit"]').click()
    const what = page.getByPlaceholder('What, such as vm.delete')
    for (const word of [
        'vm.Create',
        'vm.CreateSnapshot',
        'vm.RevertSnapshot',
        'vm.Clone',
        'vm.Delete',
        'console.open',
    ]) {
        await what.fill(word)
        await page.locator('[data-record]').getByText(word, { exact: true }).first().waitFor()
    }
    await what.fill('')
    await page.locator('[data-action=verify]').click()
    await page.locator('[data-verified=intact]').waitFor()
    expect(await page.locator('main').textContent()).not.toContain(GUEST_PASSWORD)
    expect(at.complaints).toEqual([])
})
