// `npm run check [stage…]`: types, lint, layers, generated code and unit tests, two at a time, all findings at once.
import { runStages, type Stage } from './stages.ts'

const tsx = ['node', '--import', 'tsx']
// The long ones stand first, so that the two lanes end at about the same time.
const stages: Stage[] = [
    {
        name: 'unit',
        argv: ['vitest', 'run', '--project', 'unit', '--reporter=dot', '--reporter=./scripts/test-reporter.ts'],
    },
    { name: 'types node', argv: ['tsc', '--pretty', 'false', '-p', 'tsconfig.node.json'] },
    { name: 'types panel', argv: ['tsc', '--pretty', 'false', '-p', 'tsconfig.panel.json'] },
    { name: 'types pure', argv: ['tsc', '--pretty', 'false', '-p', 'tsconfig.pure.json'] },
    { name: 'lint', argv: ['biome', 'check', '--colors=off', '--max-diagnostics=200', '.'] },
    { name: 'layers', argv: [...tsx, 'scripts/check-layers.ts'] },
    { name: 'generated', argv: [...tsx, 'scripts/generate.ts', '--check'] },
    { name: 'reference', argv: [...tsx, 'scripts/reference.ts', '--check'] },
]

const asked = process.argv.slice(2)
const chosen = stages.filter(stage => asked.length === 0 || asked.some(word => stage.name.startsWith(word)))
if (chosen.length === 0) {
    console.error(`No stage is called ${asked.join(' or ')}. There are: ${stages.map(stage => stage.name).join(', ')}`)
    process.exit(1)
}
const began = performance.now()
const results = await runStages(chosen, 2)
const failed = results.filter(result => !result.passed)
const seconds = ((performance.now() - began) / 1000).toFixed(1)
console.log(`\n${results.length - failed.length} of ${results.length} stages passed in ${seconds} s`)
process.exitCode = failed.length === 0 ? 0 : 1
