// `npm run golden [-- test files]`: rewrites the golden files from what the code says now and shows the difference.
import { spawnSync } from 'node:child_process'
import { root, runStage } from './stages.ts'

process.env.GOLDEN = 'update'
const argv = ['vitest', 'run', '--project', 'unit', '--reporter=dot', ...process.argv.slice(2)]
const result = await runStage({ name: 'golden', argv })
if (!result.passed) console.log(result.output.trimEnd())

const git = (...words: string[]) => spawnSync('git', words, { cwd: root, stdio: 'inherit' })
const where = ['--', ':(glob)**/testdata/**']
git('--no-pager', 'diff', '--stat', ...where)
git('--no-pager', 'diff', ...where)
const fresh = spawnSync('git', ['ls-files', '--others', '--exclude-standard', ...where], {
    cwd: root,
    encoding: 'utf8',
})
if (fresh.stdout) console.log(`New files:\n${fresh.stdout.trimEnd()}`)
process.exitCode = result.passed ? 0 : 1
