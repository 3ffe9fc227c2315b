// `npm run build`: the programs as single files in dist/ (esbuild) and the panel in dist/panel (Vite); skips what is new.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { PluginOption } from 'vite'
import { etcd3Inside } from './build-etcd3.ts'
import { noteLicences, partsOf } from './licences.ts'
import { root } from './stages.ts'

const programs = {
    rpcd: 'src/apps/rpcd/main.ts',
    rootd: 'src/apps/rootd/main.ts',
    debvisor: 'src/apps/cli/main.ts',
    installer: 'src/apps/installer/main.ts',
}

// Some dependencies are CommonJS and ask for `require` and `__dirname`; a bundle that is a module has neither by itself.
const banner = [
    '#!/usr/bin/env node',
    "import { createRequire as debvisorRequire } from 'node:module';",
    "import { fileURLToPath as debvisorPath } from 'node:url';",
    'const require = debvisorRequire(import.meta.url);',
    "const __dirname = debvisorPath(new URL('.', import.meta.url));",
].join('\n')

/** Builds what changed since the last time. Answers the names of what was built; rejects when something does not build. */
export async function buildAll(): Promise<string[]> {
    process.chdir(root)
    mkdirSync('dist', { recursive: true })
    const sources = hashOf(files('src').filter(path => !/\.test\.tsx?$|\/testdata\/|\/sim\//.test(path)))
    const built: string[] = []
    for (const [name, entry] of Object.entries(programs)) {
        if (!existsSync(entry)) throw new Error(`${entry} is missing`)
        if (await stamped(name, `dist/${name}.mjs`, sources, () => bundle(name, entry))) built.push(name)
    }
    if (existsSync('src/apps/panel/vite.config.ts'))
        if (await stamped('panel', 'dist/panel/index.html', sources, panel)) built.push('panel')
    return built
}

async function bundle(name: string, entry: string) {
    const { metafile } = await build({
        metafile: true,
        entryPoints: [entry],
        outfile: `dist/${name}.mjs`,
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'esm',
        sourcemap: 'linked',
        legalComments: 'external',
        banner: { js: banner },
        logLevel: 'warning',
        plugins: [etcd3Inside],
        define: { 'process.env.NODE_ENV': '"production"' },
    })
    noteLicences(name, partsOf(Object.keys(metafile.inputs)))
}

async function panel() {
    const vite = await import('vite')
    const inputs = new Set<string>()
    const noting = {
        name: 'debvisor-licences',
        generateBundle(_: unknown, bundle: Record<string, { moduleIds?: string[] }>) {
            for (const { moduleIds = [] } of Object.values(bundle)) for (const id of moduleIds) inputs.add(id)
        },
    }
    const plugins = [noting as PluginOption]
    // Whoever asks (tests do, with a NODE_ENV of their own), it is the same panel: without what is for development.
    const before = process.env.NODE_ENV
    process.env.NODE_ENV = 'production'
    try {
        await vite.build({ configFile: 'src/apps/panel/vite.config.ts', logLevel: 'warn', plugins })
    } finally {
        if (before === undefined) delete process.env.NODE_ENV
        else process.env.NODE_ENV = before
    }
    noteLicences('panel', partsOf([...inputs]))
}

/** Runs `make` unless the output is there and was made from the same inputs. */
async function stamped(name: string, output: string, inputs: string, make: () => Promise<void>): Promise<boolean> {
    const stamp = `dist/.${name}.stamp`
    if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === inputs) return false
    await make()
    writeFileSync(stamp, inputs)
    return true
}

const recipes = ['build', 'build-etcd3', 'licences'].map(name => `scripts/${name}.ts`)

/** Every input of a build: the sources, this recipe and the exact dependencies. */
function hashOf(paths: string[]): string {
    const hash = createHash('sha256')
    for (const path of [...paths, 'package.json', 'package-lock.json', ...recipes])
        hash.update(`${path}\0`).update(readFileSync(path)).update('\0')
    return hash.digest('hex')
}

const files = (folder: string): string[] =>
    readdirSync(folder, { recursive: true })
        .map(name => join(folder, String(name)))
        .filter(path => statSync(path).isFile())
        .sort()

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const began = performance.now()
    // The bundlers have said what is wrong by then, with the place.
    const built = await buildAll().catch((trouble: Error) => {
        console.error(trouble.message)
        process.exit(1)
    })
    const what = built.length > 0 ? `built ${built.join(', ')}` : 'nothing new to build'
    console.log(`${what} in dist/ (${((performance.now() - began) / 1000).toFixed(1)} s)`)
}
