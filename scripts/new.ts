// `npm run new capability <name>`: a folder with the smallest capability that works, passes the checks and shows how.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { templates } from './new/templates.ts'
import { root, runStage } from './stages.ts'

const [what, name = ''] = process.argv.slice(2)

function refuse(why: string): never {
    console.error(`${why}\nUsage: npm run new capability <name>`)
    process.exit(1)
}

if (what !== 'capability') refuse(`'${what ?? ''}' cannot be made.`)
if (!/^[a-z][a-z0-9]{1,20}$/.test(name)) refuse(`'${name}' is not a name: one word of small letters, 2 to 21.`)
const folder = join(root, 'src/capabilities', name)
if (existsSync(folder)) refuse(`src/capabilities/${name} exists already.`)

mkdirSync(folder)
for (const [file, text] of Object.entries(templates(name))) {
    writeFileSync(join(folder, file), text)
    console.log(`made    src/capabilities/${name}/${file}`)
}

const Name = name[0]!.toUpperCase() + name.slice(1)
const nodeImport = `import { ${Name}Service } from '../gen/proto/capabilities/${name}/${name}_pb.js'\n`
addTo('src/capabilities/table.node.ts', nodeImport, ['services', `    ${Name}Service,`])
const verbImport = `import { ${name}Verbs } from './${name}/cli.ts'\n`
addTo('src/capabilities/table.verbs.ts', verbImport, ['verbs', `    ...${name}Verbs,`])
addTo('src/capabilities/table.verbs.ts', '', ['topics', `    { name: '${name}', summary: 'TODO' },`])

const touched = [`src/capabilities/${name}`, 'src/capabilities/table.node.ts', 'src/capabilities/table.verbs.ts']
const generated = await runStage({ name: 'generate', argv: ['buf', 'generate'] })
if (!generated.passed) console.error(generated.output)
await runStage({ name: 'format', argv: ['biome', 'check', '--write', ...touched] })

console.log(`
By hand, in src/apps/rpcd/wire.ts, beside the others:
    import { create${Name} } from '../../capabilities/${name}/rpc.ts'
    create${Name}(),
And in words: the summary in table.verbs.ts, README.md, who may \`${name}.view\` (capabilities/identity/permissions.ts).
Then: npm run check`)
process.exitCode = generated.passed ? 0 : 1

/** Adds an import and a line at the end of the exported list; says so, or what to add when the list is not found. */
function addTo(path: string, importLine: string, [list, line]: [string, string]) {
    const full = join(root, path)
    const text = existsSync(full) ? readFileSync(full, 'utf8') : ''
    const end = new RegExp(`(export const ${list}\\b[\\s\\S]*?)(\\n\\])`)
    if (!end.test(text)) {
        console.log(`add     to ${path}: ${importLine.trim()} ${line.trim()}`)
        return
    }
    const withLine = text.replace(end, (_, head: string, tail: string) => `${head}\n${line}${tail}`)
    const firstImport = withLine.search(/^import /m)
    writeFileSync(full, withLine.slice(0, firstImport) + importLine + withLine.slice(firstImport))
    console.log(`changed ${path}: ${line.trim()}`)
}
