// Slow stages of `make test` that need not run again: what they look at is as it was when they last passed.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './stages.ts'

export interface Remembered {
    /** Whether it passed with the same inputs. */
    isPassed(): boolean
    note(): void
}

/**
 * Of a stage that looks at `inputs`: files and folders of the repository. It is remembered on this machine; with `record`
 * also in that file of the repository, for stages that are too slow for every machine.
 */
export function rememberedPass(
    name: string,
    { of, record }: { of: readonly string[]; record?: string },
    at = root,
): Remembered {
    const places = [join('.tools/passed', name), ...(record ? [record] : [])].map(path => join(at, path))
    const now = hashOf(of, at)
    return {
        isPassed: () => places.some(path => existsSync(path) && readFileSync(path, 'utf8').trim() === now),
        note() {
            for (const path of places) {
                mkdirSync(dirname(path), { recursive: true })
                writeFileSync(path, `${now}\n`)
            }
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
