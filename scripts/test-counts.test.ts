// A stage is green only when its tests are known to have run.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { countsOf } from './test-counts.ts'

const folder = mkdtempSync(join(tmpdir(), 'dv-counts-'))
afterAll(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'real.json')
const leave = (counts: object) => writeFileSync(path, JSON.stringify(counts))

it('fails a stage that passed and left no counts, or counted nothing', () => {
    rmSync(path, { force: true })
    expect(countsOf({ name: 'real', passed: true, path }).failed).toEqual(['stage real: no test of it has run'])
    leave({ passed: 0, failed: [], skipped: [] })
    expect(countsOf({ name: 'real', passed: true, path }).failed).toEqual(['stage real: no test of it has run'])
})

it('fails a stage that failed without a failed test, and keeps what passed', () => {
    leave({ passed: 7, failed: [], skipped: [] })
    expect(countsOf({ name: 'check', passed: false, path })).toEqual({
        passed: 7,
        failed: ['stage check'],
        skipped: [],
    })
    expect(countsOf({ name: 'build', passed: false }).failed).toEqual(['stage build'])
})

it('takes the counts as they are otherwise', () => {
    const counts = { passed: 7, failed: ['a > b'], skipped: [{ name: 'c', reason: 'no KVM' }] }
    leave(counts)
    expect(countsOf({ name: 'real', passed: false, path })).toEqual(counts)
    expect(countsOf({ name: 'build', passed: true })).toEqual({ passed: 0, failed: [], skipped: [] })
})
