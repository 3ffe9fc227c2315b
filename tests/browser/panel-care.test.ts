// What the panel takes care of, over the simulated node: nothing dies unasked, nothing typed is dropped, nothing goes stale in silence.
import { setTimeout as pause } from 'node:timers/promises'
import type { Browser, Page, Request } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { launch, login, type Visit, type VisitOptions, visit } from './browser.ts'
import { buildPanel } from './build.ts'
import { eventually, insideOf, settled } from './sim-page.ts'

const STOPPED = 4

let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let sim: SimServer

beforeAll(async () => {
    ;[panel, browser] = await Promise.all([buildPanel(), launch()])
    sim = await startSim({ vms: 12, panel: panel.folder })
})
afterAll(async () => {
    await browser?.close()
    await sim?.close()
    await panel?.remove()
})

const uuidOf = (name: string): string => sim.world.find(name)!.detail.vm!.uuid
const inside = <T>(run: (page: Page, at: Visit) => Promise<T>, options: VisitOptions = {}): Promise<T> =>
    insideOf({ browser, url: sim.url }, run, options)
const stopped = (name: string) => {
    const one = sim.world.addVm(name, { state: STOPPED })
    sim.world.touch(one)
    return one
}
const file = (name: string, sizeBytes = 64 * 1024) => ({
    name,
    mimeType: 'application/octet-stream',
    buffer: Buffer.alloc(sizeBytes),
})
const submit = (page: Page) => page.locator('[data-action=submit]').click()

describe('before something dies', () => {
    test('of many machines each plan is shown, the disks stay unless chosen, and their number is typed', async () => {
        stopped('gone1')
        stopped('gone2')
        await inside(async page => {
            await page.getByPlaceholder(/Search by name/).fill('gone')
            await eventually(() => page.locator('[data-vm]').count()).toBe(2)
            await page.getByRole('checkbox', { name: 'Select all rows' }).check()
            await page.locator('.dv-toolbar').getByRole('button', { name: 'Actions', exact: true }).click()
            await page.locator('[data-action=bulk-delete]').click()
            for (const name of ['gone1', 'gone2'])
                await page.locator(`[data-plan-of=${name}]`).getByText(`the virtual machine ${name}`).waitFor()
            expect(await page.getByText('Lost for good: the volume').count()).toBe(0)
            await page.locator('[data-field=disks]').check()
            await page.locator('[data-plan-of=gone2]').getByText('the volume default/gone2.qcow2').waitFor()
            expect(await page.locator('[data-action=submit]').isDisabled()).toBe(true)
            await page.locator('[data-field=confirm]').fill('2')
            // Meanwhile somebody gives one of them another disk: that was not agreed to.
            const { detail } = sim.world.find('gone2')!
            detail.disks.push({ ...detail.disks[0]!, target: 'vdb', volume: 'precious.qcow2' })
            await submit(page)
            await page.getByText('Something changed meanwhile').waitFor()
            await page.locator('[data-plan-of=gone2]').getByText('the volume default/precious.qcow2').waitFor()
            expect(sim.world.find('gone1')).toBeDefined()
            detail.disks.pop()
            await page.locator('[data-field=confirm]').fill('2')
            await submit(page)
            await page.getByText('Something changed meanwhile').waitFor()
            await page.locator('[data-field=confirm]').fill('2')
            await submit(page)
            await eventually(() => sim.world.find('gone1') ?? sim.world.find('gone2')).toBe(undefined)
            expect(sim.world.volumes.has('default/gone1.qcow2')).toBe(false)
        })
    })

    test('a machine that somebody changes meanwhile is not deleted', async () => {
        const one = stopped('changed')
        await inside(async page => {
            await page.goto(`${sim.url}/vms/${uuidOf('changed')}`)
            await page.locator('.dv-head-actions').getByRole('button', { name: 'Actions' }).click()
            await page.locator('[data-action=delete]').click()
            await page.getByText('Lost for good: the virtual machine changed').waitFor()
            await page.locator('[data-field=confirm]').fill('changed')
            sim.world.touch(one)
            await submit(page)
            await page.locator('[data-trouble=conflict]').waitFor()
            expect(sim.world.find('changed')).toBeDefined()
        })
    })

    test('an upload and an import that replace something name it, and have it typed', async () => {
        await inside(async page => {
            await page.goto(`${sim.url}/images`)
            await page.locator('[data-action=upload]').click()
            await page.locator('input[type=file]').setInputFiles(file('ipxe.iso'))
            expect(await page.locator('[data-action=submit]').isEnabled()).toBe(true)
            await page.locator('[data-field=overwrite]').check()
            await page.locator('[data-lost]').getByText('the volume default/ipxe.iso').waitFor()
            expect(await page.locator('[data-action=submit]').isDisabled()).toBe(true)
            await page.locator('[data-field=confirm]').fill('ipxe.iso')
            expect(await page.locator('[data-action=submit]').isEnabled()).toBe(true)
            await page.getByRole('button', { name: 'Cancel' }).click()
            await page.locator('[data-action=import]').click()
            await page.locator('[data-field=source]').fill('https://images.example/ipxe.iso')
            await page.locator('[data-field=overwrite]').check()
            await page.locator('[data-lost]').getByText('the volume default/ipxe.iso').waitFor()
            expect(await page.locator('[data-action=submit]').isDisabled()).toBe(true)
            await page.locator('[data-field=confirm]').fill('ipxe.iso')
            expect(await page.locator('[data-action=submit]').isEnabled()).toBe(true)
        })
    })
})

