// A page over the simulated node, logged in, and what tests of it do again and again.
import type { Browser, Page } from 'playwright-core'
import { expect } from 'vitest'
import { login, PASSWORD, type Visit, type VisitOptions, visit } from './browser.ts'

/** A page that is logged in, with the list of machines; it must end without a single complaint. */
export async function insideOf<T>(
    at: { browser: Browser; url: string },
    run: (page: Page, visit: Visit) => Promise<T>,
    options: VisitOptions & { user?: string } = {},
): Promise<T> {
    const visited = await visit(at.browser, `${at.url}/vms`, options)
    try {
        await login(visited.page, options.user ?? 'admin')
        const result = await run(visited.page, visited)
        expect(visited.complaints).toEqual([])
        return result
    } finally {
        await visited.context.close()
    }
}

/** Asks again until it is so, with a deadline that a busy machine can keep. */
export const eventually = <T>(ask: () => T | Promise<T>) => expect.poll(ask, { timeout: 15_000 })

/** Where the panel asks once more who is there: the password, and on. */
export async function confirmIt(page: Page): Promise<void> {
    const ask = page.getByRole('dialog', { name: 'Is it you?' })
    await ask.locator('[data-field=password]').fill(PASSWORD)
    await ask.locator('[data-action=submit]').click()
    await ask.waitFor({ state: 'detached' })
}

/** Nothing on the page says any more that it is loading. */
export const settled = (page: Page) =>
    eventually(() => page.locator('[role=progressbar][aria-label=Loading]').count()).toBe(0)

export async function menu(page: Page, label: string, action: string): Promise<void> {
    await page.getByRole('button', { name: label, exact: true }).first().click()
    await page.locator(`[data-action="${action}"]`).click()
}
