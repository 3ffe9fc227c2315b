// A stage is left out only when it passed with the very same inputs.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { rememberedPass } from './passed.ts'

it('is remembered until an input changes, comes or goes', () => {
    const at = mkdtempSync(join(tmpdir(), 'dv-passed-'))
    try {
        mkdirSync(join(at, 'debian'))
        writeFileSync(join(at, 'debian/rules'), 'one')
        writeFileSync(join(at, 'package.json'), '{}')
        const stage = () => rememberedPass('deb', ['debian', 'package.json'], at)
        expect(stage().isPassed()).toBe(false)
        stage().note()
        expect(stage().isPassed()).toBe(true)
        writeFileSync(join(at, 'debian/rules'), 'two')
        expect(stage().isPassed()).toBe(false)
        stage().note()
        writeFileSync(join(at, 'debian/control'), '')
        expect(stage().isPassed()).toBe(false)
        stage().note()
        rmSync(join(at, 'debian/control'))
        expect(stage().isPassed()).toBe(false)
        rmSync(join(at, 'package.json'))
        expect(stage).toThrow('package.json')
    } finally {
        rmSync(at, { recursive: true })
    }
})
