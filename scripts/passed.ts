// Slow stages of `make test` that need not run again: what they look at is as it was when they last passed here.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './stages.ts'

export interface Remembered {
    /** Whether it passed with the same inputs. */
    isPassed(): boolean
    note(): void
}

/** Of a stage that looks at `inputs`: files and folders of the repository. */
export function rememberedPass(name: string, inputs: readonly string[], at = root): Remembered {
    const path = join(at, '.tools/passed', name)
    const now = hashOf(inputs, at)
    return {
        isPassed: () => existsSync(path) && readFileSync(path, 'utf8') === now,
        note() {
            mkdirSync(join(at, '.tools/passed'), { recursive: true })
            writeFileSync(path, now)
        },
    }
}

function hashOf(inputs: readonly string[], at: string): string {
    const hash = createHash('sha256')
    for (const path of inputs.flatMap(input => filesIn(input, at)).sort())
        hash.update(`${path}\0`)
            .update(readFileSync(join(at, path)))
            .update('\0')
    return hash.digest('hex')
}

/** @throws Error for one that is not there: a stage must not pass because its inputs were moved */
function filesIn(input: string, at: string): string[] {
    if (statSync(join(at, input)).isFile()) return [input]
    return readdirSync(join(at, input), { recursive: true })
        .map(name => join(input, String(name)))
        .filter(path => statSync(join(at, path)).isFile())
}
