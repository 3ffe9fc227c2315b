// Golden files: what was said, kept beside the test; a missing one fails unless it is being written.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect } from 'vitest'

/**
 * Compares `text` with the golden file at `path` (absolute). With GOLDEN=update the file is written instead.
 * A missing file fails: a test never passes by having nothing to compare with.
 */
export function expectGolden(path: string, text: string): void {
    if (process.env.GOLDEN === 'update') {
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, text)
        return
    }
    let golden: string
    try {
        golden = readFileSync(path, 'utf8')
    } catch {
        throw new Error(`the golden file ${path} is missing: write it with \`npm run golden\` and read it`)
    }
    expect(text, `differs from ${path}; \`npm run golden\` rewrites it`).toBe(golden)
}
