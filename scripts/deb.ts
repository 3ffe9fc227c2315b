// `make deb`: lays out what the package holds, packs it with debhelper, and puts dist/debvisor_<version>_all.deb there.
import { execFileSync } from 'node:child_process'
import {
    chmodSync,
    copyFileSync,
    cpSync,
    existsSync,
    mkdirSync,
    readdirSync,
    readFileSync,
    renameSync,
    rmSync,
    writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { VERSION } from '../src/base/version.ts'
import { buildAll } from './build.ts'
import { allParts, licencesText } from './licences.ts'
import { root } from './stages.ts'

const programs = ['rpcd', 'rootd', 'debvisor']

/** Files of the repository, and where they belong on a node. */
const placed: readonly (readonly [from: string, to: string, mode: number])[] = [
    ['deploy/debvisor', 'usr/bin/debvisor', 0o755],
    ['deploy/console', 'usr/lib/debvisor/console', 0o755],
    ['deploy/sign-modules', 'usr/lib/debvisor/sign-modules', 0o755],
    ['deploy/etcd-keys', 'usr/lib/debvisor/etcd-keys', 0o755],
    ...programs.map(name => [`dist/${name}.mjs`, `usr/lib/debvisor/${name}.mjs`, 0o644] as const),
    ...readdirSync(join(root, 'deploy/systemd')).map(
        unit => [`deploy/systemd/${unit}`, `usr/lib/systemd/system/${unit}`, 0o644] as const,
    ),
    ['deploy/default/debvisor', 'etc/default/debvisor', 0o644],
    ['deploy/polkit/60-debvisor.rules', 'usr/share/polkit-1/rules.d/60-debvisor.rules', 0o644],
    ['deploy/preset/50-debvisor.preset', 'usr/lib/systemd/system-preset/50-debvisor.preset', 0o644],
    ['deploy/sysusers/debvisor.conf', 'usr/lib/sysusers.d/debvisor.conf', 0o644],
    ['deploy/tmpfiles/debvisor.conf', 'usr/lib/tmpfiles.d/debvisor.conf', 0o644],
]

const completions = {
    bash: 'usr/share/bash-completion/completions/debvisor',
    zsh: 'usr/share/zsh/vendor-completions/_debvisor',
    fish: 'usr/share/fish/vendor_completions.d/debvisor.fish',
}

/** Seconds since 1970 that all times in the package are: SOURCE_DATE_EPOCH, or those of the last commit. */
export function sourceEpoch(env: Record<string, string | undefined> = process.env): number {
    const given = env.SOURCE_DATE_EPOCH ?? execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, env })
    const seconds = Number(String(given).trim())
    if (!Number.isSafeInteger(seconds) || seconds < 0)
        throw new Error(`SOURCE_DATE_EPOCH takes seconds since 1970, not '${given}'`)
    return seconds
}

/** A version that dpkg takes: `0.2.0-rc.1` of npm's way sorts before `0.2.0`. */
export const debianVersion = (version: string): string => version.replace('-', '~')

/** `Fri, 27 Nov 2026 14:03:23 +0000`, as changelogs have it (deb-changelog(5)). */
const changelogDate = (seconds: number) => new Date(seconds * 1000).toUTCString().replace('GMT', '+0000')

const changelog = (seconds: number, maintainer: string) =>
    [
        `debvisor (${debianVersion(VERSION)}) trixie; urgency=medium`,
        `  * DebVisor ${VERSION}. What changed is in the history of the project.`,
        ` -- ${maintainer}  ${changelogDate(seconds)}`,
    ].join('\n\n')

/** The text as a field of a control file takes it: each line moved in, empty ones as a dot. */
const indented = (text: string) =>
    text
        .trimEnd()
        .split('\n')
        .map(line => (line.trim() === '' ? ' .' : ` ${line}`))
        .join('\n')

