// `make test`: check, build, the real worlds and the browser in turn; time per stage and one closing line of counts.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { rememberedPass } from './passed.ts'
import { root, runStage, type Stage, type StageResult, stageLine } from './stages.ts'
import { countsOf } from './test-counts.ts'
import type { TestCounts } from './test-reporter.ts'

const all = process.argv.includes('--all')
const outputDir = `${root}test-output`
const countsPath = (name: string) => `${outputDir}/${name}.json`
const tsx = ['node', '--import', 'tsx']

interface TestStage extends Stage {
    /** The Vitest project whose counts belong to the stage. */
    project?: string
    /** It runs only when one of these has changed since it passed here; `--all` runs it all the same. */
    of?: readonly string[]
    /** One that takes long is not begun when all before it took longer than this: it would be cut off in its middle. */
    beginsWithinMs?: number
}

const world = (project: string): TestStage => ({
    name: project,
    project,
    argv: ['vitest', 'run', '--project', project, '--reporter=verbose', '--reporter=./scripts/test-reporter.ts'],
    deadlineMs: all ? 7_200_000 : 2_400_000,
})

/** What the package is made of and how it is tried; the programs in it have tests of their own. */
const packaged = [
    ...['debian', 'deploy', 'package.json', 'package-lock.json', 'tests/deb', 'tests/real/world-systemd.ts'],
    ...['deb', 'build', 'build-etcd3', 'licences'].map(name => `scripts/${name}.ts`),
    ...['rpcd', 'rootd'].map(name => `src/apps/${name}`),
    // Installed as it is, it fills a Ceph.
    ...['src/drivers/ceph', 'src/capabilities/image'],
]

/** What makes a node of a machine. */
const provisioned = [
    ...[
        'debian',
        'deploy',
        'package-lock.json',
        'src/base',
        'src/engine',
        'src/ports',
        'src/apps/cli',
        'src/apps/rootd',
    ],
    ...['disks', 'docker', 'firewall', 'network', 'node', 'notify', 'storage', 'users', 'vm'].map(
        name => `src/capabilities/${name}`,
    ),
    ...['node.test', 'node-vm', 'node-image'].map(name => `tests/vm/${name}.ts`),
]

/** The tests of an emulated node that everybody runs; the others take hours. */
const labNode = world('vm')
labNode.argv = [...labNode.argv, 'tests/vm/node.test.ts']
labNode.deadlineMs = 30 * 60_000

const stages: TestStage[] = [
    { name: 'check', project: 'unit', argv: [...tsx, 'scripts/check.ts'] },
    { name: 'build', argv: [...tsx, 'scripts/build.ts'] },
    world('real'),
    world('browser'),
    { ...world('deb'), of: packaged },
    // A node in an emulated machine: its image, made once, takes eight minutes, the story a quarter of an hour. CI ends
    // after 90 minutes.
    ...(all ? [world('vm'), world('iso')] : [{ ...labNode, of: provisioned, beginsWithinMs: 57 * 60_000 }]),
]
// The long forms of the tests: every random moment, the full minute of load.
if (all) process.env.DEBVISOR_ALL = '1'

const hasTests = (project: string) =>
    project === 'unit' ||
    (existsSync(`${root}tests/${project}`) &&
        readdirSync(`${root}tests/${project}`, { recursive: true }).some(name => String(name).endsWith('.test.ts')))

rmSync(outputDir, { recursive: true, force: true })
mkdirSync(outputDir, { recursive: true })
const lines: string[] = []
const total: TestCounts = { passed: 0, failed: [], skipped: [] }
const began = performance.now()
for (const stage of stages) {
    console.log(`\n=== ${stage.name} ===`)
    if (stage.project && !hasTests(stage.project)) {
        lines.push(`none    ${stage.name.padEnd(14)}  tests/${stage.project} has no tests`)
        continue
    }
    const passed = stage.of && rememberedPass(stage.name, stage.of)
    if (!all && passed?.isPassed()) {
        lines.push(`before  ${stage.name.padEnd(14)}  passed here, and nothing that it looks at has changed`)
        continue
    }
    const minutes = Math.round((performance.now() - began) / 60_000)
    if (stage.beginsWithinMs && performance.now() - began > stage.beginsWithinMs) {
        lines.push(`LEFT    ${stage.name.padEnd(14)}  the stages before it took ${minutes} minutes`)
        total.skipped.push({ name: `the stage ${stage.name}`, reason: `the stages before it took ${minutes} minutes` })
        continue
    }
    if (stage.project) process.env.TEST_COUNTS = countsPath(stage.project)
    const result: StageResult = await runStage(stage, { live: true })
    const counts = countsOf({ ...result, path: stage.project && countsPath(stage.project) })
    // One that skipped something has not shown it.
    if (counts.failed.length + counts.skipped.length === 0) passed?.note()
    total.passed += counts.passed
    total.failed.push(...counts.failed)
    total.skipped.push(...counts.skipped)
    lines.push(stageLine(result))
}

console.log(`\n${lines.join('\n')}`)
if (total.skipped.length > 0) console.log('\nSkipped:')
for (const { name, reason } of total.skipped) console.log(`    ${name}: ${reason}`)
if (total.failed.length > 0) console.log('\nFailed:')
for (const name of total.failed) console.log(`    ${name}`)
console.log(`\n${total.passed} passed, ${total.failed.length} failed, ${total.skipped.length} skipped`)
process.exitCode = total.failed.length === 0 ? 0 : 1
