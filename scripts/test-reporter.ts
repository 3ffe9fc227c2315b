// Vitest reporter that writes what passed, failed and was skipped (with its reason) to the file named by TEST_COUNTS.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** What one run of Vitest came to. */
export interface TestCounts {
    passed: number
    /** Full names, each with why; a file that could not be loaded and an error outside every test are one each. */
    failed: string[]
    skipped: { name: string; reason: string }[]
}

const nameOf = (test: TestCase) => `${test.module.relativeModuleId} > ${test.fullName}`

const REASON_LENGTH = 600

/** What was thrown, in one line: a log that is cut at its front still says why. */
function whyOf(errors: readonly { message: string }[] = []): string {
    const text = (errors[0]?.message ?? '').replace(/\s+/g, ' ')
    return (
        text &&
        `: ${text.length > REASON_LENGTH ? `${text.slice(0, REASON_LENGTH / 2)} … ${text.slice(-REASON_LENGTH / 2)}` : text}`
    )
}

/** What was thrown where no test could catch it, with the first line of its stack that is the project's own. */
function strayName(thrown: unknown): string {
    const { message, stack } = thrown as { message?: string; stack?: string }
    const place = stack?.split('\n').find(line => /\/(src|tests|scripts)\//.test(line))
    return `an error outside every test: ${message ?? String(thrown)}${place ? ` (${place.trim()})` : ''}`
}

/** Counts every test of the modules. */
export function countTests(modules: readonly TestModule[], strayErrors: readonly unknown[]): TestCounts {
    const counts: TestCounts = { passed: 0, failed: [], skipped: [] }
    for (const module of modules) {
        for (const test of module.children.allTests()) {
            const result = test.result()
            if (result.state === 'passed') counts.passed++
            else if (result.state === 'failed') counts.failed.push(nameOf(test) + whyOf(result.errors))
            else
                counts.skipped.push({
                    name: nameOf(test),
                    reason: ('note' in result && result.note) || 'no reason given',
                })
        }
        const broken = [module, ...module.children.allSuites()].filter(one => one.errors().length > 0)
        for (const one of broken)
            counts.failed.push(
                `${module.relativeModuleId} > ${'name' in one ? one.name : 'the file itself'}${whyOf(one.errors())}`,
            )
    }
    counts.failed.push(...strayErrors.map(strayName))
    return counts
}

export default class CountingReporter implements Reporter {
    onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]) {
        const path = process.env.TEST_COUNTS
        if (!path) return
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, JSON.stringify(countTests(modules, unhandledErrors)))
    }
}