/** Builds the programs and the package. Answers the path of the .deb; the same inputs give the same bytes. */
export async function buildDeb(): Promise<string> {
    await buildAll()
    const work = join(root, 'dist/deb')
    const source = join(work, 'debvisor')
    const files = join(source, 'files')
    rmSync(work, { recursive: true, force: true })
    cpSync(join(root, 'debian'), join(source, 'debian'), { recursive: true })
    const put = (to: string, content: string, mode = 0o644) => {
        mkdirSync(dirname(join(files, to)), { recursive: true })
        writeFileSync(join(files, to), content)
        chmodSync(join(files, to), mode)
    }
    for (const [from, to, mode] of placed) {
        mkdirSync(dirname(join(files, to)), { recursive: true })
        copyFileSync(join(root, from), join(files, to))
        chmodSync(join(files, to), mode)
    }
    // What is not run is not executable, and has no first line for a shell; nor are its maps here.
    for (const name of programs) {
        const at = `usr/lib/debvisor/${name}.mjs`
        const text = readFileSync(join(files, at), 'utf8')
        put(at, text.replace(/^#!.*\n/, '').replace(/\n\/\/# sourceMappingURL=.*\n*$/, '\n'))
    }
    cpSync(join(root, 'deploy/compose'), join(files, 'usr/share/debvisor/compose'), { recursive: true })
    cpSync(join(root, 'dist/panel'), join(files, 'usr/lib/debvisor/panel'), { recursive: true })
    putDocuments(put, files)
    const cli = (...words: string[]) =>
        execFileSync(process.execPath, [join(root, 'dist/debvisor.mjs'), ...words], { encoding: 'utf8' })
    for (const [shell, path] of Object.entries(completions)) put(path, cli('completion', shell))
    const page = cli('man')
    put('usr/share/man/man1/debvisor.1', page)
    for (const [, noun] of page.matchAll(/^\.BR debvisor\\-(\S+) \(1\)$/gm))
        put(`usr/share/man/man1/debvisor-${noun}.1`, cli('man', noun!))
    writeDebian(source)
    pack(source)
    const name = `debvisor_${debianVersion(VERSION)}_all.deb`
    renameSync(join(work, name), join(root, 'dist', name))
    rmSync(work, { recursive: true })
    return join(root, 'dist', name)
}

/** What a node's administrator reads; pages about the sources stay with the sources. */
function putDocuments(put: (to: string, content: string) => void, files: string) {
    const at = 'usr/share/doc/debvisor'
    const licences = licencesText(allParts([...programs, 'panel']))
    put(`${at}/licences-of-others.txt`, licences)
    put(`${at}/package.md`, readFileSync(join(root, 'docs/operations/package.md'), 'utf8'))
    for (const name of [
        'node.md',
        'glossary.md',
        'operations/install.md',
        'operations/kubernetes.md',
        'reference/cli.md',
    ])
        put(`${at}/${name}`, readFileSync(join(root, 'docs', name), 'utf8'))
    for (const name of ['reference/node-yaml.md', 'reference/api.md', 'decisions/rootd.md', 'decisions/state-store.md'])
        put(`${at}/${name}`, readFileSync(join(root, 'docs', name), 'utf8'))
    if (!existsSync(join(files, at))) throw new Error('no documents were laid out')
}

function writeDebian(source: string) {
    const control = readFileSync(join(source, 'debian/control'), 'utf8')
    const maintainer = /^Maintainer: (.+)$/m.exec(control)![1]!
    writeFileSync(join(source, 'debian/changelog'), `${changelog(sourceEpoch(), maintainer)}\n`)
    const licence = indented(readFileSync(join(root, 'LICENSE'), 'utf8'))
    const copyright = readFileSync(join(source, 'debian/copyright.in'), 'utf8').replace('@LICENCE@', () => licence)
    writeFileSync(join(source, 'debian/copyright'), copyright)
    rmSync(join(source, 'debian/copyright.in'))
}

function pack(source: string) {
    const env = { ...process.env, SOURCE_DATE_EPOCH: String(sourceEpoch()), LC_ALL: 'C.UTF-8', TZ: 'UTC' }
    try {
        execFileSync('dpkg-buildpackage', ['--build=binary', '--unsigned-changes', '--no-pre-clean'], {
            cwd: source,
            env,
            stdio: ['ignore', 'pipe', 'pipe'],
        })
    } catch (trouble) {
        const { stdout = '', stderr = '' } = trouble as { stdout?: Buffer; stderr?: Buffer }
        throw new Error(`dpkg-buildpackage failed:\n${`${stdout}${stderr}`.split('\n').slice(-30).join('\n')}`)
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const began = performance.now()
    const path = await buildDeb().catch((trouble: Error) => {
        console.error(trouble.message)
        process.exit(1)
    })
    console.log(`${path} (${((performance.now() - began) / 1000).toFixed(1)} s)`)
}
