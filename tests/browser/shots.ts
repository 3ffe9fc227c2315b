// Pictures of every page, in both themes and at two widths, over the simulated node: `npx tsx tests/browser/shots.ts FOLDER [NAME…]`.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { FIRST_SECRET } from '../../src/apps/panel/sim/identity-service.ts'
import { HELD_DISK } from '../../src/apps/panel/sim/provision-service.ts'
import { startSim } from '../../src/apps/panel/sim/server.ts'
import { launch, login, PASSWORD, visit } from './browser.ts'

const folder = process.argv[2] ?? 'test-output/shots'
const only = process.argv.slice(3)
mkdirSync(folder, { recursive: true })

const sim = await startSim({ vms: 60, churn: 10 })
const bare = await startSim({ vms: 0, bare: true })
const browser = await launch()
const web1 = sim.world.find('web1')!.detail.vm!.uuid
sim.world.find('web1')!.detail.hasSeed = true

const menu = async (page: Page, label: string, action: string): Promise<void> => {
    await page.getByRole('button', { name: label, exact: true }).first().click()
    await page.locator(`[data-action="${action}"]`).click()
}

interface Scene {
    name: string
    path: string
    ready?: string
    before?: (page: Page) => Promise<void>
}

const shop = [...sim.world.containers.values()].find(one => one.name === 'shop-web')!.id
const scenes: Scene[] = [
    { name: 'workloads', path: '/workloads', ready: '[data-kind=vm]' },
    { name: 'containers', path: '/containers', ready: '[data-container]' },
    {
        name: 'container-create',
        path: '/containers',
        ready: '[data-container]',
        before: page => page.locator('[data-action=create-container]').click(),
    },
    { name: 'container-summary', path: `/containers/${shop}`, ready: '[data-chart] canvas' },
    {
        name: 'container-ports',
        path: `/containers/${[...sim.world.containers.values()].find(one => one.name === 'mail')!.id}`,
        ready: '[data-chart] canvas',
        before: page => page.locator('[data-action=expose]').click(),
    },
    { name: 'container-logs', path: `/containers/${shop}/logs`, ready: '.dv-log-lines > div' },
    { name: 'container-terminal', path: `/containers/${shop}/terminal`, ready: '[data-console=connected] .xterm' },
    { name: 'container-files', path: `/containers/${shop}/files`, ready: '[data-action=fetch]' },
    { name: 'container-environment', path: `/containers/${shop}/environment`, ready: '[data-variable]' },
    { name: 'container-inspect', path: `/containers/${shop}/inspect`, ready: 'pre' },
    { name: 'stacks', path: '/stacks', ready: '[data-stack]' },
    { name: 'stack-services', path: '/stacks/shop', ready: '[data-service]' },
    { name: 'stack-file', path: '/stacks/shop/file', ready: '[data-editor=document] .cm-content' },
    {
        name: 'stack-plan',
        path: '/stacks/shop',
        ready: '[data-service]',
        async before(page) {
            await page.locator('[data-service="cache"] [data-action=scale]').click()
            await page.locator('[data-plan]').waitFor()
        },
    },
    { name: 'stack-history', path: '/stacks/shop/history', ready: '[data-version]' },
    { name: 'stack-logs', path: '/stacks/shop/logs', ready: '.dv-log-lines > div' },
    { name: 'stack-choose', path: '/create-stack', ready: '[data-entry]' },
    {
        name: 'stack-settings',
        path: '/create-stack',
        ready: '[data-entry]',
        before: page => page.locator('[data-entry="static-site"]').click(),
    },
    { name: 'container-images', path: '/container-images', ready: '[data-image]' },
    {
        name: 'container-prune',
        path: '/container-images',
        ready: '[data-image]',
        async before(page) {
            await page.locator('[data-action=prune]').click()
            await page.locator('.dv-destroys').first().waitFor()
        },
    },
    { name: 'overview', path: '/overview', ready: '[data-card=load] canvas' },
    {
        name: 'tree',
        path: '/vms',
        ready: '[data-vm]',
        async before(page) {
            if ((page.viewportSize()?.width ?? 0) < 1200) await page.locator('#nav-toggle').click()
            await page.locator('[data-tree="Virtual machines"] .dv-tree-toggle').click()
            await page.locator('[data-tree=Running] .dv-tree-toggle').click()
        },
    },
    {
        name: 'search',
        path: '/vms',
        ready: '[data-vm]',
        async before(page) {
            await page.keyboard.press('Control+k')
            await page.locator('[data-palette]').fill('stop web1')
            await page.locator('[data-find]').first().waitFor()
        },
    },
    { name: 'vm-permissions', path: `/vms/${web1}/permissions`, ready: '[data-right]' },
    { name: 'vm-audit', path: `/vms/${web1}/audit`, ready: '[data-record]' },
    { name: 'node-disks', path: '/node/disks', ready: '[data-node-disk]' },
    { name: 'node-services', path: '/node/services', ready: '[data-unit]' },
    { name: 'node-journal', path: '/node/journal', ready: '[data-entry]' },
    { name: 'node-certificate', path: '/node/certificate', ready: '[data-certificate]' },
    {
        name: 'node-certificate-acme',
        path: '/node/certificate',
        ready: '[data-certificate]',
        before: page => page.locator('[data-action=use-acme]').click(),
    },
    {
        name: 'node-certificate-own',
        path: '/node/certificate',
        ready: '[data-certificate]',
        async before(page) {
            await page.locator('[data-action=use-own]').click()
            await page.locator('[data-field=certificate]').fill('-----BEGIN CERTIFICATE-----')
            await page.locator('[data-field=private_key]').fill('-----BEGIN PRIVATE KEY-----')
            await page.locator('[data-action=submit]').click()
            await page.getByText('This would be shown').waitFor()
        },
    },
    { name: 'node-shell-ask', path: '/node/shell', ready: '[data-action=open-shell]' },
    {
        name: 'node-shell',
        path: '/node/shell',
        ready: '[data-action=open-shell]',
        async before(page) {
            await page.locator('[data-field=password]').fill(PASSWORD)
            await page.locator('[data-action=open-shell]').click()
            await page.locator('[data-console=connected] .xterm').waitFor()
        },
    },
    { name: 'node-about', path: '/node/about', ready: '[data-part]' },
    {
        name: 'second-factor',
        path: '/account',
        async before(page) {
            await page.locator('[data-action=enrol]').click()
            await page.locator('[data-field=password]').fill(PASSWORD)
            await page.locator('[data-action=submit]').click()
            await page.getByRole('img', { name: /^QR code/ }).waitFor()
        },
    },
    { name: 'vms', path: '/vms', ready: '[data-vm]' },
    {
        name: 'vms-selected',
        path: '/vms',
        ready: '[data-vm]',
        async before(page) {
            await page.locator('[data-vm] input[type=checkbox]').nth(1).check()
            await page.locator('[data-vm] input[type=checkbox]').nth(2).check()
            await page
                .getByRole('button', { name: /^Actions for/ })
                .first()
                .click()
        },
    },
    {
        name: 'vms-delete',
        path: '/vms',
        ready: '[data-vm]',
        async before(page) {
            await page.locator('[data-vm=app1] input[type=checkbox]').check()
            await page.locator('[data-vm=app4] input[type=checkbox]').check()
            await page.locator('.dv-toolbar').getByRole('button', { name: 'Actions', exact: true }).click()
            await page.locator('[data-action=bulk-delete]').click()
            await page.locator('[data-field=disks]').check()
            await page.getByText('Lost for good: the volume').first().waitFor()
        },
    },
    { name: 'vm-summary', path: `/vms/${web1}`, ready: '[data-chart] canvas' },
    { name: 'vm-console', path: `/vms/${web1}/console`, ready: '[data-console=connected] canvas' },
    {
        name: 'vm-serial',
        path: `/vms/${web1}/console`,
        async before(page) {
            await page.getByRole('button', { name: 'Serial port' }).click()
            await page.locator('[data-console=connected] .xterm').waitFor()
        },
    },
    { name: 'vm-hardware', path: `/vms/${web1}/hardware`, ready: '[data-disk]' },
    {
        name: 'vm-adddisk',
        path: `/vms/${web1}/hardware`,
        ready: '[data-disk]',
        before: page => page.locator('[data-action=add-disk]').click(),
    },
    { name: 'vm-cloud-init', path: `/vms/${web1}/cloud-init`, ready: '[data-seed]' },
    {
        name: 'vm-cloud-init-give',
        path: `/vms/${web1}/cloud-init`,
        ready: '[data-seed]',
        async before(page) {
            await page.locator('[data-action=set-seed]').click()
            await page.locator('[data-plan]').waitFor()
        },
    },
    { name: 'vm-snapshots', path: `/vms/${web1}/snapshots`, ready: '[data-snapshot]' },
    {
        name: 'vm-revert',
        path: `/vms/${web1}/snapshots`,
        ready: '[data-snapshot]',
        before: page => menu(page, 'Actions for before-upgrade', 'revert'),
    },
    { name: 'vm-settings', path: `/vms/${web1}/settings`, ready: '[data-field=vcpus]' },
    {
        name: 'vm-settings-advanced',
        path: `/vms/${web1}/settings`,
        ready: '[data-field=vcpus]',
        async before(page) {
            await page.getByRole('button', { name: 'Advanced' }).click()
            await page.locator('[data-field=serial]').scrollIntoViewIfNeeded()
        },
    },
    { name: 'vm-xml', path: `/vms/${web1}/xml`, ready: 'pre' },
    {
        name: 'vm-delete',
        path: `/vms/${sim.world.find('app1')!.detail.vm!.uuid}`,
        async before(page) {
            await page.locator('.dv-head-actions').getByRole('button', { name: 'Actions' }).click()
            await page.locator('[data-action=delete]').click()
            await page.locator('[data-plan]').waitFor()
        },
    },
    { name: 'create-source', path: '/create', ready: '[data-source]' },
    {
        name: 'create-size',
        path: '/create',
        async before(page) {
            await page.locator('[data-source*=debian-13-generic]').check()
            await page.locator('[data-action=next]').click()
            await page.locator('[data-field=memory]').waitFor()
        },
    },
    {
        name: 'create-review',
        path: '/create',
        async before(page) {
            await page.locator('[data-source*=debian-13-generic]').check()
            await page.locator('[data-action=next]').click()
            await page.locator('[data-field=user]').fill('ada')
            await page.locator('[data-field=password]').fill('a password')
            await page.locator('[data-action=next]').click()
            await page.locator('[data-plan]').waitFor()
        },
    },
    { name: 'images', path: '/images', ready: '[data-volume]' },
    { name: 'images-import', path: '/images', before: page => page.locator('[data-action=import]').click() },
    {
        name: 'images-replace',
        path: '/images',
        async before(page) {
            await page.locator('[data-action=import]').click()
            await page.locator('[data-field=source]').fill('https://images.example/ipxe.iso')
            await page.locator('[data-field=overwrite]').check()
        },
    },
    { name: 'networks', path: '/networks', ready: '[data-network]' },
    {
        name: 'networks-create',
        path: '/networks',
        before: page => page.locator('[data-action=create-network]').click(),
    },
    { name: 'node', path: '/node', ready: '[data-chart] canvas' },
    { name: 'configuration', path: '/node/configuration', ready: '[data-editor] .cm-content' },
    {
        name: 'configuration-complete',
        path: '/node/configuration',
        async before(page) {
            await page.locator('.cm-content').click()
            await page.keyboard.press('Control+End')
            await page.keyboard.type('  upd')
            await page.locator('.cm-tooltip-autocomplete').waitFor()
        },
    },
    {
        name: 'configuration-mistake',
        path: '/node/configuration',
        async before(page) {
            await page.locator('.cm-content').click()
            await page.keyboard.press('Control+End')
            await page.keyboard.type('stroage:\n')
            await page.locator('[data-finding=unknown-key]').waitFor()
        },
    },
    {
        name: 'configuration-plan',
        path: '/node/configuration',
        async before(page) {
            await page.locator('.cm-content').click()
            await page.keyboard.press('Control+End')
            await page.keyboard.insertText(`storage:\n  zfs:\n    disks:\n      - ${HELD_DISK}\n`)
            await page.locator('[data-action=show-plan]').click()
            await page.locator('[data-dies]').waitFor()
            const change = page.getByRole('button', { name: 'Show the change of the file' })
            if (await change.count()) await change.first().click()
        },
    },
    {
        name: 'configuration-apply',
        path: '/node/configuration',
        async before(page) {
            await page.locator('.cm-content').click()
            await page.keyboard.press('Control+End')
            await page.keyboard.insertText(`storage:\n  zfs:\n    disks:\n      - ${HELD_DISK}\n`)
            await page.locator('[data-action=show-plan]').click()
            await page.locator('[data-action=apply]').click()
            await page.locator('[data-field=password]').waitFor()
        },
    },
    {
        name: 'configuration-done',
        path: '/node/configuration',
        async before(page) {
            await page.locator('[data-action=show-plan]').click()
            const apply = page.locator('[data-action=apply]')
            await apply.or(page.getByText('the node is what the document says')).first().waitFor()
            if (await apply.count()) {
                await apply.click()
                await page.locator('[data-field=password]').fill(PASSWORD)
                await page.locator('[data-action=submit]').click()
                await page.locator('[data-ended]').waitFor()
            }
        },
    },
    { name: 'tasks', path: '/tasks', ready: '[data-task]' },
    {
        name: 'task-log',
        path: '/tasks',
        async before(page) {
            await page
                .getByRole('button', { name: /^Details of/ })
                .first()
                .click()
            await page.locator('[data-dialog=task] pre').waitFor()
        },
    },
    {
        name: 'pane',
        path: '/vms',
        async before(page) {
            await page.getByRole('button', { name: 'Show tasks' }).click()
            await page.locator('[data-pane=open]').waitFor()
        },
    },
    {
        name: 'audit',
        path: '/audit',
        ready: '[data-record]',
        before: page => page.locator('[data-action=verify]').click(),
    },
    { name: 'users', path: '/users', ready: '[data-user]' },
    { name: 'account', path: '/account', ready: '[data-session]' },
    { name: 'nothing-here', path: '/nothing', ready: 'h2' },
]

