// The pages of containers over the simulated node: what they show, offer and refuse, whatever names and logs hold.
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { State } from '../../src/gen/proto/capabilities/container/container_pb.js'
import { launch, type Visit, type VisitOptions } from './browser.ts'
import { buildPanel } from './build.ts'
import { eventually, insideOf, menu, settled } from './sim-page.ts'

let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let sim: SimServer
let crowd: SimServer

beforeAll(async () => {
    ;[panel, browser] = await Promise.all([buildPanel(), launch()])
    sim = await startSim({ vms: 4, panel: panel.folder })
    crowd = await startSim({ vms: 1, containers: 500, hostile: true, panel: panel.folder })
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
const one = (name: string) => [...sim.world.containers.values()].find(container => container.name === name)
const open = async (page: Page, name: string, tab = ''): Promise<void> => {
    await page.goto(`${sim.url}/containers/${one(name)!.id}${tab && `/${tab}`}`)
    await page.getByRole('heading', { name, exact: true }).waitFor()
}
const submit = (page: Page) => page.locator('[data-action=submit]').click()

test('containers are listed, searched and filtered, and change by themselves', async () => {
    await inside(async page => {
        await page.locator('[data-nav="/containers"]').click()
        await eventually(() => page.locator('[data-container]').count()).toBe(10)
        await page.getByPlaceholder(/Search by name/).fill('redis')
        await eventually(() => page.locator('[data-container]').count()).toBe(2)
        await page.getByPlaceholder(/Search by name/).fill('')
        await page.getByLabel('Stack', { exact: true }).selectOption({ label: 'shop' })
        await eventually(() => page.locator('[data-container]').count()).toBe(3)
        const shop = one('shop-db')!
        shop.state = State.PAUSED
        sim.world.say({ kind: 'container', key: shop.id })
        await page.locator('[data-container="shop-db"] [data-state=PAUSED]').waitFor()
        shop.state = State.RUNNING
        sim.world.say({ kind: 'container', key: shop.id })
    })
})

test('containers and machines stand in one list, told apart by their kind', async () => {
    await inside(async page => {
        await page.locator('[data-nav="/workloads"]').click()
        // Ten containers, the stack of three of them, and four machines.
        await eventually(() => page.locator('[data-workload]').count()).toBe(15)
        await page.getByLabel('Kind').selectOption({ label: 'Virtual machine' })
        await eventually(() => page.locator('[data-workload]').count()).toBe(4)
        await page.getByLabel('Kind').selectOption({ label: 'Container' })
        await page.getByPlaceholder(/Search by name/).fill('runner')
        await page.locator('[data-workload="runner"] [data-marks]').waitFor()
        await page.getByRole('link', { name: 'runner', exact: true }).click()
        await page.getByRole('heading', { name: 'runner', exact: true }).waitFor()
    })
})

test('one is created, stopped, started, and removed after its name was typed', async () => {
    await inside(async page => {
        await page.goto(`${sim.url}/containers`)
        await page.locator('[data-action=create-container]').click()
        await page.locator('[data-field=name]').fill('fresh')
        await page.locator('[data-field=image]').fill('nginx:1.27')
        await page.locator('[data-field=ports]').fill('not a port')
        await submit(page)
        await page.getByText('That is not a port to publish').waitFor()
        await page.locator('[data-field=ports]').fill('lan:8090:80')
        await submit(page)
        const row = page.locator('[data-container="fresh"]')
        await row.locator('[data-action=stop]').click()
        await row.locator('[data-state=EXITED]').waitFor()
        await row.locator('[data-action=start]').click()
        await row.locator('[data-state=RUNNING]').waitFor()
        await menu(page, 'Actions for fresh', 'remove')
        await page.locator('[data-trouble=precondition]').waitFor()
        await page.locator('[data-field=force]').check()
        await page.getByText('Lost for good: the container fresh').waitFor()
        expect(await page.locator('[data-action=submit]').isDisabled()).toBe(true)
        await page.locator('[data-field=confirm]').fill('fresh')
        await submit(page)
        await eventually(() => row.count()).toBe(0)
    })
})

test('what reaches into the node is marked, and which port is open to whom is said', async () => {
    await inside(async page => {
        await page.goto(`${sim.url}/containers`)
        await page.locator('[data-container="runner"] [data-marks*=privileged]').waitFor()
        expect(await page.locator('[data-container="wiki"] [data-marks]').count()).toBe(0)
        await open(page, 'shop-web')
        await page.locator('[data-port="8080"]:has([data-open=true])').getByText('10.0.0.0/8: exposed').waitFor()
        // One of a stack is opened and closed there.
        expect(await page.locator('[data-action=unexpose]').count()).toBe(0)
    })
    await inside(
        async page => {
            await open(page, 'runner', 'terminal')
            await page.getByText('Only for who may reach into the node').waitFor()
        },
        { user: 'olga' },
    )
})

test('ports of a container are opened to other machines and closed again, where it listens for them', async () => {
    await inside(async page => {
        await open(page, 'mail')
        const port = page.locator('[data-port="8089"]')
        await port.locator('[data-open=false]').waitFor()
        await port.getByText('nobody outside: closed by the firewall').waitFor()
        await page.locator('[data-action=expose]').click()
        await page.getByText('Open the ports of mail to other machines').waitFor()
        await submit(page)
        await port.locator('[data-open=true]').waitFor()
        await port.getByText('10.0.0.0/8').waitFor()
        await page.goto(`${sim.url}/containers`)
        await page.locator('[data-container="mail"] [data-open=true]').waitFor()
        await open(page, 'mail')
        await page.locator('[data-action=unexpose]').click()
        await submit(page)
        await port.locator('[data-open=false]').waitFor()
        await open(page, 'wiki')
        await page.getByText('Docker cannot change that later').waitFor()
    })
    await inside(
        async page => {
            await open(page, 'mail')
            await page.locator('[data-port="8089"] [data-open=false]').waitFor()
            expect(await page.locator('[data-action=expose]').count()).toBe(0)
        },
        { user: 'vera' },
    )
})

test('the log is followed and searched, a shell takes what is typed, a file is sent', async () => {
    await inside(async page => {
        await open(page, 'shop-web', 'logs')
        await page.getByText('shop-web line 41', { exact: true }).waitFor()
        await page.getByPlaceholder('Only lines with').fill('line 17')
        await eventually(() => page.locator('.dv-log-lines > div').count()).toBe(1)
        await page.locator('[data-tab=terminal]').click()
        await page.locator('[data-console=connected] .xterm').waitFor()
        await page.keyboard.type('hello\r')
        const said = async () => (await page.locator('.xterm-accessibility-tree > *').allTextContents()).join('\n')
        await eventually(said).toContain('hello')
        await page.locator('[data-tab=files]').click()
        const bytes = { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') }
        await page.locator('input[type=file]').setInputFiles(bytes)
        await page.locator('[data-action=send]').click()
        await page.getByText('The file is in the container').waitFor()
    })
})

test('values of the environment are hidden until asked for, and never shown to who may not see them', async () => {
    await inside(async page => {
        await open(page, 'shop-db', 'environment')
        expect(await page.getByText('a secret of this house').count()).toBe(0)
        await page.locator('[data-action=reveal]').click()
        await page.getByText('a secret of this house').waitFor()
        await page.locator('[data-tab=inspect]').click()
        await page.locator('pre').waitFor()
        expect(await page.locator('pre').textContent()).toContain('PASSWORD=[hidden]')
    })
    await inside(
        async page => {
            await open(page, 'shop-db', 'environment')
            await page.locator('[data-variable=PASSWORD]').waitFor()
            expect(await page.locator('[data-action=reveal]').count()).toBe(0)
            expect(await page.locator('[data-action=start], [data-action=stop], [data-tab=terminal]').count()).toBe(0)
        },
        { user: 'vera' },
    )
})

test('images, volumes and networks are shown; cleaning up says what goes, and wants a word', async () => {
    await inside(async page => {
        await page.locator('[data-nav="/container-images"]').click()
        await page.locator('[data-image="nginx:1.27"]').waitFor()
        await page.locator('[data-volume="wiki-data"]').waitFor()
        await page.locator('[data-container-network="bridge"]').waitFor()
        await page.locator('[data-action=prune]').click()
        await page.getByText('Lost for good: the container backup').waitFor()
        await page.locator('[data-field=confirm]').fill('clean up')
        await submit(page)
        await eventually(() => one('backup')).toBe(undefined)
    })
})

test('an image comes from a file, a registry gets its credentials, a container joins a network and leaves it', async () => {
    await inside(async page => {
        await page.goto(`${sim.url}/container-images`)
        await page.locator('[data-action=import-image]').click()
        const tar = { name: 'app.tar', mimeType: 'application/x-tar', buffer: Buffer.from('a tar') }
        await page.locator('#image-file').setInputFiles(tar)
        await submit(page)
        await page.getByText('The image is there').waitFor()
        await page.locator('[data-action=set-registry]').click()
        await page.locator('[data-field=server]').fill('registry.example.org')
        await page.locator('[data-field=user]').fill('ann')
        await page.locator('[data-field=password_file]').fill('/etc/debvisor/secrets/registry')
        await submit(page)
        await page.locator('[data-registry="registry.example.org"]').waitFor()
        await menu(page, 'Actions for registry.example.org', 'forget')
        await eventually(() => page.locator('[data-registry]').count()).toBe(0)
        await open(page, 'wiki')
        await page.locator('.dv-head-actions').getByRole('button', { name: 'Actions' }).click()
        await page.locator('[data-action=join]').click()
        await page.locator('[data-field=network]').selectOption('back')
        await submit(page)
        await page.locator('[data-action=leave-back]').click()
        await eventually(() => one('wiki')!.networks.join()).toBe('bridge')
    })
    await inside(
        async page => {
            await page.goto(`${sim.url}/container-images`)
            await page.locator('[data-image="nginx:1.27"]').waitFor()
            expect(await page.locator('[data-action=set-registry]').count()).toBe(0)
        },
        { user: 'olga' },
    )
})

test('five hundred containers with markup in them: a list that stays quick, and nothing of it runs', async () => {
    await inside(
        async page => {
            await page.goto(`${crowd.url}/containers`)
            await page.locator('[data-count="500"]').waitFor()
            expect(await page.locator('[data-container]').count()).toBeLessThan(60)
            const [first] = [...crowd.world.containers.values()]
            await page.goto(`${crowd.url}/containers/${first!.id}/logs`)
            await page.getByText('<b>bold</b>').first().waitFor()
            expect(await page.evaluate(() => (window as unknown as { hacked?: number }).hacked)).toBeUndefined()
        },
        { url: crowd.url },
    )
})

test.each(['light', 'dark'] as const)('axe finds nothing serious on the pages of containers (%s)', async theme => {
    await inside(
        async page => {
            const tabs = ['', '/logs', '/files', '/environment', '/inspect']
            for (const path of [
                '/workloads',
                '/containers',
                '/container-images',
                ...tabs.map(tab => `/containers/${one('runner')!.id}${tab}`),
            ]) {
                await page.goto(sim.url + path)
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
        { theme },
    )
})
