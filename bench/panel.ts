// The panel in headless Chromium over the simulated node: when it can be used, how it scrolls, and whether its memory stays.
import { type Browser, chromium, type Page } from 'playwright-core'
import { startSim } from '../src/apps/panel/sim/server.ts'
import { buildPanel } from '../tests/browser/build.ts'
import { mb, median, ms, type Result, type Row } from './figures.ts'

const VMS = 1000
const LOADS = 5
const USABLE_MS = 2000
const LONG_TASK_MS = 50
const FRAMES = 120
/** An hour of 200 changes a second, told ten times as fast. */
const CHANGES = 720_000
const CHANGES_PER_SECOND = 2000
/** After the first of them lists, figures and charts are as large as they get. */
const SETTLED = 72_000
const GROWTH_BYTES = 10e6
const DEADLINE_MS = 20 * 60_000

export async function panel(): Promise<Result> {
    const [built, browser] = await Promise.all([
        buildPanel(),
        chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] }),
    ])
    const rows: Row[] = []
    try {
        const calm = await startSim({ vms: VMS, churn: 200, panel: built.folder })
        const { page, context } = await inside(browser, calm.url)
        const loads: number[] = []
        for (let i = 0; i < LOADS; i++) loads.push(await usableAfter(page, calm.url))
        rows.push({
            what: `${VMS} VMs: from the address to a list that takes a click`,
            value: ms(median(loads)),
            target: `≤ ${USABLE_MS} ms`,
            met: median(loads) <= USABLE_MS,
        })
        const longest = await scrolled(page)
        rows.push({
            what: `${VMS} VMs, 200 changes a second: longest task while it scrolls`,
            value: ms(longest),
            target: `≤ ${LONG_TASK_MS} ms`,
            met: longest <= LONG_TASK_MS,
        })
        await context.close()
        await calm.close()

        const busy = await startSim({ vms: VMS, churn: CHANGES_PER_SECOND, panel: built.folder })
        rows.push(await memory(browser, busy))
        await busy.close()
    } finally {
        await browser.close()
        await built.remove()
    }
    const notes = [
        'the node is simulated, the browser and the panel are not; there is no peer: the targets are what was wished for',
        `an hour of 200 changes a second is told as ${CHANGES.toLocaleString('en')} changes, as fast as the panel takes them`,
        'the heap is measured after a garbage collection, with the list open',
    ]
    return { title: 'panel: when it can be used, and what it costs the browser', notes, rows }
}

async function usableAfter(page: Page, url: string): Promise<number> {
    const began = performance.now()
    await page.goto(`${url}/vms`)
    // A checkbox that takes a click is a page that is alive.
    await page.locator('[data-vm] input[type=checkbox]').first().check()
    return performance.now() - began
}

/** As text: this file knows no browser's words. */
const SCROLL = `(async () => {
    const element = document.querySelector('.dv-scroll')
    let longest = 0
    const observer = new PerformanceObserver(list => {
        for (const entry of list.getEntries()) longest = Math.max(longest, entry.duration)
    })
    observer.observe({ type: 'longtask' })
    for (let i = 1; i <= ${FRAMES}; i++) {
        element.scrollTop = (element.scrollHeight * i) / ${FRAMES + 1}
        await new Promise(resolve => requestAnimationFrame(resolve))
    }
    observer.disconnect()
    return longest
})()`

const scrolled = (page: Page): Promise<number> => page.evaluate(SCROLL)

async function inside(browser: Browser, url: string) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB' })
    const page = await context.newPage()
    await page.goto(`${url}/vms`)
    await page.getByLabel('Name').fill('admin')
    await page.getByLabel('Password').fill('correct horse battery')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.locator('[data-vm]').first().waitFor()
    return { page, context }
}

async function memory(browser: Browser, sim: Awaited<ReturnType<typeof startSim>>): Promise<Row> {
    const { page, context } = await inside(browser, sim.url)
    const devtools = await context.newCDPSession(page)
    let changes = 0
    sim.world.listeners.add(() => void changes++)
    const heapAfter = async (count: number): Promise<number> => {
        const end = performance.now() + DEADLINE_MS
        while (changes < count) {
            if (performance.now() > end) throw new Error(`only ${changes} of ${count} changes came in time`)
            await page.waitForTimeout(500)
        }
        await devtools.send('HeapProfiler.collectGarbage')
        return (await devtools.send('Runtime.getHeapUsage')).usedSize
    }
    const before = await heapAfter(SETTLED)
    const after = await heapAfter(SETTLED + CHANGES)
    await context.close()
    return {
        what: `${VMS} VMs: heap after an hour of 200 changes a second`,
        value: `${mb(before)}, then ${mb(after)}`,
        target: `≤ ${mb(GROWTH_BYTES)} more`,
        met: after - before <= GROWTH_BYTES,
    }
}
