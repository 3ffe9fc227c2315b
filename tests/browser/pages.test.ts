// Every page where there is nothing yet, and where the server refuses: something is said, nothing turns for ever, nothing sticks out.
import { mkdir } from 'node:fs/promises'
import { create, toBinary } from '@bufbuild/protobuf'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SimServer, startSim } from '../../src/apps/panel/sim/server.ts'
import { ProblemSchema } from '../../src/gen/proto/capabilities/debvisor_pb.js'
import { launch, PASSWORD } from './browser.ts'
import { buildPanel } from './build.ts'
import { insideOf } from './sim-page.ts'

const SHOTS = new URL('../../test-output/pages/', import.meta.url).pathname
const PROBLEM = {
    ...{ code: 'precondition', summary: 'libvirt does not answer', detail: 'virtqemud.socket: connection refused' },
    fix: 'Start it on the node: systemctl start libvirtd',
}

let panel: Awaited<ReturnType<typeof buildPanel>>
let browser: Browser
let empty: SimServer
let full: SimServer

beforeAll(async () => {
    ;[panel, browser] = await Promise.all([buildPanel(), launch()])
    await mkdir(SHOTS, { recursive: true })
    empty = await startSim({ vms: 0, containers: 0, bare: true, panel: panel.folder })
    empty.world.addUser('admin', 'admin', PASSWORD)
    full = await startSim({ vms: 20, panel: panel.folder })
})
afterAll(async () => {
    await browser?.close()
    await Promise.all([empty?.close(), full?.close()])
    await panel?.remove()
})

const everywhere = [
    ...['/overview', '/workloads', '/vms', '/containers', '/stacks', '/container-images', '/images', '/networks'],
    ...['/node', '/node/disks', '/node/services', '/node/journal', '/node/certificate', '/node/configuration'],
    ...['/node/about', '/tasks', '/audit', '/users', '/account', '/create', '/create-stack'],
]
const ofOne = (): string[] => {
    const vm = `/vms/${full.world.find('web1')!.detail.vm!.uuid}`
    const container = `/containers/${[...full.world.containers.values()][0]!.id}`
    return [
        ...[vm, `${vm}/hardware`, `${vm}/snapshots`, `${vm}/console`, `${vm}/permissions`, `${vm}/audit`, `${vm}/xml`],
        ...[container, `${container}/logs`, '/stacks/shop', '/stacks/shop/history'],
    ]
}

/** What a person without rights to libvirt's own words would not understand, or that was meant for a program. */
const MACHINE_SPEAK = /\b(undefined|null|NaN|\[object Object\]|\[unavailable\]|ConnectError|Code\.\w+|HTTP \d{3})\b/

async function look(page: Page, at: { path: string; name: string }): Promise<string[]> {
    const found: string[] = []
    const turning = page.locator('main [role=progressbar][aria-label=Loading]')
    // As often as a question is asked again, before its trouble is told.
    await turning
        .first()
        .waitFor({ state: 'detached' })
        .catch(() => found.push('turns for ever'))
    const text = (await page.locator('main').textContent()) ?? ''
    if (text.trim().length < 10) found.push('is blank')
    const odd = MACHINE_SPEAK.exec(text)
    if (odd) found.push(`says ${odd[0]}`)
    const outside = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
    if (outside > 1) found.push(`sticks out by ${outside} px`)
    await page.evaluate(axe.source)
    const { violations } = await page.evaluate(() =>
        (window as unknown as { axe: typeof axe }).axe.run({ resultTypes: ['violations'] }),
    )
    for (const one of violations)
        if (one.impact === 'serious' || one.impact === 'critical')
            found.push(`${one.id}: ${one.nodes[0]?.html.slice(0, 160)}`)
    const file = at.path.replace(/[0-9a-f]{8}[0-9a-f-]{4,}/, 'one').replace(/\W+/g, '-')
    await page.screenshot({ path: `${SHOTS}${at.name}${file}.png` })
    return found.map(what => `${at.path} ${what}`)
}

const looks = [
    { theme: 'light', width: 1280, height: 800 },
    { theme: 'dark', width: 390, height: 844 },
] as const

test.each(looks)('where there is nothing yet ($theme, $width px)', async ({ theme, width, height }) => {
    const found: string[] = []
    await insideOf(
        { browser, url: empty.url },
        async page => {
            for (const path of everywhere) {
                await page.goto(empty.url + path)
                await page.locator('[data-me]').waitFor()
                found.push(...(await look(page, { path, name: `empty-${theme}-${width}` })))
            }
        },
        { theme, width, height },
    )
    expect(found).toEqual([])
})

/** All but who one is is refused, in the words of a server. */
async function refuse(page: Page): Promise<void> {
    const value = Buffer.from(toBinary(ProblemSchema, create(ProblemSchema, PROBLEM))).toString('base64')
    // A code that is not asked again by itself: what it says is shown at once.
    const error = {
        ...{ code: 'failed_precondition', message: PROBLEM.summary },
        details: [{ type: 'debvisor.v1.Problem', value: value.replace(/=+$/, '') }],
    }
    await page.route(/\/debvisor\.[\w.]+\/\w+$/, route => {
        if (/\/(WhoAmI|ListRoles|Login)$/.test(route.request().url())) return route.continue()
        const type = route.request().headers()['content-type'] ?? ''
        if (!type.startsWith('application/connect+'))
            return route.fulfill({ status: 400, contentType: 'application/json', body: JSON.stringify(error) })
        // The end of a stream is an envelope of its own: a flag, its length, and what went wrong.
        const end = Buffer.from(JSON.stringify({ error }))
        const head = Buffer.from([2, 0, 0, 0, 0])
        head.writeUInt32BE(end.length, 1)
        return route.fulfill({ status: 200, contentType: type, body: Buffer.concat([head, end]) })
    })
}

test.each(looks)('where the server refuses ($theme, $width px)', async ({ theme, width, height }) => {
    const found: string[] = []
    await insideOf(
        { browser, url: full.url },
        async page => {
            await refuse(page)
            // What is of one object looks the same on every width: the note alone.
            for (const path of theme === 'light' ? [...everywhere, ...ofOne()] : everywhere) {
                await page.goto(full.url + path)
                await page.locator('[data-me]').waitFor()
                found.push(...(await look(page, { path, name: `failing-${theme}-${width}` })))
                const said = await page.locator('[data-trouble], [data-freshness], [data-server=lost]').count()
                if (said === 0) found.push(`${path} says nothing of it`)
            }
        },
        { theme, width, height },
    )
    expect(found).toEqual([])
})
