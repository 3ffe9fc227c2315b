// `npm run new capability <name>` in a copy of the tree: what it makes passes the checks as it is.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const left = ['node_modules', 'dist', '.git', '.state', '.tools', 'test-output']
let copy: string

beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'dv-new-'))
    const isLeft = (path: string) => left.some(name => path === join(root, name))
    cpSync(root, copy, { recursive: true, filter: path => !isLeft(path) })
    for (const name of ['node_modules', '.tools'])
        if (existsSync(join(root, name))) symlinkSync(join(root, name), join(copy, name))
})
afterAll(() => rmSync(copy, { recursive: true, force: true }))

function npmRun(script: string, ...words: string[]) {
    const argv = ['--import', 'tsx', `scripts/${script}.ts`, ...words]
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, { cwd: copy, encoding: 'utf8' })
    return { status, said: stdout + stderr }
}

it('makes a capability that is wired in everywhere and passes the checks', () => {
    const made = npmRun('new', 'capability', 'widget')
    expect(made.status, made.said).toBe(0)
    expect(made.said).not.toMatch(/^add /m)
    for (const path of ['capabilities/table.node.ts', 'capabilities/table.verbs.ts', 'capabilities/table.panel.ts'])
        expect(readFileSync(join(copy, 'src', path), 'utf8'), path).toMatch(/widget/i)
    expect(readFileSync(join(copy, 'src/apps/rpcd/wire.ts'), 'utf8')).toContain('createWidget()')
    expect(readFileSync(join(copy, 'docs/reference/cli.md'), 'utf8')).toContain('debvisor widget list')

    // The unit tests of all the others are not its business; those of its folder and of the tables are.
    const checked = npmRun('check', 'types', 'lint', 'layers', 'generated', 'reference')
    expect(checked.status, checked.said).toBe(0)
    const tests = ['src/capabilities/widget', 'src/apps/rpcd/access.test.ts']
    const unit = spawnSync('npx', ['vitest', 'run', '--project', 'unit', ...tests], { cwd: copy, encoding: 'utf8' })
    expect(unit.status, unit.stdout + unit.stderr).toBe(0)
}, 300_000)

it.each([
    ['a name in use', ['capability', 'vm'], 'exists already'],
    ['a name that is none', ['capability', '../x'], 'is not a name'],
    ['something else', ['thing', 'x'], 'cannot be made'],
])('refuses %s and changes nothing', (_, words, why) => {
    const refused = npmRun('new', ...words)
    expect(refused.status).toBe(1)
    expect(refused.said).toContain(why)
})
