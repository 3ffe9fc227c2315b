// `npm run generate [-- --check]`: writes src/gen from the .proto files and libvirt's protocol, or shows what drifted.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sourceMissing } from './generate-libvirt.ts'
import { root, runStage } from './stages.ts'

const check = process.argv.includes('--check')
const output = 'src/gen/proto'
process.env.PATH = `${root}node_modules/.bin:${process.env.PATH}`
// buf keeps a cache; in the repository's own folder nothing of the person's is touched.
process.env.BUF_CACHE_DIR ??= `${root}.tools/buf`

/** Text of every file below the folder, by its path in it; nothing where there is no folder. */
function readFolder(folder: string): Map<string, string> {
    try {
        const names = readdirSync(folder, { recursive: true }).map(String)
        const files = names.filter(name => statSync(join(folder, name)).isFile())
        return new Map(files.sort().map(name => [name, readFileSync(join(folder, name), 'utf8')]))
    } catch {
        return new Map()
    }
}

function driftOfProtos(): string[] {
    const scratch = mkdtempSync(join(tmpdir(), 'dv-generate-'))
    try {
        execFileSync('buf', ['generate', '--output', scratch], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
        const [want, seen] = [readFolder(join(scratch, output)), readFolder(join(root, output))]
        const changed = [...want].filter(([name, text]) => seen.get(name) !== text).map(([name]) => name)
        const gone = [...seen.keys()].filter(name => !want.has(name))
        return [
            ...changed.map(name => `${output}/${name} is not what the .proto files say`),
            ...gone.map(name => `${output}/${name} has no .proto file any more`),
        ]
    } finally {
        rmSync(scratch, { recursive: true, force: true })
    }
}

/** libvirt's part, where its source can be had: the network is no part of a check. */
async function libvirtPart(): Promise<boolean> {
    const argv = ['node', '--import', 'tsx', 'scripts/generate-libvirt.ts', ...(check ? ['--check'] : [])]
    const result = await runStage({ name: 'libvirt', argv, deadlineMs: 120_000 })
    if (check && result.code === sourceMissing) {
        console.log(`note: src/gen/libvirt was not compared. ${result.output.trim()}`)
        return true
    }
    if (!result.passed || !check) console.log(result.output.trimEnd())
    return result.passed
}

let passed = true
execFileSync('buf', ['lint'], { cwd: root, stdio: 'inherit' })
if (check) {
    const drift = driftOfProtos()
    for (const line of drift) console.log(line)
    if (drift.length > 0) console.log('Run `npm run generate` and commit the result.')
    passed = drift.length === 0
} else {
    execFileSync('buf', ['generate'], { cwd: root, stdio: 'inherit' })
    console.log(`${output}: ${readFolder(join(root, output)).size} files`)
}
passed = (await libvirtPart()) && passed
if (!check) {
    const reference = await runStage({ name: 'reference', argv: ['node', '--import', 'tsx', 'scripts/reference.ts'] })
    console.log(reference.output.trimEnd())
    passed = reference.passed && passed
}
process.exitCode = passed ? 0 : 1
