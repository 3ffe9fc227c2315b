// What a stage of `make test` came to: the counts that its tests left, and a failure where these are missing.
import { existsSync, readFileSync } from 'node:fs'
import type { TestCounts } from './test-reporter.ts'

/** Counts of a stage; `path` is where its tests write theirs, undefined for a stage without tests. */
export function countsOf(stage: { name: string; passed: boolean; path?: string }): TestCounts {
    const counts = stage.path ? read(stage.path) : undefined
    const none: TestCounts = { passed: 0, failed: [], skipped: [] }
    if (stage.path && !hasRun(counts)) return { ...none, failed: [`stage ${stage.name}: no test of it has run`] }
    // A stage that failed without a failed test (types, a build, a crash) must not read as '0 failed'.
    if (!stage.passed && !counts?.failed.length) return { ...(counts ?? none), failed: [`stage ${stage.name}`] }
    return counts ?? none
}

const read = (path: string): TestCounts | undefined =>
    existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined

const hasRun = (counts?: TestCounts) =>
    counts !== undefined && counts.passed + counts.failed.length + counts.skipped.length > 0
