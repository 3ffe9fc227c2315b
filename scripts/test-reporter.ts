// Vitest reporter that writes what passed, failed and was skipped (with its reason) to the file named by TEST_COUNTS.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** What one run of Vitest came to. */
export interface TestCounts {
    passed: number
    /** Full names; a file that could not be loaded and an error outside every test are one each. */
    failed: string[]
    skipped: { name: string; reason: string }[]
}

const nameOf = (test: TestCase) => `${test.module.relativeModuleId} > ${test.fullName}`

/** Counts every test of the modules. */
export function countTests(modules: readonly TestModule[], strayErrors: number): TestCounts {
    const counts: TestCounts = { passed: 0, failed: [], skipped: [] }
    for (const module of modules) {
        for (const test of module.children.allTests()) {
            const result = test.result()
            if (result.state === 'passed') counts.passed++
            else if (result.state === 'failed') counts.failed.push(nameOf(test))
            else
                counts.skipped.push({
                    name: nameOf(test),
                    reason: ('note' in result && result.note) || 'no reason given',
                })
        }
        const broken = [module, ...module.children.allSuites()].filter(one => one.errors().length > 0)
        for (const one of broken)
            counts.failed.push(`${module.relativeModuleId} > ${'name' in one ? one.name : 'the file itself'}`)
    }
    for (let i = 0; i < strayErrors; i++) counts.failed.push('an error outside every test')
    return counts
}

export default class CountingReporter implements Reporter {
    onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]) {
        const path = process.env.TEST_COUNTS
        if (!path) return
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, JSON.stringify(countTests(modules, unhandledErrors.length)))
    }
}