for (const [title, effect] of [
    ['Start web3', undefined],
    [
        'Import debian.qcow2',
        () => ({ summary: 'The checksum is not the one given', detail: 'debian.qcow2', fix: 'Check the source.' }),
    ],
] as const)
    sim.world.begin({
        kind: 'vm.power',
        title,
        owner: 'admin',
        durationMs: 300,
        log: ['Connecting', 'Copying'],
        effect,
    })
sim.world.begin({
    kind: 'image.import',
    title: 'Import ubuntu-24.04.img',
    owner: 'olga',
    durationMs: 600_000,
    log: ['Copying the image'],
})

for (const [theme, width] of [
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
] as const) {
    const size = { width, height: width < 500 ? 844 : 800, theme }
    const shoot = async (page: Page, name: string): Promise<void> => {
        await page.waitForTimeout(250)
        await page.screenshot({ path: join(folder, `${name}-${theme}-${width}.png`) })
    }
    const wanted = (name: string): boolean => only.length === 0 || only.includes(name)
    if (wanted('login')) {
        const { page, context } = await visit(browser, sim.url, size)
        await page.getByLabel('Password').waitFor()
        await shoot(page, 'login')
        await context.close()
    }
    if (wanted('first')) {
        const { page, context } = await visit(browser, `${bare.url}/#/first/${FIRST_SECRET}`, size)
        await page.locator('[data-field=repeat]').waitFor()
        await shoot(page, 'first')
        if (theme === 'light' && width === 1280) {
            await page.locator('[data-field=password]').fill('correct horse battery')
            await page.locator('[data-field=repeat]').fill('correct horse battery')
            await page.getByRole('button', { name: 'Begin' }).click()
            await page.locator('[data-first-steps]').waitFor()
            await shoot(page, 'empty-overview')
            await page.locator('[data-nav="/vms"]').click()
            await page.getByText('No virtual machine yet').waitFor()
            await shoot(page, 'empty-vms')
            await page
                .getByRole('button', { name: 'Get an image' })
                .or(page.getByRole('link', { name: 'Get an image' }))
                .click()
            await page.getByText('No image yet').waitFor()
            await shoot(page, 'empty-images')
        }
        await context.close()
    }
    const { page, context, complaints } = await visit(browser, sim.url, size)
    await login(page)
    for (const scene of scenes) {
        if (!wanted(scene.name)) continue
        try {
            await page.goto(sim.url + scene.path)
            if (scene.ready) await page.locator(scene.ready).first().waitFor()
            await scene.before?.(page)
        } catch (error) {
            console.log(`${scene.name} ${theme} ${width}: ${String(error).split('\n')[0]}`)
        }
        await shoot(page, scene.name)
    }
    for (const complaint of new Set(complaints))
        console.log(`complaint (${theme} ${width}): ${complaint.slice(0, 300)}`)
    await context.close()
}
await browser.close()
await sim.close()
await bare.close()
