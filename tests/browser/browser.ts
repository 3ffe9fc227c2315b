// A real Chromium for the tests: Debian's, without windows, whose every complaint is collected.
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

export const PASSWORD = 'correct horse battery'

export const launch = (): Promise<Browser> =>
    chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-dev-shm-usage'],
    })

export interface Visit {
    page: Page
    context: BrowserContext
    /** Errors of scripts and breaches of the content security policy; a good page has none. */
    complaints: string[]
}

export interface VisitOptions {
    width?: number
    height?: number
    theme?: 'light' | 'dark'
}

/** A fresh browser profile on the address. */
export async function visit(browser: Browser, url: string, options: VisitOptions = {}): Promise<Visit> {
    const context = await browser.newContext({
        viewport: { width: options.width ?? 1280, height: options.height ?? 800 },
        colorScheme: options.theme ?? 'light',
        locale: 'en-GB',
        ignoreHTTPSErrors: true,
        reducedMotion: 'reduce',
    })
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    const page = await context.newPage()
    page.setDefaultTimeout(15_000)
    const complaints: string[] = []
    page.on('pageerror', error => complaints.push(error.message))
    page.on('console', message => {
        if (message.type() === 'error' && !/Failed to load resource/.test(message.text()))
            complaints.push(message.text())
    })
    await page.goto(url)
    return { page, context, complaints }
}

export async function login(page: Page, user = 'admin', password = PASSWORD): Promise<void> {
    await page.getByLabel('Name').fill(user)
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.locator(`[data-me="${user}"]`).waitFor()
}

/** Goes to an address inside the panel without loading it anew. */
export async function go(page: Page, path: string): Promise<void> {
    await page.evaluate(to => {
        window.history.pushState({}, '', to)
        window.dispatchEvent(new PopStateEvent('popstate'))
    }, path)
}