test('a menu stands beside its button, also when it opens for the first time', async () => {
    await inside(async page => {
        const button = page.getByRole('button', { name: 'Actions for db1' })
        for (const turn of ['first', 'second']) {
            await button.click()
            await page.locator('[data-action=rename]').waitFor()
            const away = async () => {
                const at = (await button.boundingBox())!
                const shown = (await page.locator('.pf-v6-c-menu').last().boundingBox())!
                const right = Math.abs(shown.x + shown.width - (at.x + at.width))
                // Above it, where there is no room below, and only there.
                const bottom = at.y + at.height
                const hasRoom = bottom + shown.height <= page.viewportSize()!.height
                const apart = hasRoom ? Math.abs(shown.y - bottom) : Math.abs(at.y - (shown.y + shown.height))
                return Math.max(right / 5, apart / 20)
            }
            // It is placed a frame after it is drawn; a busy machine takes its time for that.
            await expect.poll(away, { message: turn }).toBeLessThan(1)
            await page.keyboard.press('Escape')
            await page.locator('[data-action=rename]').waitFor({ state: 'detached' })
        }
    })
})

describe('what was typed', () => {
    test('a size that is none is refused at its field, and nothing is saved', async () => {
        await inside(async page => {
            const before = sim.world.find('db1')!.detail.vm!.memoryBytes
            await page.goto(`${sim.url}/vms/${uuidOf('db1')}/settings`)
            const memory = page.locator('[data-field=memory]')
            for (const wrong of ['lots', '']) {
                await memory.fill(wrong)
                await page.locator('[data-action=save]').click()
                const help = page.locator(
                    `#${((await memory.getAttribute('aria-describedby')) ?? '').replace(/:/g, '\\:')}`,
                )
                await help.locator('.pf-m-error').waitFor()
                expect(await memory.evaluate(element => element === document.activeElement)).toBe(true)
                expect(await page.getByText('Saved').count()).toBe(0)
                expect(sim.world.find('db1')!.detail.vm!.memoryBytes).toBe(before)
            }
            await memory.fill('3G')
            await page.locator('[data-action=save]').click()
            await page.getByText('Saved').waitFor()
            expect(sim.world.find('db1')!.detail.vm!.memoryBytes).toBe(3n * 1024n ** 3n)
        })
    })

    test('the same as a command and with curl says all that was chosen, and no secret in an argument', async () => {
        await inside(async page => {
            await page.goto(`${sim.url}/create`)
            await page.locator('[data-source*="debian-13-generic"]').check()
            await page.locator('[data-field=name]').fill('whole1')
            await page.locator('[data-action=next]').click()
            await page.getByRole('button', { name: 'Advanced' }).click()
            await page.locator('[data-field=description]').fill("Ann's web front end")
            await page.locator('[data-field=bus]').selectOption('sata')
            await page.locator('[data-action=next]').click()
            await page.locator('[data-plan]').waitFor()
            const [cli = '', curl = ''] = await page.locator('pre').allInnerTexts()
            expect(cli).toContain(`--description 'Ann'\\''s web front end'`)
            expect(cli).toContain(
                '--disk size=20G,from=default/debian-13-genericcloud-amd64.qcow2,bus=sata --network default --start',
            )
            expect(cli).not.toContain('--image')
            expect(curl).toMatch(/^curl --cacert panel\.crt -H @auth /)
            expect(curl).not.toMatch(/Bearer|TOKEN/)
            expect(curl).toContain('"bus":"sata"')
        })
    })
})

