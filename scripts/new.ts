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
const proto = `import { ${Name}Service } from '../gen/proto/capabilities/${name}/${name}_pb.js'`
const places = [
    { path: 'src/capabilities/table.node.ts', list: 'services', item: `${Name}Service`, imported: proto },
    {
        path: 'src/capabilities/table.verbs.ts',
        list: 'verbs',
        item: `...${name}Verbs`,
        imported: `import { ${name}Verbs } from './${name}/cli.ts'`,
    },
    { path: 'src/capabilities/table.verbs.ts', list: 'topics', item: `{ name: '${name}', summary: '${name}' }` },
    {
        path: 'src/capabilities/table.panel.ts',
        list: 'table',
        item: name,
        imported: `import { panel as ${name} } from './${name}/panel.tsx'`,
    },
    {
        path: 'src/apps/rpcd/wire.ts',
        list: 'capabilities',
        item: `create${Name}()`,
        imported: `import { create${Name} } from '../../capabilities/${name}/rpc.ts'`,
    },
]
for (const place of places) addTo(place)

const touched = [`src/capabilities/${name}`, ...new Set(places.map(({ path }) => path))]
const steps = [
    { name: 'generate', argv: ['buf', 'generate'] },
    { name: 'format', argv: ['biome', 'check', '--write', ...touched] },
    { name: 'reference', argv: ['node', '--import', 'tsx', 'scripts/reference.ts'] },
]
for (const step of steps) {
    const { passed, output } = await runStage(step)
    if (passed) continue
    console.error(output)
    process.exit(1)
}
console.log(`
Left to you, in words: the summary in table.verbs.ts, README.md, the comments in ${name}.proto, and who may
\`${name}.view\` (capabilities/identity/permissions.ts). Then: npm run check`)

interface Place {
    path: string
    /** Name of the array that gets the item. */
    list: string
    item: string
    imported?: string
}

/** Adds an import and an item at the end of the list; says so, or what to add when the list is not found. */
function addTo({ path, list, item, imported = '' }: Place) {
    const full = join(root, path)
    const text = existsSync(full) ? readFileSync(full, 'utf8') : ''
    const array = new RegExp(`(const ${list}\\b[^=]*= \\[)([\\s\\S]*?)(,?\\s*\\]\\n)`)
    if (!array.test(text)) {
        console.log(`add     to ${path}: ${[imported, item].filter(Boolean).join(' and ')}`)
        return
    }
    const added = text.replace(array, (_, head, items, tail) => `${head}${items}, ${item}${tail.replace(/^,/, '')}`)
    const firstImport = added.search(/^import /m)
    const importLine = imported && `${imported}\n`
    writeFileSync(full, added.slice(0, firstImport) + importLine + added.slice(firstImport))
    console.log(`changed ${path}: ${item}`)
}