describe('uploads', () => {
    test('green comes only when the server has checked it; what it finds wrong is said', async () => {
        let verdict: (problem: { summary: string } | undefined) => void = () => {}
        sim.world.check = () => new Promise(resolve => (verdict = resolve))
        await inside(async page => {
            await page.goto(`${sim.url}/images`)
            for (const [name, problem, state] of [
                ['fine.iso', undefined, 'done'],
                ['torn.iso', { summary: 'The file is cut off' }, 'failed'],
            ] as const) {
                await page.locator('[data-action=upload]').click()
                await page.locator('input[type=file]').setInputFiles(file(name))
                await submit(page)
                const row = page.locator(`[data-upload="${name}"]`)
                await row.getByText('The server checks it').waitFor()
                expect(await row.locator('.pf-m-success').count()).toBe(0)
                verdict(problem)
                await page.locator(`[data-upload="${name}"][data-upload-state=${state}]`).waitFor()
                if (problem) await row.getByText(problem.summary).waitFor()
                else await row.locator('.pf-m-success').waitFor()
            }
        })
        sim.world.check = async () => undefined
    })

    test('one that failed can be tried again, and cancelled: the server then forgets it', async () => {
        sim.world.refusesPieces = true
        await inside(async (page, at) => {
            await page.goto(`${sim.url}/images`)
            await page.locator('[data-action=upload]').click()
            await page.locator('input[type=file]').setInputFiles(file('big.iso'))
            await submit(page)
            const row = page.locator('[data-upload="big.iso"]')
            await row.getByText('The pool is full').waitFor()
            await row.getByRole('button', { name: 'Try again' }).click()
            await row.getByText('The pool is full').waitFor()
            const cancelled = page.waitForRequest(/CancelUpload/)
            await row.getByRole('button', { name: 'Cancel' }).click()
            await cancelled
            await row.waitFor({ state: 'detached' })
            at.complaints.length = 0
        })
        sim.world.refusesPieces = false
    })

    test('of several files, one that is refused does not begin the others again', async () => {
        await inside(async page => {
            await page.goto(`${sim.url}/images`)
            await page.locator('[data-action=upload]').click()
            await page.locator('input[type=file]').setInputFiles([file('one.iso'), file('ipxe.iso')])
            await submit(page)
            await page.locator('[data-trouble=exists]').waitFor()
            await page.locator('[data-field=name]').fill('two.iso')
            await submit(page)
            for (const name of ['one.iso', 'two.iso']) await page.locator(`[data-volume="default/${name}"]`).waitFor()
            expect(await page.locator('[data-upload="one.iso"]').count()).toBe(1)
        })
    })

    test('a long name keeps its ending', async () => {
        await inside(async page => {
            await page.goto(`${sim.url}/images`)
            await page.locator('[data-action=upload]').click()
            await page.locator('input[type=file]').setInputFiles(file(`${'long-'.repeat(40)}name.qcow2`))
            const name = await page.locator('[data-field=name]').inputValue()
            expect(name).toHaveLength(128)
            expect(name).toMatch(/^(long-)+.*\.qcow2$/)
        })
    })
})

describe('consoles', () => {
    test('changing to the serial port and back opens each once, with its own ticket', async () => {
        await inside(async page => {
            const sockets: string[] = []
            page.on('websocket', socket => sockets.push(socket.url()))
            await page.goto(`${sim.url}/vms/${uuidOf('web1')}/console`)
            for (const [label, what] of [
                ['Serial port', '.xterm'],
                ['Display', 'canvas'],
            ] as const) {
                await page.locator('[data-console=connected]').waitFor()
                await page.getByRole('button', { name: label }).click()
                await page.locator(`[data-console=connected] ${what}`).first().waitFor()
            }
            expect(sockets).toHaveLength(3)
            // What the first display says about its end is not taken for the end of this one.
            await page.getByRole('button', { name: 'Send Ctrl-Alt-Del' }).waitFor()
            expect(await page.locator('[data-console=connected]').count()).toBe(1)
        })
    })

    test('a serial port that is in use is taken over only when one says so, and only that once', async () => {
        await inside(async first => {
            await first.goto(`${sim.url}/vms/${uuidOf('web1')}/console`)
            await first.getByRole('button', { name: 'Serial port' }).click()
            await first.locator('[data-console=connected] .xterm').waitFor()
            await inside(async second => {
                await second.goto(`${sim.url}/vms/${uuidOf('web1')}/console`)
                await second.getByRole('button', { name: 'Serial port' }).click()
                await second.locator('[data-trouble=conflict]').waitFor()
                expect(await first.locator('[data-console=connected]').count()).toBe(1)
                await second.locator('[data-action=take]').click()
                await second.locator('[data-console=connected] .xterm').waitFor()
                await first.locator('[data-console=ended]').waitFor()
                await first.locator('[data-action=reconnect]').click()
                await first.locator('[data-trouble=conflict]').waitFor()
            })
        })
    })
})

describe('fresh without asking', () => {
    test('what changes beside the list is seen; nothing is asked for while nothing happens', async () => {
        await inside(async page => {
            await page.clock.install()
            const uuid = uuidOf('web1')
            const one = sim.world.find('web1')!
            await page.goto(`${sim.url}/vms/${uuid}/hardware`)
            await page.locator('[data-disk=vda]').waitFor()
            one.detail.disks.push({ ...one.detail.disks[0]!, target: 'vdz', volume: 'from-virsh.qcow2' })
            sim.world.touch(one)
            await page.locator('[data-disk=vdz]').waitFor()
            await page.locator('[data-tab=snapshots]').click()
            await page.locator('[data-snapshot=before-upgrade]').waitFor()
            one.snapshots.push({ ...one.snapshots[0]!, name: 'by-virsh', children: [] })
            sim.world.touch(one)
            await page.locator('[data-snapshot=by-virsh]').waitFor()
            sim.world.begin({
                kind: 'vm.move',
                title: 'Long work',
                owner: 'admin',
                durationMs: 3_600_000,
                log: ['At it'],
            })
            for (const path of [
                `/vms/${uuid}/hardware`,
                `/vms/${uuid}/snapshots`,
                '/images',
                '/networks',
                '/node',
                '/tasks',
            ]) {
                await page.goto(sim.url + path)
                await page.locator('h1, h2').first().waitFor()
                await settled(page)
                if (path === '/tasks') {
                    await page.getByRole('button', { name: 'Details of Long work' }).click()
                    await page.getByText('At it').first().waitFor()
                }
                await page.locator('[data-me]').waitFor()
                await page.waitForLoadState('load')
                const asked: string[] = []
                const open = new Set<Request>()
                page.on('request', request => {
                    asked.push(new URL(request.url()).pathname)
                    if (request.url().endsWith('/alive')) open.add(request)
                })
                page.on('requestfinished', request => open.delete(request))
                // In steps: what is asked over the real network is answered before much time has gone by here.
                for (let second = 0; second < 120; second++) {
                    await page.clock.runFor(1_000)
                    do await pause(5)
                    while (open.size > 0)
                }
                expect(
                    // A page that hears nothing asks whether anybody is there, and nothing else.
                    asked.filter(call => !/\/(Watch\w*|assets|alive$)/.test(call)),
                    path,
                ).toEqual([])
                page.removeAllListeners('request')
                page.removeAllListeners('requestfinished')
            }
        })
    })

    test('charts say that they stand still when the node goes away, and go on when it is back', async () => {
        const weak = await startSim({ vms: 4, panel: panel.folder })
        const port = Number(new URL(weak.url).port)
        const { page, context } = await visit(browser, weak.url)
        await login(page)
        for (const path of [`/vms/${weak.world.find('web1')!.detail.vm!.uuid}`, '/node']) {
            const now = path === '/node' ? await startSim({ vms: 4, panel: panel.folder, port }) : weak
            if (now !== weak) {
                await page.goto(now.url + path)
                await login(page)
            } else await page.goto(now.url + path)
            await eventually(() => page.locator('[data-chart] canvas').count()).toBe(4)
            await now.close()
            await page.locator('[data-figures=lost]').waitFor()
            const back = await startSim({ vms: 4, panel: panel.folder, port })
            await page.locator('[data-dialog=login] [data-field=password]').fill('correct horse battery')
            await page.locator('[data-dialog=login] [data-action=login]').click()
            await page.locator('[data-figures=lost]').waitFor({ state: 'detached' })
            await eventually(() => page.locator('[data-chart] canvas').count()).toBe(4)
            await back.close()
        }
        await context.close()
    })
})
